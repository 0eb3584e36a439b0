"""Hyperbolic secant noise (UniCR, Hong et al. 2022, lists it among the families to certify)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from robustbench_rs.api import Noise, hookimpl
from robustbench_rs_plugins.noises.even import TAILS, EvenNoise

if TYPE_CHECKING:
    import torch


class HyperbolicSecant(EvenNoise):
    """Independent coordinates with density sech(x / scale) / (pi scale); sigma = pi scale / 2."""

    name = "hyperbolic-secant"
    log_concave = True
    continuous = True
    std = math.pi / 2
    fisher_information = 0.5
    log_normaliser = math.log(math.pi)
    relative_error = 2.0**-50

    def log_density(self, z: np.ndarray) -> np.ndarray:
        size = np.abs(np.asarray(z, dtype=np.float64))
        with np.errstate(over="ignore"):
            return np.asarray(math.log(2.0) - size - np.log1p(np.exp(-2.0 * size)))

    def score(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(np.tanh(np.asarray(z, dtype=np.float64)))

    def upper_tail(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(2.0 / math.pi * np.arctan(np.exp(-np.asarray(z, dtype=np.float64))))

    def upper_quantile(self, tail: np.ndarray) -> np.ndarray:
        """-ln tan(pi tail / 2) = arsinh(tan(pi (1/2 - tail)))."""
        far = -np.log(np.tan(math.pi / 2 * tail))
        return np.asarray(np.where(tail < TAILS, far, np.arcsinh(np.tan(math.pi * (0.5 - tail)))))

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        """ln tan(pi u / 2); above 1/2 by its negative at 1 - u, for the tail's sake."""
        import torch

        from robustbench_rs.api.draws import rounded, signed_tail

        tail = signed_tail(shape, generator, device)
        size = tail.abs().mul_(math.pi / 2).tan_().log_()
        return rounded(torch.copysign(size, tail).neg_(), self.scale, device, dtype)


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [HyperbolicSecant]
