"""Noise with independent, identically distributed coordinates: most families.

A family is written in the standard variable z = x / scale. With only a density, sampler, cdf and quantile have correct
defaults (:mod:`robustbench_rs.statistics.tabulated`); each may be overridden with an exact one. A fact that is not
claimed (``symmetric``, ``unimodal``, ``log_concave``, ...) is not used.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from robustbench_rs.api.component import Params
from robustbench_rs.api.noise import ClosedForm, Noise

if TYPE_CHECKING:
    import torch

    from robustbench_rs.statistics.tabulated import TabulatedLaw


class ProductNoise(Noise):
    """Noise with independent, identically distributed coordinates x = scale * z.

    The methods below are about z, in float64. Facts may be properties that depend on the parameters.
    """

    support: tuple[float, float] = (-math.inf, math.inf)
    """The density of z is positive inside, and vanishes outside."""
    symmetric: bool = False
    """The density of z is even."""
    unimodal: bool = False
    """The density rises up to some point and falls from there."""
    log_concave: bool = False
    """-log density is convex."""
    continuous: bool = False
    """The density has no jump (also none at the ends of its support) and no pole, and is the integral of its
    derivative; kinks are allowed. A log-concave density need not claim it: it can jump at its ends only."""
    score_turns: tuple[float, ...] | None = None
    """Ascending points between which :meth:`score` is monotone: its turning points, jumps and poles. None: unknown. A
    log-concave density needs none: its score rises everywhere."""
    fisher_information: float | None = None
    """E[score(z)^2], exact up to rounding; None: not stated; infinite unless ``continuous``, as a jump in the density
    adds what the score does not show."""
    slope_variation: float | None = None
    """Total variation of the density's derivative, kinks counted; an upper bound will do. None: not stated, or
    infinite. Without it, tables of radii of a density that is not log-concave need more rows."""
    score_slope_turns: tuple[float, ...] | None = None
    """Ascending points between which :meth:`score_slope` is monotone; None: unknown. For tables of heavy tails."""

    def __init__(self, params: Params | None = None) -> None:
        super().__init__(params)
        sigma = getattr(self.params, "sigma", None)
        if sigma is not None and not math.isfinite(self.std):
            raise ValueError(f"{self.name} noise has no finite standard deviation: give 'scale' instead of 'sigma'")

    @abstractmethod
    def log_density(self, z: np.ndarray) -> np.ndarray:
        """Log density of z, float64, any shape; the additive constant may be missing; -inf where it vanishes."""

    def score(self, z: np.ndarray) -> np.ndarray:
        """-d log density / dz, float64, any shape; needed only together with ``score_turns``."""
        raise NotImplementedError(f"{self.name} noise states no score")

    def score_slope(self, z: np.ndarray) -> np.ndarray:
        """Derivative of :meth:`score`, float64, any shape; needed only together with ``score_slope_turns``."""
        raise NotImplementedError(f"{self.name} noise does not state how its score rises")

    @cached_property
    def log_normaliser(self) -> float:
        """Log of the integral of exp(log_density)."""
        return self.law.log_normaliser

    def density(self, z: np.ndarray) -> np.ndarray:
        """The normalised density of z, any shape; 0 outside the support."""
        z = np.asarray(z, dtype=np.float64)
        with np.errstate(all="ignore"):
            values = np.exp(self.log_density(z) - self.log_normaliser)
        return np.where((z >= self.support[0]) & (z <= self.support[1]) & np.isfinite(z), values, 0.0)

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

    def joint_log_density(self, x: np.ndarray) -> np.ndarray:
        """Sum over the last axis of the coordinates' log densities, up to one constant."""
        z = np.asarray(x, dtype=np.float64) / self.scale
        inside = (z >= self.support[0]) & (z <= self.support[1])
        with np.errstate(all="ignore"):
            joint: np.ndarray = np.where(inside, self.log_density(z), -math.inf).sum(axis=-1)
        return joint

    @property
    def numerical_quantile(self) -> bool:
        """``quantile`` iterates, microseconds for each value: :meth:`draws` takes the table of :attr:`law` instead."""
        return type(self).quantile is ProductNoise.quantile

    def draws(self, count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
        """By inversion, in float64: u is uniform on midpoints of a grid, symmetric about 1/2."""
        u = (rng.integers(0, 1 << 52, size=(count, dim)).astype(np.float64) + 0.5) * 2.0**-52
        return np.asarray(self.scale * (self.law.table.at(u) if self.numerical_quantile else self.quantile(u)))

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:
        """l1 for symmetric log-concave noise: R = (F^-1(pA) - F^-1(pB)) / 2 (Yang et al. 2020, Theorem 4.2).

        In one dimension every norm is l1.
        """
        if (norm != 1 and dim != 1) or not (self.symmetric and self.log_concave):
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
