"""What the exponential norm-radial families share: their law, their score, and one-dimensional closed forms.

No plugin by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from robustbench_rs.api import NoiseParams, RadialNoise
from robustbench_rs.statistics.radial import GammaNorm, NormLaw, OddPath
from robustbench_rs.statistics.radial.gamma_ratio import log_gamma_ratio
from robustbench_rs.statistics.rounding import MARGIN

LARGEST_LOG = 600.0


class ExponentialParams(NoiseParams):
    """Density proportional to rho^-j exp(-rho^k) in z = x / scale, rho = norm of z."""

    k: float = Field(default=1.0, gt=0, description="power of the norm in the exponent")
    j: float = Field(default=0.0, ge=0, description="power of the norm that divides; below the dimension")


class ExponentialNoise(RadialNoise):
    """rho^k has the gamma law of shape (d - j) / k: the sphere of radius rho has an area in rho^(d - 1)."""

    continuous = True

    @property
    def powers(self) -> tuple[float, float]:
        """(k, j)."""
        return getattr(self.params, "k"), getattr(self.params, "j", 0.0)  # noqa: B009

    @property
    def score_turns(self) -> tuple[float, ...]:  # type: ignore[override]
        """k rho^(k-1) + j / rho falls first and rises then, if both terms are there and k > 1."""
        k, j = self.powers
        return ((j / (k * (k - 1))) ** (1 / k),) if k > 1 and j > 0 else ()

    def log_radial(self, rho: np.ndarray) -> np.ndarray:
        k, j = self.powers
        with np.errstate(divide="ignore", over="ignore"):
            return np.asarray(-np.power(rho, k) - (j * np.log(rho) if j > 0 else 0.0))

    def norm_law(self, dim: int) -> GammaNorm:
        k, j = self.powers
        if j >= dim:
            raise ValueError(
                f"{self.name} noise in {dim} dimensions needs j below {dim}: with j = {j:g} its pole at 0"
                " has no integral"
            )
        if log_gamma_ratio((dim - j) / k, 2 / k) > LARGEST_LOG:
            raise ValueError(f"{self.name} noise with k = {k:g} is too large for floating point in {dim} dimensions")
        return GammaNorm((dim - j) / k, k)

    def score(self, rho: np.ndarray) -> np.ndarray:
        k, j = self.powers
        with np.errstate(divide="ignore", over="ignore"):
            return np.asarray(k * np.power(rho, k - 1) + (np.divide(j, rho) if j > 0 else 0.0))

    def score_parts(self, dim: int) -> Sequence[tuple[float, NormLaw]]:
        """E[rho^s; rho in A] is E[rho^s] times the mass of A under the law tilted by rho^s."""
        k, j = self.powers
        law = self.norm_law(dim)
        means = [(factor * law.moment(power), power) for factor, power in ((k, k - 1), (j, -1.0)) if factor > 0]
        return [(mean, law.tilted(power) if math.isfinite(mean) else law) for mean, power in means]

    def laplace_line(self, dim: int) -> OddPath:
        """The radii of Laplace noise of the same scale in one dimension: -scale ln(2 (1 - pA))."""
        return OddPath(self.scale_in(dim), _laplace_isf, MARGIN)


def _laplace_isf(q: np.ndarray) -> np.ndarray:
    """-ln(2 q), near q = 1/2 precise relative to its value."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.where(q < 0.25, -np.log(2.0 * q), -np.log1p(2.0 * q - 1.0)))
