"""Directions of a shift: where the swarm starts, and lengths."""

from __future__ import annotations

import math

import numpy as np

from robustbench_rs.api import Noise, ProductNoise


def length(direction: np.ndarray, norm: float) -> float:
    """||direction||_p, without overflow; ``norm``: any p >= 1, ``math.inf`` too."""
    return float(np.linalg.norm(direction, norm))


def spread(norm: float, direction: np.ndarray) -> float:
    """||u||_p / ||u||_2: the p-norm of a shift whose Euclidean length is 1."""
    return length(direction, norm) / length(direction, 2)


def starts(noise: Noise, norm: float, dim: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Starting directions (count, dim) in the box [-1, 1]^d: one-hot first for l1, all-ones first for other norms.

    Independent coordinates are exchangeable, so further starts have other numbers of equal coordinates; other noise
    gets other coordinates (l1) or other corners. Noise that is not known to be symmetric gets each in both signs.
    """
    if isinstance(noise, ProductNoise):
        rows = _equal_coordinates(norm, dim, count)
    elif norm == 1:
        rows = np.eye(dim)[rng.permutation(dim)[np.arange(count) % dim]]
    else:
        rows = np.concatenate([np.ones((1, dim)), rng.choice([-1.0, 1.0], size=(count - 1, dim))])
    if isinstance(noise, ProductNoise) and noise.symmetric:
        return rows
    return np.stack([rows, -rows], axis=1).reshape(-1, dim)[:count]


def _equal_coordinates(norm: float, dim: int, count: int) -> np.ndarray:
    """Rows with ones in the first k coordinates, k between 1 and d in equal ratios."""
    first, last = (1, dim) if norm == 1 else (dim, 1)
    numbers = np.rint(np.geomspace(first, last, count))
    return (np.arange(dim) < numbers[:, np.newaxis]).astype(np.float64)


def distinct(directions: list[np.ndarray]) -> list[np.ndarray]:
    """Without repetitions of the same ray; those with few coordinates first, because they are measured fastest."""
    kept: dict[bytes, np.ndarray] = {}
    for direction in directions:
        size = math.fsum(np.square(direction)) ** 0.5
        if size > 0:
            unit = direction / size
            kept.setdefault(np.round(unit, 12).tobytes(), unit)
    return sorted(kept.values(), key=np.count_nonzero)
