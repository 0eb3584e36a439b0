"""Between two radii of a table: only values that follow from curves of shorter shifts, never interpolated ones.

Let g_s be the trade-off curve of the shift of norm s along a ray (what is left to a class that had p). A shift of norm
r + s is one of norm s and then one of norm r, so g_(r + s) >= g_r(g_s(p)). Hence, with p*(r) the smallest pA that is
certified at r,

    pA is certified at r + s             if  g_s(pA) > p*(r),
    pA is *not* certified at r - t       if  g_r(pA) <= g_t(1/2),

the second because g_t(g_(r - t)(pA)) <= g_r(pA): if that is at most g_t(1/2), then g_(r - t)(pA) <= 1/2.
"""

from __future__ import annotations

import numpy as np

from robustbench_rs_plugins.solvers.neyman_pearson.curves import Curves, Row, not_enough
from robustbench_rs_plugins.solvers.neyman_pearson.lattice import Lattice


class Staircase:
    """Lattice radii between two rows of one ray, whose distance is a power of two.

    ``curves``: among its rows are all powers of two from the lattice's smallest radius to half the widest interval.
    """

    def __init__(self, curves: Curves, lattice: Lattice) -> None:
        self._curves = curves
        self._lattice = lattice
        self._row = {radius: i for i, radius in enumerate(curves.radius.tolist())}

    def enough(self, first: float, last: float, p_star: float) -> np.ndarray:
        """For each lattice radius r in [first, last): every pA above is certified at r. ``p_star``: at ``first``."""
        steps = np.array([p_star])
        for row in self.halvings(first, last):
            steps = _interleave(steps, self._curves.needed(row, steps))
        return steps

    def not_enough(self, first: float, last: float, end: Row) -> np.ndarray:
        """For each lattice radius r in (first, last]: no pA up to this is certified at r. ``end``: the row at it."""
        half = np.array([0.5])
        for row in self.halvings(first, last):
            half = _interleave(half, self._curves.left(row, half))
        found = not_enough(self._curves.edges, end.roof, half)
        found[0] = max(found[0], end.refuted)
        return found[::-1]

    def halvings(self, first: float, last: float) -> list[int]:
        """Rows of half the interval, a quarter, ..., one step of the lattice."""
        step, unit = last - first, self._lattice.unit_above(first)
        rows = []
        while step > unit:
            step /= 2
            rows.append(self._row[step])
        return rows


def _interleave(even: np.ndarray, odd: np.ndarray) -> np.ndarray:
    return np.stack([even, odd], axis=1).ravel()
