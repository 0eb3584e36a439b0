"""As :mod:`bend`, for noise whose density has a cusp, which has no such bound.

Let g_r(t) be what a shift r of one coordinate leaves of a class that had t; A = g_a and B = g_b for a < r < b. Let E_w
be the pair of laws P, uniform on [0, 1], and Q, with density (1 - w) A' + w B' and what is missing from 1 at a point of
its own. A and B are convex, so E_w leaves (1 - w) A + w B. Where this is at most g_r the coordinate tells no more than
E_w does (Blackwell), nor do n coordinates tell more than n copies of E_w.

What H is for n copies, at w: there kappa - dQ/dP is a polynomial in w at every point, and the positive part of a
function bends downwards only where the function does. So H bends downwards by at most E_Q(U_+),

    U = sum over i != j of rho_i rho_j,    rho = (B' - A') / ((1 - w) A' + w B'),

which has mean 0 and variance 2 n (n - 1) chi^2, chi = E_Q rho^2. Now chi = -J''(w), where J is the integral of
(1 - w) A' ln A' + w B' ln B' - C ln C, C = (1 - w) A' + w B', the point included. Together

    H_r <= (1 - w) H_a + w H_b + n sqrt((1 - 1/n) / 2) J(w).

Which w will do is seen at some r, exactly. Between two of these H of one coordinate bends downwards in r by at most V
of :mod:`cusp`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from robustbench_rs.statistics.coordinate import Coordinate
from robustbench_rs.statistics.tradeoff.account import Group, single
from robustbench_rs.statistics.tradeoff.bend import ROUNDING
from robustbench_rs.statistics.tradeoff.cells import TAIL, Outline, cut
from robustbench_rs.statistics.tradeoff.cusp import CuspBends

PARTS = 4
"""Into which a way from one shift to another is cut."""
LONGEST = 1.5
"""Largest b / a."""
RATIO = 0.05
"""Cells about both cusps grow by so much from one to the next: curves must be right relative to what they lose."""
NEAREST = (-16.0, -7.0)
"""Logarithms of where these cells begin, and of up to where they grow twice as much, in halves of the shift."""
SPENT = np.array([0.01, 0.03, 0.1, 0.3])
"""Of what may be lost, for tails in which curves are not right; the best one is taken."""
FAR_OFF = 4.0
"""Bounds that miss so many times more are not worth the rest of the work."""
KEPT = 256
"""Curves of one coordinate that are kept."""
SLACK = 2.0**-46
"""More than the rounding of what is summed and differenced here, per knot."""


class Blended(NamedTuple):
    """H_r <= (1 - w) H_first + w H_last + ``off`` for every kappa, with w = ``late`` + the share of the way to r, or w
    = 1 without ``off`` where that is larger."""

    late: float
    off: float


UNKNOWN = Blended(math.inf, math.inf)


class _Curve(NamedTuple):
    """Knots (n,) of convex, piecewise linear curves: below g_r, with its slopes (n - 1,), and above g_r.

    ``error``: of the latter at its ends, as a mass; ``steepest``: its largest finite slope.
    """

    p: np.ndarray
    left: np.ndarray
    slope: np.ndarray
    p_above: np.ndarray
    left_above: np.ndarray
    error: float
    steepest: float


class Blend:
    """The bounds of one law; it must be symmetric, unimodal and without jumps, and state its score."""

    def __init__(self, law: Coordinate) -> None:
        self._law = law
        self._curve = lru_cache(KEPT)(self._made)

    @property
    def known(self) -> bool:
        """Whether there are bounds for shifts that are close enough."""
        return self._bends is not None

    @property
    def curves(self) -> int:
        """How many curves of one coordinate were made so far: what all this costs."""
        return self._curve.cache_info().misses

    def alone(self, shift: Sequence[Group], first: float, last: float) -> float:
        """V of :mod:`cusp` for shifts of r times ``shift``; infinite where no bound is known, or several coordinates
        move."""
        if not 0 < first < last or sum(group.count for group in shift) > 1 or self._bends is None:
            return math.inf
        size = abs(shift[0].size)
        return size**2 * self._bends.between(size * first, size * last)

    def between(self, shift: Sequence[Group], first: float, last: float, fall: float, allowed: float) -> Blended:
        """For shifts of r times ``shift``, ``first`` <= r <= ``last``; infinite where no bound is known.

        ``fall``: about how far the lines fall that will be needed; ``allowed``: what ``off`` should be less than.
        """
        if not 0 < first < last <= LONGEST * first or self._bends is None:
            return UNKNOWN
        count = sum(group.count for group in shift)
        spent = SPENT * allowed / count  # by each coordinate
        off = 0.0
        for group in shift:
            sizes = abs(group.size) * np.array([first, last])
            ends = self._curve(float(sizes[0])), self._curve(float(sizes[1]))
            gap = _jensen_gap(*ends) * math.sqrt((1.0 - 1.0 / count) / 2.0)
            bend = (
                self._bends.between(sizes[0], sizes[1], ends[1].steepest) * ((sizes[1] - sizes[0]) / PARTS) ** 2 / 8.0
            )
            off += group.count * (gap + bend + ends[0].error + ends[1].error)
        if not off <= FAR_OFF * allowed:
            return UNKNOWN
        late = np.zeros(len(spent))
        for group in shift:
            sizes = abs(group.size) * (first + (last - first) * np.arange(PARTS + 1) / PARTS)
            late = np.maximum(late, _late([self._curve(size) for size in sizes.tolist()], spent))
        found = [
            Blended(*pair)
            for pair in zip(late.tolist(), (ROUNDING * (off + 2.0 * count * spent)).tolist(), strict=True)
        ]
        best = min(found, key=lambda each: each.late * fall + each.off)
        return best if math.isfinite(best.late + best.off) else UNKNOWN

    @cached_property
    def _farthest(self) -> float:
        return math.log(float(-self._law.quantile(np.array([TAIL]))[0]))

    @cached_property
    def _bends(self) -> CuspBends | None:
        law = self._law
        stated = law.symmetric and law.unimodal and law.continuous and law.score_turns is not None
        return CuspBends(law) if stated else None

    def _made(self, size: float) -> _Curve:
        near = size / 2 * np.exp(np.concatenate([np.arange(*NEAREST, 2 * RATIO), np.arange(NEAREST[1], 0.0, RATIO)]))
        far = np.arange(math.log(size / 2), max(self._farthest, math.log(size)), RATIO)
        beside = np.concatenate([near, -np.exp(far), -near])
        edges = np.unique(np.concatenate([beside, size - beside, [0.0, size / 2, size], self._law.score_turns or ()]))
        cells = cut(self._law, size, math.inf, Outline.at(self._law, size, edges))
        low, high = single(cells, optimistic=False), single(cells, optimistic=True)
        p = np.concatenate([[low.gone], low.gone + low.below_p]) + low.error_p
        left = np.concatenate([[0.0], low.below_q]) - low.error_q
        p_above = np.clip(np.concatenate([[0.0], high.gone + high.below_p, [1.0]]) - high.error_p, 0.0, 1.0)
        left_above = np.clip(np.concatenate([[0.0], high.below_q, high.below_q[-1:]]) + high.error_q, 0.0, 1.0)
        p_above[-1], left_above[0] = 1.0, 0.0
        slope = np.exp(low.losses)
        error = 8.0 * (high.error_p + high.error_q) + SLACK * len(p_above)
        return _Curve(p, left, slope, p_above, left_above, error, float(slope.max()))


def _late(curves: Sequence[_Curve], spent: np.ndarray) -> np.ndarray:
    """How far w must be ahead of the share of the way, everywhere on it, if so much is ``spent`` (m,)."""
    first, last = curves[0], curves[-1]
    spent = spent[:, np.newaxis]

    def ends(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        above = np.interp(p, first.p_above, first.left_above)
        return above, above - np.interp(p, last.p_above, last.left_above)

    lag = []
    for i, curve in enumerate(curves):
        p = np.clip(curve.p, 0.0, 1.0)
        above, fall = ends(p)
        lag.append(np.max(_share(above - np.interp(p, curve.p, curve.left) - spent, fall), axis=1) - i / PARTS)
    worst = np.full(len(spent), -math.inf)
    for i, pair in enumerate(pairwise(curves)):
        knots = [first.p_above, last.p_above, *(curve.p for curve in pair)]
        p = np.unique(np.clip(np.concatenate(knots), 0.0, 1.0))
        fall = ends(p)[1]
        one, other = (_largest(_off(*each, p), spent, fall) for each in (pair, pair[::-1]))
        # Lines of one slope at both ends lose a share of the one, lines of another slope the rest of the other.
        with np.errstate(divide="ignore"):
            both = np.where((one > 0) & (other > 0), 1.0 / (1.0 / one + 1.0 / other), 0.0)
        worst = np.maximum(worst, np.maximum(lag[i], lag[i + 1]) + np.max(both, axis=1))
    return worst


def _largest(off: np.ndarray, spent: np.ndarray, fall: np.ndarray) -> np.ndarray:
    """Largest shares between knots (m, n - 1): everything is straight there. ``off`` (2, n - 1) at both."""
    return np.asarray(np.maximum(_share(off[0] - spent, fall[:-1]), _share(off[1] - spent, fall[1:])))


def _share(missing: np.ndarray, fall: np.ndarray) -> np.ndarray:
    """The smallest share of ``fall`` that covers what is ``missing``; infinite where none does."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(fall > 0, missing / fall, np.where(missing > 0, math.inf, -math.inf))


