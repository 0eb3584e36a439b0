"""A mixture of Gaussian and Laplace noise, coordinate by coordinate (UniCR, Hong et al. 2022)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field
from scipy.special import expit, lambertw, ndtr

from robustbench_rs.api import Noise, NoiseParams, hookimpl
from robustbench_rs_plugins.noises.even import EvenNoise

if TYPE_CHECKING:
    import torch

ROOT = math.sqrt(2 * math.pi)
LOG_TINY = -700.0
"""ln of a share of the density that is as good as none."""


class GaussianLaplaceMixture(EvenNoise):
    """Independent coordinates with density weight Laplace + (1 - weight) Gaussian, both of the given scale.

    sigma = scale sqrt(1 + weight). Not log-concave for a weight strictly between 0 and 1: the tails are Laplace's, so
    that the score comes back down to 1 / scale from above.
    """

    name = "gaussian-laplace-mixture"
    continuous = True
    log_normaliser = 0.0
    relative_error = 2.0**-47

    class Params(NoiseParams):
        """``weight``: of the Laplace part."""

        weight: float = Field(ge=0, le=1, description="share of the Laplace part; 0: Gaussian, 1: Laplace")

    params: Params

    @property
    def log_concave(self) -> bool:  # type: ignore[override]
        return self.params.weight in (0.0, 1.0)

    @property
    def score_turns(self) -> tuple[float, ...] | None:  # type: ignore[override]
        """The jump at 0, and the score's one maximum on z > 0 with its mirror image.

        With l and g the two parts of the density there and z > 0, score' = g / (l + g) (1 - l (z - 1)^2 / (l + g)), and
        g / l = c exp(1/2 - y/2) with y = (z - 1)^2, c = (1 - weight) / weight sqrt(2 / pi). So the zeros have y - 1 =
        c exp(1/2 - y/2): one y > 1, that is y = 1 + 2 W(c/2) with Lambert's W, and of z = 1 +- sqrt(y) one is positive.
        """
        if self.log_concave:
            return None
        weight = self.params.weight
        turn = 1 + math.sqrt(1 + 2 * float(lambertw((1 - weight) / weight / ROOT).real))
        return (-turn, 0.0, turn)

    @property
    def fisher_information(self) -> float | None:  # type: ignore[override]
        """1 for either part alone; no formula between."""
        return 1.0 if self.log_concave else None

    @property
    def slope_variation(self) -> float:  # type: ignore[override]
        """At most those of the parts together: 2 for the Laplace density, 4 times the slope at 1 for the Gaussian."""
        weight = self.params.weight
        return 2 * weight + 4 * (1 - weight) * math.exp(-0.5) / ROOT

    @property
    def std(self) -> float:
        return math.sqrt(1 + self.params.weight)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        size = np.abs(np.asarray(z, dtype=np.float64))
        with np.errstate(divide="ignore", over="ignore"):
            laplace = np.log(self.params.weight / 2) - size
            gaussian = np.log((1 - self.params.weight) / ROOT) - 0.5 * np.square(size)
        return np.asarray(np.logaddexp(laplace, gaussian))

    def score(self, z: np.ndarray) -> np.ndarray:
        """The parts' scores, sign(z) and z, weighted with their shares of the density at z."""
        z, weight = np.asarray(z, dtype=np.float64), self.params.weight
        if weight == 0:
            return z
        with np.errstate(divide="ignore", over="ignore"):
            log_odds = np.log((1 - weight) / weight * 2 / ROOT) + np.abs(z) * (1 - np.abs(z) / 2)
        gaussian = np.where(log_odds > LOG_TINY, expit(log_odds), 0.0)
        return np.asarray(np.sign(z) + gaussian * (np.where(gaussian > 0, z, 0.0) - np.sign(z)))

    def upper_tail(self, z: np.ndarray) -> np.ndarray:
        weight = self.params.weight
        return np.asarray(weight / 2 * np.exp(np.negative(z)) + (1 - weight) * ndtr(np.negative(z)))

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        """A normal variable, times sqrt(2 E) with probability ``weight``: sqrt(2 E) N has the Laplace law.

        Of a uniform u below ``weight``, u / ``weight`` is uniform again, and gives the exponential E.
        """
        import torch

        from robustbench_rs.api.draws import place, rounded, standard_normal, uniform

        z = standard_normal(shape, generator, place(device), torch.float64)
        if self.params.weight > 0:
            share = uniform(shape, generator, z.device).div_(self.params.weight)
            stretch = share.log().mul_(-2.0).sqrt_()
            z.mul_(torch.where(share < 1, stretch, 1.0))
        return rounded(z, self.scale, device, dtype)


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [GaussianLaplaceMixture]
