"""Laws of noise whose density depends on one norm of the vector, written anew from scipy's special functions.

Nothing here is taken from the noise plugins but the names and parameters of the families.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import betainc, gammainc, gammaincc

from independent.laws import Law

CUT = 1e-9
"""Mass of the noise beyond the outermost cell."""


@dataclass(frozen=True)
class Radial:
    """Noise z in ``dim`` dimensions. ``inner``, ``outer``: masses P(|z| <= rho) and P(|z| > rho), of any shape.

    ``log_density``: of vectors of norm ``rho``, up to a constant. ``flat``: it is constant up to 1, then it vanishes.
    """

    ball: float
    dim: int
    inner: Callable[[np.ndarray], np.ndarray]
    outer: Callable[[np.ndarray], np.ndarray]
    log_density: Callable[[np.ndarray], np.ndarray]
    flat: bool = False

    @property
    def line(self) -> Law:
        """The law in one dimension, where all norms agree."""
        return Law(lambda z: self.outer(-z) / 2, (-1.0, 1.0) if self.flat else (0.0,))

    def edges(self, count: int) -> np.ndarray:
        """Norms (count,) from 0 to where ``CUT`` of the mass is left, as dense as the law is, denser in its tails."""
        size, score = self._scores
        return np.asarray(np.interp(np.linspace(0.0, score[-1], count), score, size))

    @cached_property
    def _scores(self) -> tuple[np.ndarray, np.ndarray]:
        """Norms and a function that grows in the bulk and in both tails of their law, both ascending."""
        size = np.concatenate([[0.0], np.geomspace(1e-6, 1e30, 60_000)])
        inner, outer = self.inner(size), self.outer(size)
        score = np.log1p(inner / 1e-2) - np.log(np.maximum(outer, CUT / 10))
        last = int(np.searchsorted(-outer, -CUT))
        kept = np.flatnonzero(np.diff(score[: last + 1], prepend=-1.0) > 0)
        return np.asarray(size[kept]), np.asarray(score[kept])


def radial(name: str, params: Mapping[str, Any], dim: int) -> Radial | None:
    """The standard variable of a norm-radial family; None for a family that is not known here."""
    if name == "uniform-l2-ball":
        return Radial(
            2.0,
            dim,
            lambda r: np.minimum(r, 1.0) ** dim,
            lambda r: 1.0 - np.minimum(r, 1.0) ** dim,
            np.zeros_like,
            True,
        )
    ball = {"exp-l1": 1.0, "exp-l2": 2.0, "exp-linf": math.inf, "power-l2": 2.0, "power-linf": math.inf}.get(name)
    if ball is None:
        return None
    return _power(ball, dim, params["a"]) if name.startswith("power") else _exponential(ball, dim, params)


def radial_families() -> list[str]:
    """Names known to :func:`radial`."""
    return ["exp-l1", "exp-l2", "exp-linf", "power-l2", "power-linf", "uniform-l2-ball"]


def random_params(name: str, dim: int, rng: np.random.Generator) -> dict[str, Any]:
    """Parameters for which there is such noise in ``dim`` dimensions."""
    if name.startswith("power"):
        return {"a": dim + float(np.exp(rng.uniform(np.log(0.5), np.log(20))))}
    if name.startswith("exp"):
        k = float(rng.choice([0.7, 1.0, 2.0, rng.uniform(0.6, 4.0)]))
        j = 0.0 if name == "exp-l1" or dim == 1 else float(rng.choice([0.0, rng.uniform(0.0, (dim - 1) * 0.7)]))
        return {"k": k} if name == "exp-l1" else {"k": k, "j": j}
    return {}


def _exponential(ball: float, dim: int, params: Mapping[str, Any]) -> Radial:
    """Density rho^-j exp(-rho^k): rho^k has a gamma law."""
    k, j = params["k"], params.get("j", 0.0)
    shape = (dim - j) / k

    def log_density(rho: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.asarray(-(rho**k) - (j * np.log(rho) if j else 0.0))

    return Radial(ball, dim, lambda r: gammainc(shape, r**k), lambda r: gammaincc(shape, r**k), log_density)


def _power(ball: float, dim: int, a: float) -> Radial:
    """Density (1 + rho)^-a: rho / (1 + rho) has a beta law."""
    return Radial(
        ball,
        dim,
        lambda r: betainc(dim, a - dim, r / (1 + r)),
        lambda r: betainc(a - dim, dim, 1 / (1 + r)),
        lambda r: -a * np.log1p(r),
    )


def sample(noise: Radial, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draws (count, dim): a direction of the ball's cone measure, and a norm by inversion of a fine table."""
    u = rng.random(count)
    size = np.concatenate([[0.0], np.geomspace(1e-9, 1e30, 200_000)])
    inner = noise.inner(size)
    kept = np.flatnonzero(np.diff(inner, prepend=-1.0) > 0)
    rho = np.interp(u, inner[kept], size[kept])
    if noise.ball == 2:
        x = rng.standard_normal((count, noise.dim))
    else:
        x = rng.laplace(size=(count, noise.dim)) if noise.ball == 1 else rng.uniform(-1, 1, (count, noise.dim))
    return np.asarray(rho[:, None] * x / np.linalg.norm(x, ord=noise.ball, axis=1, keepdims=True))