def _off(one: _Curve, other: _Curve, p: np.ndarray) -> np.ndarray:
    """How far lines of the slope that ``one`` has between two ``p`` are below ``other``'s curve, at both (2, n - 1).

    ``p`` (n,): among them are the knots of both curves.
    """
    touch = np.searchsorted(other.slope, one.slope)
    offset = np.append(0.0, other.left[touch] - one.slope * other.p[touch])  # no slope: nothing is lost below the knots
    slopes = np.append(0.0, one.slope)
    cell = np.minimum(np.searchsorted(one.p, p[:-1], side="right"), len(one.slope))
    left = np.interp(p, other.p, other.left)
    return np.stack([left[:-1] - offset[cell] - slopes[cell] * p[:-1], left[1:] - offset[cell] - slopes[cell] * p[1:]])


def _jensen_gap(first: _Curve, last: _Curve) -> float:
    """At least the largest J(w), which is concave: the ends of the tangent at w = 1/2."""
    p = np.unique(np.concatenate([first.p_above, last.p_above]))
    width = np.append(np.diff(p), 1.0)  # the last one: the point of its own
    left = [np.interp(p, each.p_above, each.left_above) for each in (first, last)]
    a, b = (np.maximum(np.append(np.diff(each), 1.0 - each[-1]), 0.0) / width for each in left)
    middle = (a + b) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [np.where(each > 0, np.log(each), 0.0) for each in (a, b, middle)]
    gap = float(width @ ((a * logs[0] + b * logs[1]) / 2 - middle * logs[2]))
    slope = float(width @ (b * logs[1] - a * logs[0] - (b - a) * (logs[2] + 1.0)))
    return max(gap, 0.0) + abs(slope) / 2
