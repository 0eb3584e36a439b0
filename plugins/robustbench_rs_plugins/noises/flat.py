"""The l1 radius of noise whose density depends on the l-inf norm. No plugin by itself."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from robustbench_rs.api import ClosedForm, RadialNoise
from robustbench_rs.statistics.rounding import certified, down

SCORE_MARGIN = 1e-12
"""Relative; moments by ``log_gamma_ratio`` err by less than 3e-16 (100 + steps ln d) where steps <= 100."""


def flat_l1(noise: RadialNoise, dim: int) -> ClosedForm | None:
    """R = dim scale (pA - pB) / E[score(rho)], a lower bound (Yang et al. 2020); None where that mean is infinite.

    The l1 unit ball has the vertices +-e_i. e_1 . grad psi is sign(x_1) score(rho) / scale where x_1 is the largest
    coordinate, which has probability 1 / dim, independent of rho and of the sign, and 0 elsewhere. So Phi(p) =
    sup over P(U) = p of E[1_U e_1 . grad psi] <= E[score(rho)] / (2 dim scale), which is reached for p >= 1 / (2 dim),
    and the integral of dp / Phi(p) from pB to pA, halved, is at least the above.
    """
    mean = math.fsum(weight for weight, _ in noise.score_parts(dim))
    if not math.isfinite(mean):
        return None
    radius = partial(_radius, dim * noise.scale_in(dim) / mean)
    return ClosedForm(radius, "Yang et al. 2020, density in |x|_inf, l1", exact=False)


def _radius(slope: float, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
    gap = np.asarray(p_lower, dtype=np.float64) - np.asarray(p_upper, dtype=np.float64)
    return certified(down(slope * gap, SCORE_MARGIN), p_lower, p_upper)
