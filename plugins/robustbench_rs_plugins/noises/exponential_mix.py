"""Noise between Laplace and Gaussian, by the exponent (UniCR, Hong et al. 2022)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field
from scipy.special import erfcx, ndtr

from robustbench_rs.api import Noise, NoiseParams, hookimpl
from robustbench_rs_plugins.noises.even import EvenNoise

if TYPE_CHECKING:
    import torch

FARTHEST = 30.0
"""Standard deviations from which a normal tail is inverted; beyond, its mass leaves the range of float64."""
FRACTIONS = 400
"""Depth of the continued fraction; its error is below exp(-4 m sqrt(2 FRACTIONS)), and m >= 1 where it is used."""


class ExponentialMix(EvenNoise):
    """Independent coordinates with density proportional to exp(-weight abs(x / scale) - (1 - weight) (x / scale)^2).

    weight = 1 is Laplace noise, weight = 0 Gaussian noise with sigma = scale / sqrt(2). Log-concave for every weight.
    """

    name = "exponential-mix"
    log_concave = True
    continuous = True
    relative_error = 2.0**-47

    class Params(NoiseParams):
        """``weight``: of the linear part of the exponent."""

        weight: float = Field(ge=0, le=1, description="of abs(x); the rest, of x^2; 0: Gaussian, 1: Laplace")

    params: Params

    @property
    def _square(self) -> float:
        return 1 - self.params.weight

    @property
    def _start(self) -> float:
        """m: abs(Z) is a normal variable beyond m of its standard units of erfc, where there is a square at all."""
        return self.params.weight / (2 * math.sqrt(self._square))

    @property
    def log_normaliser(self) -> float:
        """ln of sqrt(pi / c) erfcx(m), c = 1 - weight and m = weight / (2 sqrt(c))."""
        if self._square == 0:
            return math.log(2)
        return float(np.log(math.sqrt(math.pi / self._square) * erfcx(self._start)))

    @property
    def fisher_information(self) -> float:  # type: ignore[override]
        """E[score'] = 2c + 2 weight q(0), by parts; the second term is the score's jump at 0."""
        return 2 * self._square + 2 * self.params.weight * math.exp(-self.log_normaliser)

    @property
    def std(self) -> float:
        """sqrt(2 y_2 / (c y_0)), with y_n = exp(m^2) times the n-th iterated integral of erfc at m."""
        if self._square == 0:
            return math.sqrt(2)
        first, second = _integral_ratios(self._start)
        return math.sqrt(2 * first * second / self._square)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        size = np.abs(np.asarray(z, dtype=np.float64))
        if self._square == 0:
            return -size
        with np.errstate(over="ignore"):
            return np.asarray(-size * (self.params.weight + self._square * size))

    def score(self, z: np.ndarray) -> np.ndarray:
        z = np.asarray(z, dtype=np.float64)
        if self._square == 0:
            return np.asarray(np.sign(z))
        with np.errstate(over="ignore"):
            return np.asarray(self.params.weight * np.sign(z) + 2 * self._square * z)

    def upper_tail(self, z: np.ndarray) -> np.ndarray:
        z = np.asarray(z, dtype=np.float64)
        if self._square == 0:
            return np.asarray(0.5 * np.exp(-z))
        ratio = erfcx(math.sqrt(self._square) * z + self._start) / erfcx(self._start)
        return np.asarray(0.5 * np.exp(self.log_density(z)) * ratio)

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        """abs(Z) is (N - s) / sqrt(2c) of a normal variable N beyond s = sqrt(2) m, whose upper tail is inverted.

        By the base's table where s is large, that is for a weight within about 5e-4 of 1.
        """
        import torch

        from robustbench_rs.api.draws import rounded, signed_tail

        if self._square == 0 or math.sqrt(2) * self._start > FARTHEST:
            return super().sample(shape, generator, device, dtype)
        start = math.sqrt(2) * self._start
        tail = signed_tail(shape, generator, device)
        size = torch.special.ndtri(tail.abs().mul_(2 * float(ndtr(-start)))).add_(start).clamp_(max=0.0)
        return rounded(torch.copysign(size, tail).div_(-math.sqrt(2 * self._square)), self.scale, device, dtype)


def _integral_ratios(m: float) -> tuple[float, float]:
    """(y_1 / y_0, y_2 / y_1) of the iterated integrals of erfc, from 2n y_n = y_(n-2) - 2m y_(n-1) (DLMF 7.18.7)."""
    if m < 1:
        first = 1 / (math.sqrt(math.pi) * float(erfcx(m))) - m
        return first, (1 / first - 2 * m) / 4
    ratio = 0.0
    for n in range(FRACTIONS, 2, -1):
        ratio = 1 / (2 * m + 2 * n * ratio)
    return 1 / (2 * m + 4 * ratio), ratio


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [ExponentialMix]
