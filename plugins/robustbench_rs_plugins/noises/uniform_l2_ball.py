"""Noise that is uniform in an l2 ball (Yang et al. 2020)."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from robustbench_rs.api import ClosedForm, Noise, RadialNoise, hookimpl
from robustbench_rs.statistics.radial import BallNorm, artanh_from_centre
from robustbench_rs.statistics.rounding import certified, down, up

SPHERE_MARGIN = 1e-12
"""Relative; ``artanh_from_centre`` was measured to err by less than 3e-14."""


class UniformL2Ball(RadialNoise):
    """Uniform in the l2 ball of radius ``scale``; sigma = scale / sqrt(d + 2)."""

    name = "uniform-l2-ball"
    ball = 2.0

    def log_radial(self, rho: np.ndarray) -> np.ndarray:
        return np.where(np.asarray(rho) <= 1.0, 0.0, -math.inf)

    def norm_law(self, dim: int) -> BallNorm:
        return BallNorm(dim)

    def closed_form(self, norm: float, dim: int) -> ClosedForm:
        """l2: 2 scale t, P(0 < Z < t) = (pA - pB) / 4, Z one coordinate of a point in the unit ball; exact.

        A shift of length r = |delta|_2 keeps the share V of the ball. The likelihood ratio is 1 on that share, 0 on the
        lost mass 1 - V, infinite on the new mass 1 - V. The worst region of the top class is the lost mass first: its
        probability falls to pA - (1 - V); the worst one of another class takes all of the new mass: it rises to
        pB + (1 - V). So delta is certified exactly when V > 1 - (pA - pB) / 2. The overlap of two balls consists of two
        equal caps: V = 2 P(Z > r / (2 scale)) = 1 - 2 P(0 < Z < r / (2 scale)).

        (1 + Z) / 2 has the beta law ((d + 1)/2, (d + 1)/2), the law of a coordinate on the unit sphere of R^(d + 2).
        V depends on |delta|_2 only, so that the other norms follow: the same radius for p <= 2, times d^(1/p - 1/2) for
        p > 2; all exact.
        """
        factor = 1.0 if norm <= 2 else dim ** ((0.0 if math.isinf(norm) else 1.0 / norm) - 0.5)
        exact = partial(self._exact, 2.0 * self.scale_in(dim) * factor, dim + 2)
        return ClosedForm(
            lambda p_lower, p_upper: certified(down(exact(p_lower, p_upper), SPHERE_MARGIN), p_lower, p_upper),
            "Yang et al. 2020, volume of the overlap of two balls",
            upper=lambda p_lower, p_upper: certified(up(exact(p_lower, p_upper), SPHERE_MARGIN), p_lower, p_upper),
        )

    @staticmethod
    def _exact(unit: float, n: int, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        gap = np.asarray(p_lower, dtype=np.float64) - np.asarray(p_upper, dtype=np.float64)
        return np.asarray(unit * np.tanh(artanh_from_centre(np.clip(gap, 0.0, 1.0) / 4, n)))


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [UniformL2Ball]
