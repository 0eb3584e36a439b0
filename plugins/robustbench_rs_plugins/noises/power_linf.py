"""Noise with density (1 + |x|_inf / scale)^-a (Yang et al. 2020)."""

from __future__ import annotations

import math

from robustbench_rs.api import ClosedForm, Noise, hookimpl
from robustbench_rs_plugins.noises.flat import flat_l1
from robustbench_rs_plugins.noises.power import PowerNoise


class PowerLinf(PowerNoise):
    """Density proportional to (1 + |x|_inf / scale)^-a, a > d.

    sigma^2 = scale^2 (d + 1) (d + 2) / (3 (a - d - 1) (a - d - 2)), which exists for a > d + 2.
    """

    name = "power-linf"
    ball = math.inf

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:
        """l1: d scale (pA - pB) / (a - d), a lower bound (Yang et al. 2020): E[score] = a E[1 / (1 + rho)] = a - d."""
        return flat_l1(self, dim) if norm == 1 and self.problem(dim) is None else None


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [PowerLinf]
