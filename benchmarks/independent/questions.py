"""Random questions to a solver: limits (pA, pB), directions of shifts, and how far inside the ball to look."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

NEAREST = 1e-6
"""Most shifts are this much shorter, relative, than the radius that they question."""


SMALLEST = 1e-9
"""Of pB and 1 - pA: what smaller masses become after a shift is lost in the rounding of sums."""


@dataclass(frozen=True)
class Limits:
    """Of class probabilities, (m,) each; where nothing is known of the others, ``upper`` = 1 - ``lower``."""

    lower: np.ndarray
    upper: np.ndarray

    @property
    def rest(self) -> np.ndarray:
        """1 - pB: what a class must have so that all but it may be the runner-up."""
        return 1.0 - self.upper

    def margin(self) -> np.ndarray:
        """Without a shift, as :func:`margin`."""
        return margin(self.lower, self.rest)


def margin(top: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Positive where ``top`` + ``rest`` > 1: in normal quantiles, in which a Gaussian's is linear in the shift."""
    return np.asarray(ndtri(np.clip(top, 1e-300, 1 - 1e-16)) + ndtri(np.clip(rest, 1e-300, 1 - 1e-16)))


def random_limits(count: int, rng: np.random.Generator) -> Limits:
    """Two thirds know pA only; from just above 1/2 to 1 - 1e-8, evenly in several scales."""
    kinds = np.stack(
        [
            ndtr(rng.uniform(0.0, 4.5, count)),
            rng.uniform(0.5, 1.0, count),
            0.5 + 0.5 * 10.0 ** rng.uniform(-6.0, -1.0, count),
            1.0 - 10.0 ** rng.uniform(-8.0, -1.0, count),
        ]
    )
    top = np.take_along_axis(kinds, rng.integers(0, 4, count)[None], axis=0)[0]
    two_sided = rng.random(count) < 1 / 3
    lower = np.where(two_sided & (rng.random(count) < 0.5), top * rng.uniform(0.3, 1.0, count), top)
    other = np.minimum(lower, 1.0 - lower) * rng.random(count) ** rng.integers(1, 6, count)
    other = np.maximum(other, SMALLEST)
    return Limits(lower, np.where(two_sided, other, 1.0 - top))


def random_directions(count: int, dim: int, norm: float, rng: np.random.Generator) -> np.ndarray:
    """Vectors (count, dim) of l_p norm 1: axes, corners, equal coordinates, few levels, sparse, Gaussian, peaked."""
    signs = rng.choice([-1.0, 1.0], size=(count, dim))
    moved = rng.permuted(np.tile(np.arange(dim), (count, 1)), axis=1) < rng.integers(1, dim + 1, (count, 1))
    levels = rng.choice([0.1, 0.3, 0.5, 0.8, 1.0], size=(count, dim))
    kinds = np.stack(
        [
            np.eye(dim)[rng.integers(0, dim, count)],
            np.ones((count, dim)),
            moved * 1.0,
            moved * levels,
            moved * np.abs(rng.standard_normal((count, dim))),
            np.abs(rng.standard_normal((count, dim))),
            rng.random((count, dim)) ** 6 + 1e-3,
        ]
    )
    chosen = kinds[rng.integers(0, len(kinds), count), np.arange(count)] * signs
    return np.asarray(chosen / np.linalg.norm(chosen, ord=norm, axis=1, keepdims=True))


def random_shares(count: int, rng: np.random.Generator) -> np.ndarray:
    """Of the radius, below 1: four of five just inside the surface, the rest anywhere."""
    return np.where(rng.random(count) < 0.8, 1.0 - NEAREST, rng.uniform(0.02, 1.0 - NEAREST, count))


def random_norm(rng: np.random.Generator) -> float:
    """1, 2, 3, inf, or any number between 1 and 8."""
    return float(rng.choice([1.0, 2.0, 3.0, math.inf, rng.uniform(1.0, 8.0)], p=[0.25, 0.25, 0.12, 0.25, 0.13]))
