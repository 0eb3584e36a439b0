"""As :mod:`bend`, for one coordinate only, but cusps do no harm.

Swapping P and Q and mirroring z gives H_r(kappa) = kappa - 1 + kappa H_r(1 / kappa), so for kappa >= 1

    H_r(kappa) = kappa - 1 + integral over y of (q(y) - kappa q(y + r))_+.

Unimodal q: the positive part is 0 but where z = y + r > r / 2, which is away from the cusp of the density that moves.
There it bends downwards by at most kappa q''(z)_+, and kappa is less than q(z - r) / q(z). So H_r bends downwards by
at most

    V = integral over z > r / 2 of the positive part of q''(z), times q(z - r) / q(z), or times the largest kappa up to
    which H_r is not straight, if that is less,

for kappa < 1, too, because what is integrated is at least q''(z)_+ there.
"""

from __future__ import annotations

import math

import numpy as np

from robustbench_rs.statistics.coordinate import Coordinate
from robustbench_rs.statistics.tradeoff.bend import ROUNDING, scores_inside

NEAREST, FARTHEST = 1e-12, 1e-30
"""The first edge of the cells looked at; the mass of the noise beyond the last one."""
CELLS = 2000


class CuspBends:
    """V of a law, which must be symmetric, unimodal and without jumps, and state where its score turns."""

    def __init__(self, law: Coordinate) -> None:
        turns = [turn for turn in law.score_turns or () if turn > 0]
        tail = float(-law.quantile(np.array([FARTHEST]))[0])
        edges = np.unique(np.concatenate([np.geomspace(NEAREST, tail, CELLS), turns]))
        score, density = scores_inside(law, edges), law.density(edges)
        slope = score * np.stack([density[:-1], density[1:]])  # -q'
        # How much -q' varies in a cell, on which the score is monotone; it falls by half of that and of what it ends
        # lower, and at the jump after the cell.
        change = np.maximum(density[:-1], density[1:]) * np.abs(np.diff(score, axis=0)[0])
        change += np.abs(score).max(axis=0) * np.abs(np.diff(density))
        lower = slope[0] - slope[1]
        jumps = np.append(slope[1, :-1] - slope[0, 1:], 0.0)
        self._rises = (np.maximum(change, np.abs(lower)) + lower) / 2 + np.maximum(jumps, 0.0)
        # Beyond the last edge the score falls, and so does q(z - r) / q(z); or nothing is known.
        falls = score[1, -1] <= score[0, -1] and max(turns, default=0.0) < edges[-1] / 2
        self._beyond = 2.0 * float(slope[1, -1]) if falls else math.inf
        self._law = law
        self._edges, self._density = edges, density

    def between(self, first: float, last: float, steepest: float = math.inf) -> float:
        """The largest V of shifts from ``first`` to ``last``; ``steepest``: for larger kappa H is straight."""
        edges = self._edges
        begin = int(np.searchsorted(edges, first / 2, side="right")) - 1
        if begin < 0 or last >= edges[-1] / 2:
            return math.inf
        low, high = edges[begin:-1], edges[begin + 1 :]
        nearest = np.maximum(np.maximum(first - high, low - last), 0.0)
        with np.errstate(divide="ignore"):
            ratio = self._law.density(nearest) / self._density[begin + 1 :]
        ratio = np.minimum(ratio, max(steepest, 1.0))
        return ROUNDING * float(ratio @ self._rises[begin:] + ratio[-1] * self._beyond)
