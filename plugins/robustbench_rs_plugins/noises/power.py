"""What the norm-radial families of power law share: their law and score. No plugin by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from robustbench_rs.api import NoiseParams, RadialNoise
from robustbench_rs.statistics.radial import BetaPrimeNorm, NormLaw


class PowerParams(NoiseParams):
    """Density proportional to (1 + rho)^-a in z = x / scale, rho = norm of z."""

    a: float = Field(gt=1, description="power of the density; above the number of input coordinates")


class PowerNoise(RadialNoise):
    """rho / (1 + rho) has the beta law (d, a - d). The score falls from a to 0."""

    Params = PowerParams
    params: PowerParams
    continuous = True

    def log_radial(self, rho: np.ndarray) -> np.ndarray:
        return np.asarray(-self.params.a * np.log1p(rho))

    def norm_law(self, dim: int) -> BetaPrimeNorm:
        if self.params.a <= dim:
            raise ValueError(
                f"{self.name} noise in {dim} dimensions needs a above {dim}: with a = {self.params.a:g} its density"
                " has no integral"
            )
        return BetaPrimeNorm(float(dim), self.params.a - dim)

    def score(self, rho: np.ndarray) -> np.ndarray:
        return np.asarray(self.params.a / (1.0 + np.asarray(rho, dtype=np.float64)))

    def score_parts(self, dim: int) -> Sequence[tuple[float, NormLaw]]:
        """T = 1 / (1 + rho) has the beta law (a - d, d), of mean (a - d) / a; tilted by T it is (a - d + 1, d)."""
        law = self.norm_law(dim)
        return [(law.b, BetaPrimeNorm(law.a, law.b + 1))]
