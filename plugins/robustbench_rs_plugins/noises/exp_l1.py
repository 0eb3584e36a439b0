"""Noise with density exp(-(|x|_1 / scale)^k) (Yang et al. 2020)."""

from __future__ import annotations

from pydantic import Field

from robustbench_rs.api import ClosedForm, Noise, NoiseParams, hookimpl
from robustbench_rs_plugins.noises.exponential import ExponentialNoise


class ExpL1(ExponentialNoise):
    """Density proportional to exp(-(|x|_1 / scale)^k); Laplace noise is k = 1.

    sigma^2 = scale^2 2 / (d (d + 1)) Gamma((d + 2) / k) / Gamma(d / k).
    """

    name = "exp-l1"
    ball = 1.0

    class Params(NoiseParams):
        """Density proportional to exp(-rho^k) in z = x / scale, rho = |z|_1."""

        k: float = Field(default=1.0, gt=0, description="power of the norm in the exponent")

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:
        """l1 for k = 1 (Laplace noise): scale (F^-1(pA) - F^-1(pB)) / 2; exact. In one dimension every norm is l1."""
        if self.powers[0] != 1 or (norm != 1 and dim != 1):
            return None
        line = self.laplace_line(dim)
        return ClosedForm(line.radius, "Laplace noise: Teng et al. 2019", upper=line.upper)


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [ExpL1]
