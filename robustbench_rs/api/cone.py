"""Cone measure: uniform directions on the unit spheres of l1, l2 and l-inf, from independent coordinates.

A vector of independent coordinates whose joint density depends on its q-norm only (Laplace for q = 1, normal for 2,
uniform on a cube for inf), divided by that norm, has the cone measure, independent of the norm (Schechtman and Zinn
1990). Vectors come undivided, together with their norms, so that one multiplication per coordinate is enough.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def directions(
    ball: float, count: int, dim: int, generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors (count, dim) in ``dtype`` and their norms (count,) in float64: their quotients are independent draws."""
    import torch

    from robustbench_rs.api.draws import random_signs, standard_exponential, standard_normal, uniform

    shape = (count, dim)
    if dim == 1:
        signs = random_signs(shape, generator, device, dtype)
        return signs, torch.ones(count, dtype=torch.float64, device=device)
    if ball == 2:
        vectors = standard_normal(shape, generator, device, dtype)
    elif ball == 1:
        vectors = standard_exponential(shape, generator, device, dtype)
        vectors = vectors.mul_(random_signs(shape, generator, device, dtype))
    else:
        vectors = uniform(shape, generator, device).mul_(2.0).sub_(1.0).to(dtype)
    return vectors, torch.linalg.vector_norm(vectors, ord=ball, dim=1, dtype=torch.float64)


def numpy_directions(ball: float, count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
    """Independent draws (count, dim) of the cone measure, float64, of norm 1."""
    shape = (count, dim)
    if dim == 1:
        return rng.choice(np.array([-1.0, 1.0]), size=shape)
    if ball == 2:
        vectors = rng.standard_normal(shape)
    elif ball == 1:
        vectors = rng.laplace(size=shape)
    else:
        vectors = rng.uniform(-1.0, 1.0, size=shape)
    return np.asarray(vectors / np.linalg.norm(vectors, ord=ball, axis=1, keepdims=True))


def second_moment(ball: float, dim: int) -> float:
    """E[u_1^2] of the cone measure.

    l1: the squares of exponential shares of one whole; l-inf: a face, with probability 1/dim, or uniform on [-1, 1].
    """
    if ball == 2:
        return 1.0 / dim
    return 2.0 / (dim * (dim + 1)) if ball == 1 else (dim + 2) / (3.0 * dim)


def vector_norm(z: np.ndarray, ball: float) -> np.ndarray:
    """The q-norm over the last axis."""
    if ball == 2:
        return np.asarray(np.sqrt(np.einsum("...i,...i->...", z, z)))
    size = np.abs(z)
    return np.asarray(size.sum(axis=-1) if ball == 1 else size.max(axis=-1, initial=0.0))


BALLS = (1.0, 2.0, math.inf)
"""The norms q of which the cone measure is known here."""
