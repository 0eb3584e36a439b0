"""How sharply trade-off functions can bend as a shift gets longer: a proof for all lengths between two.

Let H_r(kappa) = E_P[(kappa - dQ_r/dP)_+] for the shift r v, so that g_r(p) >= kappa p - H_r(kappa) (the supporting
lines of :class:`TradeOff`). At every point x, kappa p(x + b r v) - p(x - (1 - b) r v) has a second derivative in r, and
the positive part of a function bends downwards only where the function does. So H_r bends downwards by at most
(1 - b)^2 m + b^2 kappa m,

    m = E(U_-) = E(U_+),  U = sum of v_i^2 q''/q(z_i) + sum over i != j of v_i v_j psi(z_i) psi(z_j),

whatever r, and b in [0, 1]: with the best b, H_r + m kappa / (1 + kappa) r^2 / 2 is convex in r. Of the first sum,
E(q''/q)_- is half the variation of the slope q'; for log-concave noise the sets {dQ/dP < kappa} are half-lines in every
coordinate, so that no more than the largest slope counts. The second sum has mean 0 and variance
2 I^2 ((sum v_i^2)^2 - sum v_i^4), I = E psi^2; where I is large or infinite, the scores beyond a point are split off
and bounded by their mean size, 2 q(point).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from robustbench_rs.statistics.coordinate import Coordinate
from robustbench_rs.statistics.tradeoff.account import Group

TAILS = np.geomspace(0.5, 1e-30, 4000)
NUDGE = 1e-12
"""Scores are looked at this share of a cell inside its edges, because they may jump there."""
ROUNDING = 1.0 + 1e-6
"""More than what nudged edges and float64 can take from the sums below."""


def bend(law: Coordinate, shift: Sequence[Group]) -> float:
    """m for shifts of r times ``shift``, r >= 0; infinite where no bound is known.

    One is known for symmetric unimodal noise without jumps whose score is stated, if it is log-concave or states its
    ``slope_variation``.
    """
    shaped = law.log_concave or (law.unimodal and law.score_turns is not None and law.slope_variation is not None)
    if not (law.symmetric and law.continuous and shaped):
        return math.inf
    square = math.fsum(group.count * group.size**2 for group in shift)
    fourth = min(math.fsum(group.count * group.size**4 for group in shift), square**2)
    total = math.fsum(group.count * abs(group.size) for group in shift)
    try:
        slopes, information, beyond = _scores(law)
    except NotImplementedError:  # a log-concave law need not state its score
        return math.inf
    if not len(information):
        return math.inf
    if sum(group.count for group in shift) == 1:
        return ROUNDING * square * slopes
    with np.errstate(over="ignore"):
        pairs = math.sqrt(2.0 * (square**2 - fourth)) * information
        pairs += 2.0 * total * beyond * np.sqrt(square * information) + np.square(total * beyond)
    return float(ROUNDING * (square * slopes + np.min(pairs) / 2))


def scores_inside(law: Coordinate, edges: np.ndarray) -> np.ndarray:
    """Just inside both ends of the cells between ``edges`` (n + 1,): (2, n)."""
    gap = np.diff(edges)
    with np.errstate(all="ignore"):
        return np.stack([law.score(edges[:-1] + NUDGE * gap), law.score(edges[1:] - NUDGE * gap)])


def _scores(law: Coordinate) -> tuple[float, np.ndarray, np.ndarray]:
    """E(q''/q)_-, or what stands in for it; and for points (n,) upwards from the middle: E[psi^2] within +-the point,
    and E abs(psi) beyond."""
    turns = [turn for turn in law.score_turns or () if turn > 0]
    edges = np.unique(np.concatenate([[0.0], -law.quantile(TAILS), turns]))
    edges = edges[np.isfinite(edges) & (edges >= 0)]
    largest, density = np.abs(scores_inside(law, edges)).max(axis=0), law.density(edges)
    information = 2.0 * np.cumsum(largest * np.maximum(density[:-1] - density[1:], 0.0))
    known = np.isfinite(information)
    slopes = law.slope_variation / 2 if law.slope_variation is not None else math.inf
    if law.log_concave:
        slopes = min(slopes, float(np.max(largest * density[:-1])))
    return slopes, information[known], 2.0 * density[1:][known]
