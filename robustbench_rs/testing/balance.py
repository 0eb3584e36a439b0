"""Draws of vectors against their joint density, known up to a constant, in any dimension: by detailed balance.

If x has density f, and x' is x moved by a random rule that undoes itself equally often (times its Jacobian), accepted
with probability min(1, f(x') / f(x)), then (x, x') and (x', x) have the same law (Metropolis et al. 1953; Hastings
1970). So of the moves that change a number T(x), half increase it: an exact binomial test, whatever f is. Draws from
another law drift back towards f.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from robustbench_rs.api import Noise, ProductNoise
from robustbench_rs.testing.result import FALSE_ALARM, Check
from robustbench_rs.testing.sampler import distance, draw, plausible

ROWS = {1: 60_000, 2: 60_000, 3: 40_000, 48: 12_000}
"""Vectors that are drawn, by dimension. Of Gaussian draws a scale off by 3 per cent is noticed in 48 dimensions."""
STRETCH = 2.0
"""Standard deviation of the logarithm of a coordinate's stretch, and sqrt(d) times that of a whole vector's."""
MOVES = 4
SEED = 1953


@dataclass(frozen=True)
class Move:
    """Proposals (n, d), the logarithms of their Jacobians (n,), and the change (n,) of the number looked at."""

    name: str
    proposed: np.ndarray
    log_jacobian: np.ndarray
    change: np.ndarray


def moves(x: np.ndarray, rng: np.random.Generator) -> Iterator[Move]:
    """The whole vector's size, one coordinate's size, one sign, and the angle in a plane of two coordinates."""
    n, dim = x.shape
    rows = np.arange(n)
    stretch: np.ndarray = rng.normal(0, STRETCH, (n,)) / np.sqrt(dim)
    yield Move("size", x * np.exp(stretch)[:, None], dim * stretch, stretch)

    one: np.ndarray = rng.integers(0, dim, (n,))
    stretch = rng.normal(0, STRETCH, (n,))
    stretched = x.copy()
    stretched[rows, one] *= np.exp(stretch)
    yield Move("size of one coordinate", stretched, stretch, stretch)

    turned = x.copy()
    turned[rows, one] *= -1
    yield Move("sign of one coordinate", turned, np.zeros(n), -x[rows, one])

    if dim > 1:
        second = (one + rng.integers(1, dim, n)) % dim
        angle = rng.uniform(-np.pi, np.pi, n)
        a, b = x[rows, one], x[rows, second]
        new_a, new_b = np.cos(angle) * a - np.sin(angle) * b, np.sin(angle) * a + np.cos(angle) * b
        rotated = x.copy()
        rotated[rows, one], rotated[rows, second] = new_a, new_b
        larger = np.maximum(np.abs(new_a), np.abs(new_b)) - np.maximum(np.abs(a), np.abs(b))
        yield Move("angle between two coordinates", rotated, np.zeros(n), larger)


def drift(x: np.ndarray, log_density: Callable[[np.ndarray], np.ndarray], share: float) -> str | None:
    """What is wrong with draws ``x`` (n, d) for this log density (..., d) -> (...); ``share``: rate of false alarms."""
    rng = np.random.default_rng(SEED)
    with np.errstate(all="ignore"):
        before = log_density(x)
        if before.shape != (len(x),):
            return f"the log density of {x.shape} vectors has shape {before.shape}"
        if np.any(np.isnan(before) | (before == -np.inf)):
            return f"the log density of a draw is {before[np.isnan(before) | (before == -np.inf)][0]}"
        for move in moves(x, rng):
            log_ratio = log_density(move.proposed) - before + move.log_jacobian
            accepted = np.log(rng.uniform(size=len(x))) < log_ratio
            up, down = int(np.sum(accepted & (move.change > 0))), int(np.sum(accepted & (move.change < 0)))
            if not plausible(up, up + down, 0.5, share / (2 * MOVES)):
                return f"{move.name}: {up} accepted moves increase it and {down} decrease it, where half should"
    return None


def _sample(noise: Noise) -> str | None:
    """Draws of ``sample``; a product noise's are compared with its cdf instead, which says more."""
    dims = [dim for dim in (1, 2, 48) if noise.problem(dim) is None]
    if not dims:
        return f"there is no such noise in 1, 2 or 48 dimensions: {noise.problem(48)}"
    for dim in dims:
        x = draw(noise, (ROWS[dim], dim)).numpy()
        if noise.joint_log_density(x[:1]) is None:
            return None
        wrong = None if isinstance(noise, ProductNoise) else drift(x, _joint(noise), FALSE_ALARM / len(dims))
        if wrong is not None:
            return f"{dim} dimensions: {wrong}"
    return None


def _draws(noise: Noise) -> str | None:
    dim = 3 if noise.problem(3) is None else 1
    if noise.problem(dim) is not None or noise.joint_log_density(np.ones((1, dim))) is None:
        return None
    x = noise.draws(ROWS[dim], dim, np.random.default_rng(SEED + 1))
    if x.shape != (ROWS[dim], dim) or x.dtype != np.float64:
        return f"asked for {(ROWS[dim], dim)} float64, got {x.shape} {x.dtype}"
    if isinstance(noise, ProductNoise) and (wrong := distance(noise, x.ravel() / noise.scale, 0.0, FALSE_ALARM / 2)):
        return wrong
    return drift(x, _joint(noise), FALSE_ALARM / 2)


def _joint(noise: Noise) -> Callable[[np.ndarray], np.ndarray]:
    def log_density(x: np.ndarray) -> np.ndarray:
        found = noise.joint_log_density(x)
        if found is None:
            raise ValueError("joint_log_density is None for some vectors and a number for others")
        return found

    return log_density


def _reproducible(noise: Noise) -> str | None:
    dim = 3 if noise.problem(3) is None else 1
    if noise.problem(dim) is not None:
        return None
    first, again, other = (noise.draws(50, dim, np.random.default_rng(seed)) for seed in (SEED, SEED, SEED + 1))
    if not np.array_equal(first, again):
        return "two generators with the same seed give different draws"
    return "two generators with different seeds give the same draws" if np.array_equal(first, other) else None


CHECKS: dict[str, Check[Noise]] = {
    "sample has the joint density": _sample,
    "draws have the joint density": _draws,
    "draws are reproducible": _reproducible,
}
