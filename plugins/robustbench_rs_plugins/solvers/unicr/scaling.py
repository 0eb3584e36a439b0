"""The scalar phase: how far a shift can be scaled up before it is no longer certified.

Scales are points of one lattice, origin * 2^(index / steps), visited in an order that only the answers determine. So
larger limits, which are certified wherever smaller ones are, never get a smaller scale, and no input's answer depends
on the other inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

OCTAVES = 40
"""Doublings and halvings before the scale counts as infinite or as 0."""
SCANNED, FINENESS = 4, 8
"""Octaves below the origin, and steps per octave, of a scan."""

Certified = Callable[[int, np.ndarray], np.ndarray]
"""(lattice index, inputs (k,)) -> whether the shift of that scale is certified, (k,) bool."""


@dataclass(frozen=True)
class Lattice:
    """Scales origin * 2^(index / steps); ``steps`` is a power of two."""

    origin: float
    steps: int

    @property
    def limit(self) -> int:
        """Indices of ``limit`` and more mean an infinite scale, of -``limit`` and less 0."""
        return OCTAVES * self.steps

    def scale(self, index: np.ndarray) -> np.ndarray:
        """Scales (m,) of indices (m,)."""
        scale = self.origin * np.exp2(np.clip(index, -self.limit, self.limit) / self.steps)
        return np.select([index <= -self.limit, index >= self.limit], [0.0, np.inf], scale)

    def largest(self, certified: Certified, count: int, scan: bool = False) -> np.ndarray:
        """Index (count,) of the largest certified scale: doubling or halving, then bisection, for all inputs at once.

        ``scan``: climb in small steps from well below the origin instead of doubling, for laws where a larger shift
        may be certified again although a smaller one is not.
        """
        start = np.full(count, -SCANNED * self.steps if scan else 0)
        stride = self.steps // FINENESS if scan else self.steps
        everyone = np.arange(count)
        good = answers(certified, start, everyone)
        climbed = self._walk(certified, start, everyone[good], stride, while_certified=True)
        sunk = self._walk(certified, start, everyone[~good], -self.steps, while_certified=False)
        low = np.where(good, climbed - stride, sunk)
        return self._bisect(certified, low, np.where(good, stride, self.steps))

    def _walk(
        self, certified: Certified, start: np.ndarray, inputs: np.ndarray, stride: int, while_certified: bool
    ) -> np.ndarray:
        """The first point on the way whose answer is not ``while_certified``; a point at the limit needs none."""
        index = start.copy()
        while len(inputs):
            index[inputs] += stride
            inside = np.abs(index[inputs]) < self.limit
            inputs = inputs[inside]
            inputs = inputs[answers(certified, index[inputs], inputs) == while_certified]
        return index

    def _bisect(self, certified: Certified, low: np.ndarray, width: np.ndarray) -> np.ndarray:
        """``low`` is certified (or a scale of 0), ``low + width`` is not (or infinite); until the width is 1."""
        open_ended = (low <= -self.limit) | (low + width >= self.limit)
        low = np.where(low + width >= self.limit, self.limit, low)
        while np.any(active := ~open_ended & (width > 1)):
            inputs = np.flatnonzero(active)
            width = np.where(active, width // 2, width)
            middle = low[inputs] + width[inputs]
            low[inputs] = np.where(answers(certified, middle, inputs), middle, low[inputs])
        return low


def answers(certified: Certified, index: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Asks once about each distinct index (k,), for all inputs (k,) that want it; (k,) bool."""
    found = np.zeros(len(inputs), dtype=bool)
    for wanted in np.unique(index):
        here = index == wanted
        found[here] = certified(int(wanted), inputs[here])
    return found
