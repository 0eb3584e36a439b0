"""Exact trade-off curves, and noise families that only tests need."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import iv, ndtr, ndtri

from robustbench_rs.api import ProductNoise
from robustbench_rs.statistics.coordinate import Coordinate
from robustbench_rs.statistics.tradeoff import Group


class GaussianCurve:
    """Gaussian noise, shift of l2 norm ``size``: g(p) = Phi(Phi^-1(p) - size)."""

    proved = True
    losses = np.zeros(0)

    def __init__(self, size: float) -> None:
        self._size = size

    def p_star(self) -> float:
        return float(ndtr(self._size))

    def left(self, p: np.ndarray) -> np.ndarray:
        return np.asarray(ndtr(ndtri(p) - self._size))

    def intercepts(self, log_slopes: np.ndarray) -> np.ndarray:
        """Q(L < t) - e^t P(L < t), L normal with mean -+ size^2 / 2 and standard deviation size."""
        place, half = np.asarray(log_slopes) / self._size, self._size / 2
        return np.asarray(ndtr(place - half) - np.exp(log_slopes) * ndtr(place + half))


class GaussianEngine:
    """In place of the accounting engine; counts the curves asked for."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, law: Coordinate, shift: Sequence[Group], tolerance: float) -> GaussianAccount:
        return GaussianAccount(self, math.sqrt(sum(group.count * group.size**2 for group in shift)))


class GaussianAccount:
    """Exact, and so the same on both sides."""

    def __init__(self, engine: GaussianEngine, size: float) -> None:
        self._engine = engine
        self._size = size

    def curve(self, *, optimistic: bool = False) -> GaussianCurve:
        self._engine.calls += 1
        return GaussianCurve(self._size)


class Cauchy(ProductNoise):
    """Symmetric unimodal, not log-concave; states its score."""

    name = "test-cauchy"
    symmetric = unimodal = True
    score_turns = (-1.0, 1.0)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(-np.log1p(np.square(z)))

    def score(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(2 * z / (1 + np.square(z)))

    def cdf(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(0.5 + np.arctan(z) / math.pi)


class Comb(ProductNoise):
    """Eleven peaks at distance 1: a shift by 1/2 moves most mass off them, one by 1 moves ten onto peaks again."""

    name = "test-comb"
    support = (-5.5, 5.5)
    symmetric = True

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(2 * np.cos(2 * math.pi * np.asarray(z)))

    def cdf(self, z: np.ndarray) -> np.ndarray:
        """exp(2 cos t) = I_0(2) + 2 sum of I_n(2) cos(n t), term by term."""
        z = np.clip(np.asarray(z, dtype=np.float64), *self.support)
        n = np.arange(1, 24)
        waves = np.sin(2 * math.pi * z[..., np.newaxis] * n) @ (iv(n, 2.0) / (math.pi * n))
        return np.asarray(np.clip(0.5 + (z + waves / iv(0, 2.0)) / 11, 0.0, 1.0))

    def sf(self, z: np.ndarray) -> np.ndarray:
        return self.cdf(np.negative(z))


class Gumbel(ProductNoise):
    """Log-concave, but skewed."""

    name = "test-gumbel"
    log_concave = unimodal = True

    def log_density(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.asarray(-z - np.exp(-z))

    def cdf(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(-np.exp(-np.asarray(z, dtype=np.float64))))

    def sf(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.asarray(-np.expm1(-np.exp(-np.asarray(z, dtype=np.float64))))

    def quantile(self, p: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.asarray(-np.log(-np.log(np.asarray(p, dtype=np.float64))))
