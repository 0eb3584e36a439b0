"""Noise families: what is added to the input, and what is known of its law.

A family is written in the standard variable z = x / scale. With only a density, sampler, cdf and quantile have correct
defaults (:mod:`robustbench_rs.statistics.tabulated`); each may be overridden with an exact one. A fact that is not
claimed (``symmetric``, ``unimodal``, ``log_concave``) is not used.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from robustbench_rs.api.component import Component, Params

if TYPE_CHECKING:
    import torch

    from robustbench_rs.statistics.tabulated import TabulatedLaw


@dataclass(frozen=True)
class ClosedForm:
    """A radius by formula: ``radius(p_lower, p_upper)`` maps limits (m,) to radii (m,) in input units, rounded down.

    ``exact``: the largest radius that holds for every classifier (else a proved lower bound of it). ``source``: the
    theorem. ``upper``: the same limits to a value that the true radius is known not to exceed, None when none is known.
    """

    radius: Callable[[np.ndarray, np.ndarray], np.ndarray]
    source: str
    exact: bool = True
    guarantee: Literal["proved", "searched", "estimated"] = "proved"
    upper: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None


class NoiseParams(Params):
    """Exactly one of ``scale`` (of the standard variable) and ``sigma`` (standard deviation per coordinate)."""

    scale: float | None = Field(default=None, gt=0)
    sigma: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _exactly_one(self) -> NoiseParams:
        if (self.scale is None) == (self.sigma is None):
            raise ValueError("give exactly one of 'scale' and 'sigma'")
        return self


class Noise(Component):
    """Any noise law on the input space."""

    kind: ClassVar[str] = "noise"
    Params: ClassVar[type[Params]] = NoiseParams

    @property
    def sigma(self) -> float | None:
        """Standard deviation per coordinate, in input units; None where it does not exist."""
        return None

    @abstractmethod
    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        """Independent draws: ``shape`` is (draws, \\*input shape). All randomness comes from ``generator``."""

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:  # noqa: ARG002
        """The closed-form radius in this norm and dimension, None where there is no theorem."""
        return None


class ProductNoise(Noise):
    """Noise with independent, identically distributed coordinates x = scale * z.

    ``support`` is that of z. ``symmetric``: about 0. The methods below are about z, in float64.
    """

    support: tuple[float, float] = (-math.inf, math.inf)
    symmetric: bool = False
    unimodal: bool = False
    log_concave: bool = False

    def __init__(self, params: Params | None = None) -> None:
        super().__init__(params)
        sigma = getattr(self.params, "sigma", None)
        if sigma is not None and not math.isfinite(self.std):
            raise ValueError(f"{self.name} noise has no finite standard deviation: give 'scale' instead of 'sigma'")

    @abstractmethod
    def log_density(self, z: np.ndarray) -> np.ndarray:
        """Log density of z, float64, any shape; the additive constant may be missing; -inf where it vanishes."""

    @cached_property
    def law(self) -> TabulatedLaw:
        """The numerical law behind the defaults, tabulated once from ``log_density``."""
        from robustbench_rs.statistics.tabulated import TabulatedLaw

        return TabulatedLaw(self.log_density, self.support)

    @cached_property
    def scale(self) -> float:
        """x / z, in input units."""
        given: float | None = getattr(self.params, "scale", None)
        return given if given is not None else getattr(self.params, "sigma") / self.std  # noqa: B009

    @property
    def sigma(self) -> float | None:
        given: float | None = getattr(self.params, "sigma", None)
        if given is not None:
            return given
        return self.scale * self.std if math.isfinite(self.std) else None

    @property
    def std(self) -> float:
        """Standard deviation of z; infinite where it does not exist."""
        return self.law.std

    @property
    def quantile_error(self) -> float:
        """``quantile(p)`` lies between the true quantiles of p - error and p + error."""
        return self.law.u_error

    def cdf(self, z: np.ndarray) -> np.ndarray:
        """P(Z <= z)."""
        return self.law.cdf(z)

    def sf(self, z: np.ndarray) -> np.ndarray:
        """P(Z > z), accurate in the upper tail."""
        return self.law.sf(z)

    def quantile(self, p: np.ndarray) -> np.ndarray:
        """Inverse of ``cdf``, up to ``quantile_error``."""
        return self.law.quantile(p)

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        from robustbench_rs.api.draws import uniform
        from robustbench_rs.api.inverse_cdf import inverse_cdf

        z = inverse_cdf(self.law.table, uniform(shape, generator, device))
        return z.mul_(self.scale).to(dtype).to(device)

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:  # noqa: ARG002
        """l1 for symmetric log-concave noise: R = (F^-1(pA) - F^-1(pB)) / 2 (Yang et al. 2020, Theorem 4.2)."""
        if norm != 1 or not (self.symmetric and self.log_concave):
            return None
        source = "i.i.d. symmetric log-concave noise, l1: one coordinate is worst"
        return ClosedForm(self._l1_radius, source, upper=self._l1_upper)

    def _l1_radius(self, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        from robustbench_rs.statistics.rounding import down

        return down(self._l1_half_width(p_lower, p_upper, self.quantile_error))

    def _l1_upper(self, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        from robustbench_rs.statistics.rounding import up

        return up(self._l1_half_width(p_lower, p_upper, -self.quantile_error))

    def _l1_half_width(self, p_lower: np.ndarray, p_upper: np.ndarray, error: float) -> np.ndarray:
        upper = self.quantile(np.clip(p_lower - error, 0.0, 1.0))
        lower = self.quantile(np.clip(p_upper + error, 0.0, 1.0))
        return np.asarray(self.scale * (upper - lower) / 2)
