"""Noise with density (1 + |x|_2 / scale)^-a: a power law in the l2 norm (after Yang et al. 2020)."""

from __future__ import annotations

from robustbench_rs.api import Noise, hookimpl
from robustbench_rs_plugins.noises.power import PowerNoise


class PowerL2(PowerNoise):
    """Density proportional to (1 + |x|_2 / scale)^-a, a > d.

    sigma^2 = scale^2 (d + 1) / ((a - d - 1) (a - d - 2)), which exists for a > d + 2.
    """

    name = "power-l2"
    ball = 2.0


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [PowerL2]
