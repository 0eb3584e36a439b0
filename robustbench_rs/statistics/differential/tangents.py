"""Upper bounds of Phi as the smallest of straight lines, and the exact integral of their reciprocal.

Phi(p) = sup over P(U) = p of E[1_U S] <= p tau + E(S - tau)_+ for every tau: each pair (tau, an upper bound of that
expectation) is a line above Phi, so that any choice of the tau gives a proved radius, and more of them a sharper one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from robustbench_rs.statistics.rounding import certified, down, up

Excess = Callable[[np.ndarray], np.ndarray]
"""tau (m,), each >= 0, to upper bounds (m,) of E(S - tau)_+; convex up to rounding."""

ROUNDING = 1e-12
"""Relative, of the radii: sums of up to ten thousand positive terms, each right to a few units in the last place."""
SMALLEST = 1e-16
"""Lines that are smallest only below this p are not refined."""
MAX_ROUNDS = 24
MAX_LINES = 6000


class TangentBound:
    """B(p) = min over i of p slopes_i + heights_i on [0, 1/2], with B(p) >= Phi(p); slopes (K,) >= 0, ascending."""

    def __init__(self, slopes: np.ndarray, heights: np.ndarray) -> None:
        self.slopes, self.heights = _lower_hull(slopes, heights)
        self._ends = np.concatenate([[0.5], np.clip(_crossings(self.slopes, self.heights), 0.0, 0.5)])
        """Line i is the smallest for p in [ends[i + 1], ends[i]], the last one down to 0."""
        pieces = self._piece(np.arange(len(self.slopes) - 1), self._ends[1:])
        self._sums = np.concatenate([[0.0], np.cumsum(pieces)])

    def __call__(self, p: np.ndarray) -> np.ndarray:
        """B(p), any shape."""
        line = self._line(np.asarray(p, dtype=np.float64))
        return np.asarray(self.slopes[line] * p + self.heights[line])

    def path(self, q: np.ndarray) -> np.ndarray:
        """Integral of dp / B(p) from q to 1/2, for q in [0, 1/2], any shape; relative error below ``ROUNDING``."""
        q = np.asarray(q, dtype=np.float64)
        line = self._line(q)
        return np.asarray(self._sums[line] + self._piece(line, q))

    def radii(self, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        """(G(pA) - G(pB)) / 2 for limits (m,), rounded down: G(p) = ``path(1 - p)`` for p >= 1/2, odd about 1/2."""
        with np.errstate(invalid="ignore"):  # inf - inf where both are 0 or 1, which is no certificate
            gain = down(self._odd(p_lower), ROUNDING) - up(self._odd(p_upper), ROUNDING)
        return certified(down(gain / 2), p_lower, p_upper)

    def _odd(self, p: np.ndarray) -> np.ndarray:
        p = np.asarray(p, dtype=np.float64)
        return np.asarray(np.copysign(self.path(np.minimum(p, 1.0 - p)), p - 0.5))

    def _line(self, q: np.ndarray) -> np.ndarray:
        """Which line is smallest at q."""
        return np.asarray(np.searchsorted(-self._ends, -q, side="left").clip(1) - 1)

    def _piece(self, line: np.ndarray, q: np.ndarray) -> np.ndarray:
        """Integral along a line from q to its upper end: ln(B(end) / B(q)) / slope; width / height if it is flat."""
        slope, height, end = self.slopes[line], self.heights[line], self._ends[line]
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = slope * (end - q) / (slope * q + height)
            level = np.where(end > q, (end - q) / np.where(height > 0, height, np.nan), 0.0)
            return np.where(slope > 0, np.log1p(gain) / slope, level)


def tangent_bound(excess: Excess, start: np.ndarray, tolerance: float) -> TangentBound:
    """Lines at the slopes ``start`` (ascending, from 0), and between them until B is within ``tolerance`` of its best.

    A line at the middle slope lowers B where its neighbours cross by the mean of their heights less its own.
    """
    slopes = np.unique(start)
    heights = excess(slopes)
    fresh = np.ones(len(slopes) - 1, dtype=bool)
    for _ in range(MAX_ROUNDS):
        left = np.flatnonzero(fresh)
        middle = (slopes[left] + slopes[left + 1]) / 2
        value = excess(middle)
        crossing = (heights[left] - heights[left + 1]) / (slopes[left + 1] - slopes[left])
        level = crossing * slopes[left] + heights[left]
        gain = (heights[left] + heights[left + 1]) / 2 - value
        worth = (gain > tolerance * level) & (crossing > SMALLEST)
        if not np.any(worth) or len(slopes) > MAX_LINES:
            break
        at = left[worth] + 1
        slopes, heights = np.insert(slopes, at, middle[worth]), np.insert(heights, at, value[worth])
        fresh = np.zeros(len(slopes) - 1, dtype=bool)
        new = at + np.arange(len(at))
        fresh[new - 1] = fresh[new] = True
    return TangentBound(slopes, heights)


def _crossings(slopes: np.ndarray, heights: np.ndarray) -> np.ndarray:
    return np.asarray((heights[:-1] - heights[1:]) / np.diff(slopes))


def _lower_hull(slopes: np.ndarray, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lines that are smallest somewhere: the lower convex hull of the points (slope, height)."""
    kept: list[int] = []
    for i in range(len(slopes)):
        while len(kept) >= 2 and _above(slopes, heights, kept[-2], kept[-1], i):
            kept.pop()
        kept.append(i)
    return slopes[kept], heights[kept]


def _above(slopes: np.ndarray, heights: np.ndarray, a: int, b: int, c: int) -> bool:
    """Point b lies on or above the chord from a to c."""
    rise = (heights[c] - heights[a]) * (slopes[b] - slopes[a])
    return bool((heights[b] - heights[a]) * (slopes[c] - slopes[a]) >= rise)
