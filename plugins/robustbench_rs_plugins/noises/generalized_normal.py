"""Generalised normal noise (Yang et al. 2020, "Randomized smoothing of all shapes and sizes"; Zhang et al. 2020)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field
from scipy.special import gamma, gammaincc, gammainccinv, gammaincinv, gammaln

from robustbench_rs.api import Noise, NoiseParams, hookimpl
from robustbench_rs_plugins.noises.even import TAILS, EvenNoise

if TYPE_CHECKING:
    import torch

TINY = 1e-30
"""Below, the lower incomplete gamma function is its leading term x^a / Gamma(1 + a) to full precision."""


class GeneralizedNormal(EvenNoise):
    """Independent coordinates with density proportional to exp(-abs(x / scale)^beta).

    beta = 1 is Laplace noise, beta = 2 Gaussian noise with sigma = scale / sqrt(2), and large beta tends to uniform
    noise on [-scale, scale]. Log-concave for beta >= 1.
    """

    name = "generalized-normal"
    continuous = True
    relative_error = 2.0**-45

    class Params(NoiseParams):
        """``beta``: below 0.05 the tails leave the range of float32; above 1e4 take uniform noise."""

        beta: float = Field(ge=0.05, le=1e4, description="exponent; 1: Laplace, 2: Gaussian")

    params: Params

    @property
    def log_concave(self) -> bool:  # type: ignore[override]
        return self.params.beta >= 1

    @property
    def score_turns(self) -> tuple[float, ...] | None:  # type: ignore[override]
        """For beta < 1 the score falls on both sides of its pole at 0."""
        return None if self.log_concave else (0.0,)

    @property
    def fisher_information(self) -> float:  # type: ignore[override]
        """beta^2 Gamma(2 - 1/beta) / Gamma(1/beta); infinite for beta <= 1/2."""
        beta = self.params.beta
        if beta <= 0.5:
            return math.inf
        return float(beta**2 * np.exp(gammaln(2 - 1 / beta) - gammaln(1 / beta)))

    @property
    def std(self) -> float:
        """sqrt(Gamma(3/beta) / Gamma(1/beta))."""
        shape = 1 / self.params.beta
        return float(np.exp((gammaln(3 * shape) - gammaln(shape)) / 2))

    @property
    def log_normaliser(self) -> float:
        return math.log(2) + float(gammaln(1 + 1 / self.params.beta))

    def log_density(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.asarray(-(np.abs(z) ** self.params.beta))

    def score(self, z: np.ndarray) -> np.ndarray:
        z = np.asarray(z, dtype=np.float64)
        with np.errstate(all="ignore"):
            size = self.params.beta * np.abs(z) ** (self.params.beta - 1)
        return np.asarray(np.where(z == 0, 0.0, np.copysign(size, z)))

    @property
    def score_slope_turns(self) -> tuple[float, ...]:  # type: ignore[override]
        return (0.0,)

    def score_slope(self, z: np.ndarray) -> np.ndarray:
        """beta (beta - 1) abs(z)^(beta - 2)."""
        beta = self.params.beta
        with np.errstate(all="ignore"):
            return np.asarray(beta * (beta - 1) * np.abs(np.asarray(z, dtype=np.float64)) ** (beta - 2))

    def upper_tail(self, z: np.ndarray) -> np.ndarray:
        shape = 1 / self.params.beta
        z = np.asarray(z, dtype=np.float64)
        power = z**self.params.beta
        return np.asarray(0.5 * np.where(power < TINY, 1.0 - z / gamma(1 + shape), gammaincc(shape, power)))

    def upper_quantile(self, tail: np.ndarray) -> np.ndarray:
        """abs(Z)^beta has the gamma law of shape 1/beta."""
        shape = 1 / self.params.beta
        power = np.where(tail < TAILS, gammainccinv(shape, 2.0 * tail), gammaincinv(shape, 1.0 - 2.0 * tail))
        return np.asarray(np.where(power < TINY, (1.0 - 2.0 * tail) * gamma(1 + shape), power**shape))

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        """V G^(1/beta), V uniform on (-1, 1) and G of the gamma law of shape 1 + 1/beta.

        Given G, the density of z is 1 / (2 G^(1/beta)) where abs(z)^beta < G; so q(z) is proportional to the integral
        of g^(1/beta) exp(-g) g^(-1/beta) over g > abs(z)^beta, which is exp(-abs(z)^beta).
        """
        from robustbench_rs.api.draws import rounded, standard_gamma, uniform

        size = standard_gamma(1 + 1 / self.params.beta, shape, generator, device).pow_(1 / self.params.beta)
        return rounded(uniform(shape, generator, device).mul_(2.0).sub_(1.0).mul_(size), self.scale, device, dtype)

    def draws(self, count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
        """As :meth:`sample`, in numpy: the quantile takes microseconds for each value."""
        size = rng.standard_gamma(1 + 1 / self.params.beta, (count, dim)) ** (1 / self.params.beta)
        return np.asarray(self.scale * rng.uniform(-1.0, 1.0, (count, dim)) * size)


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [GeneralizedNormal]
