"""Which parameters to try next: DIRECT (Jones et al. 1993; its locally biased form, Gablonsky and Kelley 2001).

scipy's optimiser is deterministic, so it needs no state of its own: it is replayed on the values known so far, and the
first point that it asks for without a value is the next one. A run that was killed goes on in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Point = tuple[float, ...]
"""Values of the parameters, in the order of their names."""

SIGNIFICANT_DIGITS = 6
REPEATS = 4
"""The optimiser may ask for this many points per evaluation: those that round to a known one cost nothing."""


@dataclass(frozen=True)
class Space:
    """A box of parameters, name -> (lowest, highest). Where both are positive the search is on a logarithmic scale."""

    bounds: Mapping[str, tuple[float, float]]

    @property
    def names(self) -> list[str]:
        return sorted(self.bounds)

    def point(self, unit: Sequence[float]) -> Point:
        """The point at coordinates in [0, 1], rounded to six significant digits, inside the box."""
        return tuple(self._value(*self.bounds[name], float(u)) for name, u in zip(self.names, unit, strict=True))

    def named(self, point: Point) -> dict[str, float]:
        """Name -> value."""
        return dict(zip(self.names, point, strict=True))

    @staticmethod
    def _value(low: float, high: float, u: float) -> float:
        value = low * (high / low) ** u if low > 0 else low + (high - low) * u
        return min(max(float(f"{value:.{SIGNIFICANT_DIGITS}g}"), low), high)


def propose(space: Space, start: Point, known: Mapping[Point, float], evaluations: int) -> Point | None:
    """The next point to evaluate: ``start``, then what maximises; None when ``evaluations`` points are known.

    ``known``: the value of every point so far. None also when the optimiser has nothing more to ask for.
    """
    if start not in known:
        return start
    if len(known) >= evaluations:
        return None
    return _first_unknown(space, known, evaluations)


def _first_unknown(space: Space, known: Mapping[Point, float], evaluations: int) -> Point | None:
    from scipy.optimize import Bounds, direct

    unknown: list[Point] = []

    def loss(unit: np.ndarray) -> float:
        point = space.point(unit.tolist())
        if not unknown and point in known:
            return -known[point]
        # An exception would end the optimiser at once, but it leaks memory; what it asks for from here on is ignored.
        unknown.append(point)
        return 0.0

    most = REPEATS * evaluations + 1
    low, high = np.zeros(len(space.bounds)), np.ones(len(space.bounds))
    direct(loss, Bounds(low, high), maxfun=most, maxiter=most, vol_tol=0.0, len_tol=0.0)
    return unknown[0] if unknown else None
