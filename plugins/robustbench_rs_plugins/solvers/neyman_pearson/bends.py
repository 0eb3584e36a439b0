"""Between two radii of a table: interpolation with a proved bound of what it may miss.

Along a ray H_r(kappa) + m(kappa) r^2 / 2 is convex in the radius r, with m(kappa) = m kappa / (1 + kappa)
(:mod:`robustbench_rs.statistics.tradeoff.bend`). Between rows a < b it is thus at most the straight line between its
values there, so that

    H_r(kappa) <= ((b - r) H_a + (r - a) H_b) / (b - a) + m(kappa) (r - a) (b - r) / 2.

The same holds, with another m, if kappa moves evenly from the first row to ``ratio`` times as much at the last one
(:mod:`robustbench_rs.statistics.tradeoff.stretch`), and for one coordinate with yet another one
(:mod:`robustbench_rs.statistics.tradeoff.cusp`). All raise lines kappa p - H_r(kappa) below g_r: the mean of one line
of either row, less what may be missed. Where a cusp makes these m infinite or large, the line a little farther on is
enough, but for a constant (:mod:`robustbench_rs.statistics.tradeoff.blend`).

In the same way what one fixed classifier keeps at r has a second derivative of at most m. The worst one for the row b
keeps at most the optimistic g_b(p) there, and at least g_c(p) at any other row c; so much it keeps at most on the other
side of b, by extrapolation.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from robustbench_rs.statistics.coordinate import Coordinate
from robustbench_rs.statistics.tradeoff import Blend, Stretch, bend
from robustbench_rs_plugins.solvers.neyman_pearson.curves import ROUNDING, Row
from robustbench_rs_plugins.solvers.neyman_pearson.rays import Ray

PAYS = 120.0
"""A :class:`Blend` is worth its work where bounds by a second derivative would need so many rows per unit of ln r."""
ASIDE = np.array([-8, -4, -2, -1, 0, 1, 2, 4, 8])
"""Lines tried about the one that is best if the best one moves evenly from row to row."""


def lines_at(row: Row, slopes: np.ndarray) -> np.ndarray:
    """Intercepts of lines of ``slopes`` (j,) below the row's curve: they are concave in the slope."""
    order = np.argsort(row.slope, kind="stable")
    own, intercept = row.slope[order], row.intercept[order]
    beyond = np.maximum(slopes - own[-1], 0.0)  # a steeper line through the last one's end p = 1
    return np.asarray(np.interp(slopes, own, intercept) - beyond - 2 * ROUNDING * (slopes + 1.0))


class Bridge(NamedTuple):
    """Between two rows: m, the ratio of the slopes of the lines that are taken together, and whether m(kappa) is m
    kappa / (1 + kappa) (:mod:`bend`), or m (:mod:`stretch`). How far the share of the way that counts is ahead of that
    to the radius, and what else is missed (:mod:`blend`)."""

    bend: float
    ratio: float
    fixed: bool
    late: float = 0.0
    off: float = 0.0


def allowance(bend: float | np.ndarray, fixed: bool | np.ndarray, slope: float | np.ndarray) -> np.ndarray:
    """m(kappa) of a :class:`Bridge` for lines of ``slope`` at its first row, broadcast."""
    return np.asarray(bend * np.where(fixed, slope / (1.0 + slope), 1.0))


class Bridges:
    """The sharper bound for each interval along one ray."""

    def __init__(self, law: Coordinate, ray: Ray, stretch: Stretch, blend: Blend) -> None:
        self._shift = ray.shift(1.0)
        self._stretch = stretch
        self._blend = blend
        self.bend = bend(law, self._shift)

    @property
    def known(self) -> bool:
        """Whether there are bounds for intervals that are short enough."""
        return math.isfinite(self.bend) or self._blend.known

    def between(self, first: float, last: float, slope: float, fall: float, allowed: float) -> Bridge:
        """``slope``: of the line of the first row that will likely be needed, ``fall``: about how far it falls up to
        the last row; ``allowed``: about what may be missed."""
        width = last - first
        near = Bridge(self.bend, 1.0, fixed=True)
        far = Bridge(*self._stretch.between(self._shift, first, last), fixed=False)
        alone = Bridge(self._blend.alone(self._shift, first, last), 1.0, fixed=False)
        missed, best = min(
            (float(allowance(each.bend, each.fixed, slope)) * width**2 / 8, each) for each in (near, far, alone)
        )
        if math.isinf(near.bend) and missed * first**2 > (PAYS * width) ** 2 * allowed:  # a cusp
            late, off = self._blend.between(self._shift, first, last, fall, allowed)
            if late * fall + off < missed:
                return Bridge(0.0, 1.0, fixed=False, late=late, off=off)
        return best


def enough(first: Row, last: Row, share: np.ndarray, bridge: Bridge, width: float) -> np.ndarray:
    """Each pA above is certified at the radius that lies by ``share`` (n,) of the way from ``first`` to ``last``.

    ``width``: how far the rows are apart.
    """
    rising = first.slope > 0
    slope, near = first.slope[rising], first.intercept[rising]
    if not len(slope):
        return np.ones(len(share))
    far = lines_at(last, bridge.ratio * slope)
    best = [int(np.argmin((0.5 - line) / (kappa * slope))) for line, kappa in ((near, 1.0), (far, bridge.ratio))]
    middle = np.rint(best[0] + (best[1] - best[0]) * share).astype(np.intp)
    cell = np.clip(middle[:, np.newaxis] + ASIDE, 0, len(slope) - 1)
    near, far, slope, share = near[cell], far[cell], slope[cell], share[:, np.newaxis]
    missed = allowance(bridge.bend, bridge.fixed, slope) / 2 * width**2 * share * (1.0 - share) + bridge.off
    share = np.minimum(share + bridge.late, 1.0)
    lines = near + share * (far - near) - missed
    found = np.min((0.5 - lines) / (slope * (1.0 + share * (bridge.ratio - 1.0))), axis=1)
    return np.asarray(found * (1.0 + ROUNDING) + ROUNDING)


def not_enough(edges: np.ndarray, end: Row, beyond: Row, share: np.ndarray, missed: np.ndarray) -> np.ndarray:
    """No pA up to this is certified at a radius that is ``share`` (n,) times as far from ``end`` as ``beyond``, on the
    other side.

    ``missed``: m (b - r) (c - r) / 2 there (n,).
    """
    later = np.stack([np.maximum(beyond.slope * edge + beyond.intercept, 0.0) for edge in (edges[:-1], edges[1:])])

    def left(end_of: int, cell: np.ndarray) -> np.ndarray:
        """What is left at the begin (0) or end (1) of cells (n,)."""
        return np.asarray((1.0 + share) * end.roof[cell + end_of] - share * later[end_of, cell] + missed + ROUNDING)

    low, high = np.zeros(len(share), dtype=np.intp), np.full(len(share), len(edges) - 1)
    while np.any(high - low > 1):
        middle = (low + high) // 2
        holds = left(0, middle) <= 0.5
        low, high = np.where(holds, middle, low), np.where(holds, high, middle)
    begin, stop = left(0, low), left(1, low)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(stop <= 0.5, 1.0, np.clip((0.5 - begin) / (stop - begin), 0.0, 1.0))
    found = np.where(begin <= 0.5, edges[low] + part * (edges[low + 1] - edges[low]), 0.0)
    return np.asarray(np.maximum(found * (1.0 - ROUNDING) - ROUNDING, 0.0))
