"""Noise with density |x|_inf^-j exp(-(|x|_inf / scale)^k) (Yang et al. 2020)."""

from __future__ import annotations

import math

from robustbench_rs.api import ClosedForm, Noise, hookimpl
from robustbench_rs_plugins.noises.exponential import ExponentialNoise, ExponentialParams
from robustbench_rs_plugins.noises.flat import flat_l1


class ExpLinf(ExponentialNoise):
    """Density proportional to |x|_inf^-j exp(-(|x|_inf / scale)^k), 0 <= j < d.

    sigma^2 = scale^2 (d + 2) / (3 d) Gamma((d - j + 2) / k) / Gamma((d - j) / k).
    """

    name = "exp-linf"
    ball = math.inf
    Params = ExponentialParams

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:
        """l-inf for k = 1, j = 0: scale (G(pA) - G(pB)) / 2, G(p) = -ln(2 (1 - p)) for p >= 1/2, odd about 1/2; exact.

        Let M = max x_i, m = max(-x_i), D = (M - m) / 2. A shift by t (1, ..., 1) shifts D by t, and D has the Laplace
        law of the same scale: on {D >= s}, s >= 0, |x|_inf = M, and y = x - s (1, ..., 1) has M_y - m_y = 2 (D - s)
        >= 0 and |y|_inf = |x|_inf - s, so that P(D >= s) = exp(-s / scale) P(D >= 0). A classifier that looks at D
        only therefore has Laplace's radius in this direction; and no shift does worse, because the density changes by
        a factor of at most exp(|delta|_inf / scale): p <= 1/2 grows at a rate of at most p / scale.

        l1: dim scale (pA - pB) / E[score] (Yang et al. 2020), a lower bound; see :func:`flat_l1`.
        """
        if self.problem(dim) is not None:
            return None
        if self.powers == (1.0, 0.0) and (math.isinf(norm) or dim == 1):
            line = self.laplace_line(dim)
            return ClosedForm(line.radius, "Yang et al. 2020, exp(-|x|_inf / scale), l-inf", upper=line.upper)
        return flat_l1(self, dim) if norm == 1 else None


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [ExpLinf]
