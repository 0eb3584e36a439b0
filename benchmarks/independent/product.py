"""What is left of a class after a shift of product noise: explicit classifiers, their masses enumerated exactly.

Each coordinate's line is cut into cells of known masses under the noise (P) and the shifted noise (Q). A cell gets an
integer, its log likelihood ratio in steps; a box of cells the sum of its integers. "The sum is at most t" is a region
whose P- and Q-mass follow by adding up the cells' masses, and the classifiers that such regions make are real ones: the
smallest Q-mass that the best classifier could leave is never above theirs. Rounding of the integers and width of the
cells make the regions less than optimal (second order in both), but never wrong. So a certificate that fails against
one of them is refuted; the rounding of the sums, ``ERROR``, counts in its favour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from independent.laws import Law

ERROR = 1e-12
"""Bound of the rounding of a region's mass: at most 2^13 terms, each off by less than 1e-16."""
CELLS = 160
LEVELS = 4096
"""Sums of the integers that are told apart."""
FRACTIONS = np.concatenate([[-3, -2, -1, -0.5, -0.2, -0.05, -0.01], np.linspace(0.0, 1.0, 15)[1:-1], [0.01, 0.99]])
FRACTIONS = np.concatenate([FRACTIONS, 1.0 - FRACTIONS[:7]])
"""Further cell edges about kinks and poles, in sizes of the shift: there the ratio changes quickly."""
EMPTY = 1e-15
"""A cell with less mass is not ranked: its quotient would be rounding."""


@dataclass(frozen=True)
class Region:
    """Nested regions (n + 1,): ``kept_p``, ``kept_q`` their masses under noise and shifted noise, from 0 to 1, each off
    by at most ``error``."""

    kept_p: np.ndarray
    kept_q: np.ndarray
    error: float

    def left(self, p: np.ndarray) -> np.ndarray:
        """What is left of a class with ``p`` (m,): an upper bound of the Q-mass of a (randomised) region of P-mass p.

        At least the smallest possible Q-mass, then; 1 where p is too close to 1 to tell.
        """
        kept = np.interp(p + self.error, self.kept_p, self.kept_q) + self.error
        return np.where(p + self.error < self.kept_p[-1], np.minimum(kept, 1.0), 1.0)


@dataclass(frozen=True)
class _Groups:
    """Equal coordinates of all shifts together: ``owner`` is the row that ``count`` coordinates of ``size`` are in."""

    owner: np.ndarray
    size: np.ndarray
    count: np.ndarray


def regions(
    law: Law, shifts: np.ndarray, spread: np.ndarray, *, cells: int = CELLS, levels: int = LEVELS
) -> list[Region]:
    """Nested regions for each of the ``shifts`` (m, d), in units of z, none of them all zero.

    ``spread`` (m,): log ratios of a coordinate beyond +-``spread`` count as that much.
    """
    groups = _groups(shifts)
    edges = _edges(law, groups.size, cells)
    masses = law.mass(edges), law.mass(edges - groups.size[:, None])
    bins, width = _bins(groups, _losses(*masses, spread[groups.owner]), len(shifts), levels)
    assert width <= levels
    kept = [_sums(groups, bins, mass, levels) for mass in masses]
    return [Region(p, q, ERROR) for p, q in zip(*kept, strict=True)]


def _groups(shifts: np.ndarray) -> _Groups:
    owner, size, count = [], [], []
    for row, shift in enumerate(shifts):
        sizes, counts = np.unique(shift[shift != 0], return_counts=True)
        owner.append(np.full(len(sizes), row))
        size.append(sizes)
        count.append(counts)
    return _Groups(np.concatenate(owner), np.concatenate(size), np.concatenate(count))


def _edges(law: Law, sizes: np.ndarray, cells: int) -> np.ndarray:
    """Ascending edges (groups, n): even ones for both laws, and more about both laws' special points."""
    base, size = law.edges(cells), sizes[:, None]
    close = (np.array(law.special)[:, None] + FRACTIONS * size[:, :, None]).reshape(len(sizes), -1)
    return np.sort(np.concatenate([np.tile(base, (len(sizes), 1)), base + size, close], axis=1), axis=1)


def _losses(p: np.ndarray, q: np.ndarray, spread: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        loss = np.clip(np.log(q) - np.log(p), -spread[:, None], spread[:, None])
    return np.where(p + q > EMPTY, loss, 0.0)


def _bins(groups: _Groups, loss: np.ndarray, rows: int, levels: int) -> tuple[np.ndarray, int]:
    """Integers of the cells, in steps chosen per row such that no sum reaches ``levels``; and the largest sum + 1."""
    low = loss.min(axis=1)
    extent = np.bincount(groups.owner, groups.count * (loss.max(axis=1) - low), rows)
    step = np.maximum(extent, 1e-300) / (levels - 1 - np.bincount(groups.owner, groups.count, rows))
    bins = np.rint((loss - low[:, None]) / step[groups.owner, None]).astype(np.int64)
    return bins, int(np.bincount(groups.owner, groups.count * bins.max(axis=1), rows).max()) + 1


def _sums(groups: _Groups, bins: np.ndarray, mass: np.ndarray, levels: int) -> np.ndarray:
    """Cumulated masses (rows, levels + 1) of the sums of all coordinates' integers."""
    flat = bins + levels * np.arange(len(bins))[:, None]
    alone = np.bincount(flat.ravel(), mass.ravel(), levels * len(bins)).reshape(len(bins), levels)
    powers = fft.rfft(alone, axis=1) ** groups.count[:, None]
    starts = np.flatnonzero(np.diff(groups.owner, prepend=-1))
    together = fft.irfft(np.multiply.reduceat(powers, starts, axis=0), levels, axis=1)
    kept = np.cumsum(together, axis=1)
    return np.concatenate([np.zeros((len(kept), 1)), np.maximum.accumulate(kept, axis=1)], axis=1)
