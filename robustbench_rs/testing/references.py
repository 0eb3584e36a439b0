"""Noise laws whose true radii are known by a formula: the oracles that a solver must not exceed.

Each is named like the first-party family with the same law, so that a solver made for that family accepts it, and knows
nothing but its density and facts: no closed form is handed to the solver under test.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from scipy.special import ndtri

from robustbench_rs.api import ClosedForm, NoiseParams, ProductNoise


class Reference(ProductNoise):
    """A symmetric log-concave law with a known quantile function and known radii."""

    symmetric = unimodal = log_concave = True
    deviation: ClassVar[float]

    @property
    def std(self) -> float:
        return self.deviation

    def formula(self, norm: float, dim: int, p_lower: np.ndarray) -> np.ndarray | None:
        """The exact radius of z for limits (pA, 1 - pA); None where no theorem gives it."""
        return np.asarray(self.quantile(p_lower)) if norm == 1 or dim == 1 else None

    def truth(self, norm: float, dim: int, p_lower: np.ndarray) -> np.ndarray | None:
        """The exact radius in input units."""
        found = self.formula(norm, dim, p_lower)
        return None if found is None else self.scale * found

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:
        """What the family would contribute: the truth, rounded down."""
        if self.truth(norm, dim, np.array([0.9])) is None:
            return None
        return ClosedForm(lambda lower, upper: self._between(norm, dim, lower, upper), "reference")

    def _between(self, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        above, below = self.truth(norm, dim, p_lower), self.truth(norm, dim, np.maximum(1 - p_upper, 0.5))
        assert above is not None
        assert below is not None
        return np.where(p_lower > 0.5, np.minimum(above, below), 0.0) * (1 - 1e-12)


class ReferenceGaussian(Reference):
    """Normal: Phi^-1(pA) in l1 and l2, divided by sqrt(d) in l-inf (Cohen et al. 2019)."""

    name = "gaussian"
    deviation = 1.0

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(-0.5 * np.square(z))

    def formula(self, norm: float, dim: int, p_lower: np.ndarray) -> np.ndarray:
        factor = 1.0 if norm <= 2 else dim ** ((0.0 if math.isinf(norm) else 1 / norm) - 0.5)
        return np.asarray(factor * ndtri(p_lower))

    def _between(self, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        above, below = self.formula(norm, dim, p_lower), self.formula(norm, dim, p_upper)
        return np.asarray(self.scale * (1 - 1e-12) * (above - below) / 2)


class ReferenceLaplace(Reference):
    """Laplace: -ln(2 (1 - pA)) in l1 (Teng et al. 2019)."""

    name = "laplace"
    deviation = math.sqrt(2.0)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(-np.abs(z))

    def formula(self, norm: float, dim: int, p_lower: np.ndarray) -> np.ndarray | None:
        return np.asarray(-np.log(2 * (1 - p_lower))) if norm == 1 or dim == 1 else None


class ReferenceUniform(Reference):
    """Uniform on [-1, 1]: 2 (pA - 1/2) in l1, 2 (1 - (3/2 - pA)^(1/d)) in l-inf (Lee et al. 2019; Yang et al. 2020)."""

    name = "uniform"
    support = (-1.0, 1.0)
    deviation = 1 / math.sqrt(3.0)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(np.where(np.abs(z) <= 1, 0.0, -np.inf))

    def formula(self, norm: float, dim: int, p_lower: np.ndarray) -> np.ndarray | None:
        if norm == 1 or dim == 1:
            return np.asarray(2 * p_lower - 1)
        return np.asarray(-2 * np.expm1(np.log(1.5 - p_lower) / dim)) if math.isinf(norm) else None


class ReferenceLogistic(Reference):
    """Logistic: ln(pA / (1 - pA)) in l1 (Yang et al. 2020, log-concave noise)."""

    name = "logistic"
    deviation = math.pi / math.sqrt(3.0)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        size = np.abs(z)
        return np.asarray(-size - 2 * np.log1p(np.exp(-size)))

    def formula(self, norm: float, dim: int, p_lower: np.ndarray) -> np.ndarray | None:
        return np.asarray(np.log(p_lower) - np.log1p(-p_lower)) if norm == 1 or dim == 1 else None


def references() -> list[Reference]:
    """One of each, at sigma = 0.5."""
    params = NoiseParams(sigma=0.5)
    return [law(params) for law in (ReferenceGaussian, ReferenceLaplace, ReferenceUniform, ReferenceLogistic)]
