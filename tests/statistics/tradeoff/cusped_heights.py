"""Noise exp(-|z|^beta), beta < 1, and its H_r(kappa) of one coordinate in closed form."""

from __future__ import annotations

import numpy as np

from robustbench_rs_plugins.noises.generalized_normal import GeneralizedNormal

SLOPES = np.concatenate([1 / np.geomspace(1.001, 40.0, 24)[::-1], [1.0], np.geomspace(1.001, 40.0, 24)])


def law(beta: float) -> GeneralizedNormal:
    return GeneralizedNormal(GeneralizedNormal.Params(scale=1.0, beta=beta))


def height(noise: GeneralizedNormal, r: float, kappa: np.ndarray) -> np.ndarray:
    """H_r(kappa) of one coordinate, beta < 1: for kappa > 1 what Q has more than kappa P lies between two roots of
    dQ/dP = kappa, the one between r / 2 and r and the other beyond r."""
    steep = np.maximum(kappa, 1 / kappa)
    level, beta = np.log(steep), noise.params.beta

    def loss(z: np.ndarray) -> np.ndarray:
        return np.asarray(np.abs(z) ** beta - np.abs(z - r) ** beta)

    def root(inside: float, outside: float) -> np.ndarray:
        low, high = np.full(len(level), inside), np.full(len(level), outside)
        for _ in range(200):
            middle = (low + high) / 2
            above = loss(middle) > level
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        return low

    first, last = root(r, r / 2), root(r, 1e9)
    more = noise.sf(first - r) - noise.sf(last - r) - steep * (noise.sf(first) - noise.sf(last))
    more = np.where(level < r**beta, np.maximum(more, 0.0), 0.0)
    return np.asarray(np.where(kappa >= 1, kappa - 1 + more, kappa * more))
