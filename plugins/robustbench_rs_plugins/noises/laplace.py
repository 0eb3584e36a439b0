"""Laplace noise (Teng et al. 2019; Yang et al. 2020, "Randomized smoothing of all shapes and sizes")."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from robustbench_rs.api import ClosedForm, Noise, ProductNoise, hookimpl
from robustbench_rs.statistics.rounding import certified, down, up

if TYPE_CHECKING:
    import torch


class Laplace(ProductNoise):
    """Independent coordinates with density exp(-abs(x) / scale) / (2 scale); sigma = sqrt(2) scale."""

    name = "laplace"
    symmetric = True
    unimodal = True
    log_concave = True
    continuous = True
    std = math.sqrt(2.0)
    fisher_information = 1.0
    log_normaliser = math.log(2.0)
    quantile_error = 2.0**-52

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(-np.abs(z))

    def score(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(np.sign(z), dtype=np.float64)

    def cdf(self, z: np.ndarray) -> np.ndarray:
        half = 0.5 * np.exp(-np.abs(z))
        return np.asarray(np.where(np.less(z, 0), half, 1.0 - half))

    def sf(self, z: np.ndarray) -> np.ndarray:
        return self.cdf(np.negative(z))

    def quantile(self, p: np.ndarray) -> np.ndarray:
        """ln(2p) below 1/2, -ln(2(1 - p)) above; near 1/2 precise relative to the value."""
        p = np.asarray(p, dtype=np.float64)
        tail = np.minimum(p, 1.0 - p)
        with np.errstate(divide="ignore"):
            size = np.where(tail < 0.25, -np.log(2.0 * tail), -np.log1p(2.0 * tail - 1.0))
        return np.asarray(np.copysign(size, p - 0.5))

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        """The difference of two independent exponential variables."""
        from robustbench_rs.api.draws import precise, standard_exponential

        first = standard_exponential(shape, generator, device, precise(dtype))
        return first.sub_(standard_exponential(shape, generator, device, precise(dtype))).mul_(self.scale).to(dtype)

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:
        """l1 (and every norm in one dimension): scale (F^-1(pA) - F^-1(pB)) / 2 = -scale ln(2(1 - pA)); exact."""
        if norm != 1 and dim != 1:
            return None
        return ClosedForm(self._radius, "Teng et al. 2019; Yang et al. 2020, Theorem 4.2", upper=self._upper)

    def _radius(self, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        z = down(self.quantile(p_lower)) - up(self.quantile(p_upper))
        return certified(self.scale / 2 * z, p_lower, p_upper)

    def _upper(self, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        z = up(self.quantile(p_lower)) - down(self.quantile(p_upper))
        return certified(self.scale / 2 * z, p_lower, p_upper)


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [Laplace]
