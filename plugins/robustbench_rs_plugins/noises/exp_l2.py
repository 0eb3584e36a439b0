"""Noise with density |x|_2^-j exp(-(|x|_2 / scale)^k) (Yang et al. 2020, "Randomized smoothing of all shapes")."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from scipy.special import ndtri

from robustbench_rs.api import ClosedForm, Noise, hookimpl
from robustbench_rs.statistics.radial import OddPath, artanh_from_tail
from robustbench_rs.statistics.rounding import MARGIN
from robustbench_rs_plugins.noises.exponential import ExponentialNoise, ExponentialParams

SPHERE_MARGIN = 1e-12
"""Relative; ``artanh_from_tail`` was measured to err by less than 3e-14."""


class ExpL2(ExponentialNoise):
    """Density proportional to |x|_2^-j exp(-(|x|_2 / scale)^k), 0 <= j < d; Gaussian noise is k = 2, j = 0.

    sigma^2 = scale^2 Gamma((d - j + 2) / k) / (d Gamma((d - j) / k)).
    """

    name = "exp-l2"
    ball = 2.0
    Params = ExponentialParams

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:
        """l2, for j = 0. k = 2: the Gaussian radius, exact. k = 1: a lower bound, scale (d - 1) (v(pA) - v(pB)) / 2.

        For k = 1 and a unit vector v, psi = -ln density has v . grad psi = W / scale, with W = v . x / |x|_2 one
        coordinate of a uniform point on the sphere, of density C (1 - w^2)^((d-3)/2). Hence Phi(p) = sup over P(U) = p
        of E[1_U W] / scale = E[W; W > c] / scale = C (1 - c^2)^((d-1)/2) / ((d - 1) scale), with P(W > c) = p. As
        dp = -C (1 - c^2)^((d-3)/2) dc, the integral of dp / Phi(p) from 1 - pA to 1/2 is scale (d - 1) artanh(c):
        v(p) is the artanh of the p-quantile of W. In one dimension the noise is Laplace: scale F^-1(pA), exact.

        What a shift does depends on its l2 norm only, so that the other norms follow: the same radius for p <= 2,
        times d^(1/p - 1/2) for p > 2.
        """
        if self.powers not in ((1.0, 0.0), (2.0, 0.0)) or self.problem(dim) is not None:
            return None
        path, source = self._l2(dim)
        if norm > 2:
            path = OddPath(path.unit * dim ** ((0.0 if math.isinf(norm) else 1.0 / norm) - 0.5), path.isf, path.margin)
        exact = self.powers[0] == 2 or dim == 1
        return ClosedForm(path.radius, source, exact=exact, upper=path.upper if exact else None)

    def _l2(self, dim: int) -> tuple[OddPath, str]:
        if self.powers[0] == 2:
            return OddPath(self.scale_in(dim) / math.sqrt(2.0), _normal_isf, MARGIN), "Cohen et al. 2019, Theorem 1"
        if dim == 1:
            return self.laplace_line(dim), "Laplace noise in one dimension"
        isf = partial(artanh_from_tail, n=dim)
        return OddPath(self.scale_in(dim) * (dim - 1), isf, SPHERE_MARGIN), "Yang et al. 2020, differential method"


def _normal_isf(q: np.ndarray) -> np.ndarray:
    return np.asarray(-ndtri(q))


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [ExpL2]
