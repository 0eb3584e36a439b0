"""Cauchy noise: no mean, no variance, and yet certificates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from robustbench_rs.api import Noise, hookimpl
from robustbench_rs_plugins.noises.even import TAILS, EvenNoise
from robustbench_rs_plugins.noises.student_t import log1p_square

if TYPE_CHECKING:
    import torch


class Cauchy(EvenNoise):
    """Independent coordinates with density 1 / (pi scale (1 + (x / scale)^2)); it has no standard deviation."""

    name = "cauchy"
    continuous = True
    score_turns = (-1.0, 1.0)
    score_slope_turns = (-math.sqrt(3.0), 0.0, math.sqrt(3.0))
    std = math.inf
    fisher_information = 0.5
    slope_variation = 1.5 * math.sqrt(3.0) / math.pi  # four times the slope at z = 1 / sqrt(3)
    log_normaliser = math.log(math.pi)
    relative_error = 2.0**-50

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -log1p_square(np.asarray(z, dtype=np.float64))

    def score(self, z: np.ndarray) -> np.ndarray:
        """2 z / (1 + z^2)."""
        z = np.asarray(z, dtype=np.float64)
        with np.errstate(divide="ignore", over="ignore"):
            return np.asarray(2.0 / (z + 1.0 / z))

    def score_slope(self, z: np.ndarray) -> np.ndarray:
        """2 (1 - z^2) / (1 + z^2)^2."""
        square = np.square(np.asarray(z, dtype=np.float64))
        with np.errstate(over="ignore"):
            return np.asarray(2.0 / (1.0 + square) * (2.0 / (1.0 + square) - 1.0))

    def upper_tail(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(np.arctan2(1.0, z) / math.pi)

    def upper_quantile(self, tail: np.ndarray) -> np.ndarray:
        return np.asarray(np.where(tail < TAILS, 1.0 / np.tan(math.pi * tail), np.tan(math.pi * (0.5 - tail))))

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        """tan(pi (u - 1/2)), written as -1 / tan(pi w) of the signed tail mass w, which is precise in both tails."""
        from robustbench_rs.api.draws import rounded, signed_tail

        z = signed_tail(shape, generator, device).mul_(-math.pi).tan_().reciprocal_()
        return rounded(z, self.scale, device, dtype)


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [Cauchy]
