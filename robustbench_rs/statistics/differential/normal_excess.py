"""Mean excesses of the standard normal law Z, to compare scores with."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr, ndtri

LAGUERRE_FROM = 4.0
"""From here on quadrature is precise, and the closed forms cancel."""
_NODES, _WEIGHTS = np.polynomial.laguerre.laggauss(40)


def normal_density(z: np.ndarray) -> np.ndarray:
    """phi(z), any shape."""
    return np.asarray(np.exp(-0.5 * np.square(z)) / math.sqrt(2 * math.pi))


def profile(p: np.ndarray) -> np.ndarray:
    """phi(Phi^-1(p)) = sup over P(U) = p of E[Z; U], p in [0, 1/2]; relative error below 1e-12 for p >= 1e-300."""
    with np.errstate(invalid="ignore"):
        return np.where(np.asarray(p) > 0, normal_density(ndtri(p)), 0.0)


def excess_power(z: np.ndarray, power: int) -> np.ndarray:
    """E(Z - z)_+^power for ``power`` 2 or 3, any real z, any shape; relative error below 1e-10."""
    z = np.asarray(z, dtype=np.float64)
    density, tail = normal_density(z), ndtr(-z)
    second, third = (z**2 + 1) * tail - z * density, (z**2 + 2) * density - (z**3 + 3 * z) * tail
    far = np.maximum(z, LAGUERRE_FROM)[..., np.newaxis]
    inner = (np.exp(-0.5 * np.square(_NODES / far)) * _NODES**power) @ _WEIGHTS
    by_nodes = density * inner / far[..., 0] ** (power + 1)
    return np.asarray(np.where(z > LAGUERRE_FROM, by_nodes, second if power == 2 else third))
