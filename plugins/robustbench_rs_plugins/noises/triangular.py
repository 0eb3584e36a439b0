"""Triangular noise: the sum of two uniform variables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from robustbench_rs.api import Noise, hookimpl
from robustbench_rs_plugins.noises.even import EvenNoise

if TYPE_CHECKING:
    import torch


class Triangular(EvenNoise):
    """Independent coordinates with density max(0, 1 - abs(x) / scale) / scale; sigma = scale / sqrt(6)."""

    name = "triangular"
    support = (-1.0, 1.0)
    log_concave = True
    continuous = True
    std = 1.0 / math.sqrt(6.0)
    fisher_information = math.inf
    log_normaliser = 0.0
    relative_error = 2.0**-51

    def log_density(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log1p(-np.minimum(np.abs(z), 1.0)))

    def score(self, z: np.ndarray) -> np.ndarray:
        """sign(z) / (1 - abs(z)) inside the support."""
        z = np.asarray(z, dtype=np.float64)
        with np.errstate(divide="ignore"):
            return np.asarray(np.sign(z) / (1.0 - np.minimum(np.abs(z), 1.0)))

    def upper_tail(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(0.5 * np.square(1.0 - np.minimum(z, 1.0)))

    def upper_quantile(self, tail: np.ndarray) -> np.ndarray:
        """1 - sqrt(2 tail), without cancellation near 0."""
        return np.asarray((1.0 - 2.0 * tail) / (1.0 + np.sqrt(2.0 * tail)))

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        """The difference of two uniform variables."""
        from robustbench_rs.api.draws import rounded, uniform

        first = uniform(shape, generator, device)
        return rounded(first.sub_(uniform(shape, generator, device)), self.scale, device, dtype)


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [Triangular]
