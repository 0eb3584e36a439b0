"""Logistic noise (UniCR, Hong et al. 2022, lists it among the families to certify)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from robustbench_rs.api import Noise, hookimpl
from robustbench_rs_plugins.noises.even import TAILS, EvenNoise

if TYPE_CHECKING:
    import torch


class Logistic(EvenNoise):
    """Independent coordinates with density sech^2(x / (2 scale)) / (4 scale); sigma = pi scale / sqrt(3)."""

    name = "logistic"
    log_concave = True
    continuous = True
    std = math.pi / math.sqrt(3.0)
    fisher_information = 1.0 / 3.0
    log_normaliser = 0.0
    relative_error = 2.0**-50

    def log_density(self, z: np.ndarray) -> np.ndarray:
        size = np.abs(np.asarray(z, dtype=np.float64))
        return np.asarray(-size - 2.0 * np.log1p(np.exp(-size)))

    def score(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(np.tanh(np.asarray(z, dtype=np.float64) / 2))

    def upper_tail(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(expit(-np.asarray(z, dtype=np.float64)))

    def upper_quantile(self, tail: np.ndarray) -> np.ndarray:
        """ln((1 - tail) / tail) = 2 artanh(1 - 2 tail)."""
        far = np.log1p(-tail) - np.log(tail)
        return np.asarray(np.where(tail < TAILS, far, 2.0 * np.arctanh(1.0 - 2.0 * tail)))

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        from robustbench_rs.api.draws import rounded, uniform

        return rounded(uniform(shape, generator, device).logit_(), self.scale, device, dtype)


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [Logistic]
