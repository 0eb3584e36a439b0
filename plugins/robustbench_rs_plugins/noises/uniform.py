"""Uniform noise on a cube (Lee et al. 2019; Yang et al. 2020)."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from robustbench_rs.api import ClosedForm, Noise, ProductNoise, hookimpl
from robustbench_rs.statistics.rounding import certified, down, up

if TYPE_CHECKING:
    import torch


class Uniform(ProductNoise):
    """Independent coordinates, uniform on [-scale, scale]; sigma = scale / sqrt(3)."""

    name = "uniform"
    support = (-1.0, 1.0)
    symmetric = True
    unimodal = True
    log_concave = True
    std = 1.0 / math.sqrt(3.0)
    fisher_information = math.inf
    log_normaliser = math.log(2.0)
    quantile_error = 2.0**-52

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(np.where(np.abs(z) <= 1.0, 0.0, -np.inf))

    def score(self, z: np.ndarray) -> np.ndarray:
        return np.zeros(np.shape(z))

    def cdf(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(np.clip((1.0 + np.asarray(z, dtype=np.float64)) / 2, 0.0, 1.0))

    def sf(self, z: np.ndarray) -> np.ndarray:
        return self.cdf(np.negative(z))

    def quantile(self, p: np.ndarray) -> np.ndarray:
        return np.asarray(2.0 * np.asarray(p, dtype=np.float64) - 1.0)

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        from robustbench_rs.api.draws import uniform

        return uniform(shape, generator, device).mul_(2.0).sub_(1.0).mul_(self.scale).to(dtype).to(device)

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:
        """l1: scale (pA - pB). l_p, p >= 2 (l-inf too): 2 scale d^(1/p) (1 - (1 - (pA - pB)/2)^(1/d)). Both exact.

        A shift by delta keeps the share V = product of (1 - abs(delta_i) / (2 scale))_+ of the cube. The likelihood
        ratio is 1 on that share, 0 on the lost mass 1 - V, infinite on the new mass 1 - V. The worst region of the top
        class is the lost mass first: its probability falls to pA - (1 - V); the worst one of another class takes all of
        the new mass: it rises to pB + (1 - V). So delta is certified exactly when V > c, c = 1 - (pA - pB)/2 >= 1/2.
        With x_i = abs(delta_i) / (2 scale), the nearest uncertified shift has product of (1 - x_i) = c and

        - l1: product of (1 - x_i) >= 1 - sum of x_i (Weierstrass), with equality on an axis: sum of x_i = 1 - c;
        - p >= 2: y_i = -ln(1 - x_i) sum to -ln c <= ln 2, and (1 - exp(-y))^p is convex for y <= ln p, which covers
          them; by Jensen all y_i are equal: x_i = 1 - c^(1/d).

        Between 1 and 2 neither argument covers all pA; in one dimension all norms agree.
        """
        if norm != 1 and norm < 2 and dim != 1:
            return None
        source = "Lee et al. 2019; Yang et al. 2020" if norm in (1, math.inf) else "volume of the overlap of two cubes"
        return ClosedForm(partial(self._radius, norm, dim), source, upper=partial(self._upper, norm, dim))

    def _radius(self, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        return certified(down(self._exact(norm, dim, p_lower, p_upper)), p_lower, p_upper)

    def _upper(self, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        return certified(up(self._exact(norm, dim, p_lower, p_upper)), p_lower, p_upper)

    def _exact(self, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        gap = np.asarray(p_lower, dtype=np.float64) - np.asarray(p_upper, dtype=np.float64)
        if norm == 1:
            return np.asarray(self.scale * gap)
        each = -np.expm1(np.log1p(-np.clip(gap, 0.0, 1.0) / 2) / dim)
        return np.asarray(2.0 * self.scale * dim ** (0.0 if math.isinf(norm) else 1.0 / norm) * each)


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [Uniform]
