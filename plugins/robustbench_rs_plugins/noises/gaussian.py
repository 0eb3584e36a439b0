"""Gaussian noise (Cohen et al. 2019, "Certified adversarial robustness via randomized smoothing")."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from robustbench_rs.api import ClosedForm, Noise, ProductNoise, hookimpl
from robustbench_rs.statistics.normal import normal_quantile_down, normal_quantile_up
from robustbench_rs.statistics.rounding import certified

if TYPE_CHECKING:
    import torch


class Gaussian(ProductNoise):
    """Independent normal coordinates; ``scale`` and ``sigma`` mean the same."""

    name = "gaussian"
    symmetric = True
    unimodal = True
    log_concave = True
    continuous = True
    std = 1.0
    fisher_information = 1.0
    log_normaliser = math.log(2 * math.pi) / 2
    quantile_error = 2.0**-52

    def log_density(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.asarray(-0.5 * np.square(z))

    def score(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(z, dtype=np.float64)

    def cdf(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(ndtr(z))

    def sf(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(ndtr(np.negative(z)))

    def quantile(self, p: np.ndarray) -> np.ndarray:
        return np.asarray(ndtri(p))

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        from robustbench_rs.api.draws import precise, standard_normal

        return standard_normal(shape, generator, device, precise(dtype)).mul_(self.scale).to(dtype)

    def closed_form(self, norm: float, dim: int) -> ClosedForm:
        """sigma (Phi^-1(pA) - Phi^-1(pB)) / 2 for p <= 2, times d^(1/p - 1/2) for p > 2; exact for every norm.

        l2 is Cohen et al. 2019, Theorem 1. For p < 2 a ball lies in the l2 ball of the same radius and touches it
        on the axes; for p > 2 the l2 norm of a shift is at most d^(1/2 - 1/p) times its l_p norm, with equality at a
        corner, and the worst case for a shift depends on its l2 norm only.
        """
        factor = 1.0 if norm <= 2 else dim ** ((0.0 if math.isinf(norm) else 1.0 / norm) - 0.5)
        source = "Cohen et al. 2019, Theorem 1" + ("" if norm == 2 else ", and the inclusion of the balls")
        return ClosedForm(partial(self._radius, factor), source, upper=partial(self._upper, factor))

    def _radius(self, factor: float, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        z = normal_quantile_down(p_lower) - normal_quantile_up(p_upper)
        return certified(self.scale * factor / 2 * z, p_lower, p_upper)

    def _upper(self, factor: float, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        z = normal_quantile_up(p_lower) - normal_quantile_down(p_upper)
        return certified(self.scale * factor / 2 * z, p_lower, p_upper)


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [Gaussian]
