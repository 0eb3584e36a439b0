"""Distribution functions of the product families, written anew from scipy's special functions.

Nothing here is taken from the noise plugins but the names and parameters of the families.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import betainc, expit, gammaincc, log_ndtr, ndtr, ndtri

Cdf = Callable[[np.ndarray], np.ndarray]
Params = Mapping[str, float]

SCORE = 7.6
"""Cells reach as far out as this many standard deviations of a Gaussian: 1.5e-14 of the mass on each side."""


@dataclass(frozen=True)
class Law:
    """One coordinate z = x / scale, symmetric about 0. ``special``: kinks, jumps and poles of its density.

    ``lower`` is P(Z <= z) for z <= 0, precise relative to its value.
    """

    lower: Cdf
    special: tuple[float, ...] = (0.0,)

    def mass(self, edges: np.ndarray) -> np.ndarray:
        """Masses of the n + 1 cells (last axis) that n ascending edges cut the line into."""
        near = self.lower(-np.abs(edges))
        a, b = near[..., :-1], near[..., 1:]
        left, right = edges[..., :-1], edges[..., 1:]
        inner = np.where(right <= 0, b - a, np.where(left >= 0, a - b, 1.0 - a - b))
        first = np.where(edges[..., :1] <= 0, near[..., :1], 1.0 - near[..., :1])
        last = np.where(edges[..., -1:] >= 0, near[..., -1:], 1.0 - near[..., -1:])
        return np.concatenate([first, np.maximum(inner, 0.0), last], axis=-1)

    def edges(self, count: int) -> np.ndarray:
        """About ``count`` cell edges, as evenly spaced as Gaussian quantiles, and the special points."""
        size, score = self._scores
        half = np.interp(np.linspace(0.0, SCORE, count // 2), score, size)
        return np.unique(np.concatenate([-half, half, self.special]))

    def quantile(self, p: float) -> float:
        """To a relative precision of about 1e-5: for choosing what to look at, not for any claim."""
        size, score = self._scores
        return math.copysign(float(np.interp(abs(ndtri(p)), score, size)), p - 0.5)

    @cached_property
    def _scores(self) -> tuple[np.ndarray, np.ndarray]:
        """Sizes z and the Gaussian quantile of the same tail mass, both ascending."""
        size = np.concatenate([[0.0], np.geomspace(1e-12, 1e250, 60_000)])
        with np.errstate(all="ignore"):
            score = -ndtri(self.lower(-size))
            kept = np.flatnonzero(np.isfinite(score) & (np.diff(score, prepend=-1.0) > 0))
        return size[kept], score[kept]


def law(name: str, params: Params) -> Law | None:
    """The law of a family's standard variable; None for a family that is not known here."""
    make = _LAWS.get(name)
    return None if make is None else make(params)


def product_families() -> list[str]:
    """Names known to :func:`law`."""
    return sorted(_LAWS)


def random_params(name: str, rng: np.random.Generator) -> dict[str, Any]:
    """Shape parameters, over the range in which families are used."""
    if name == "generalized-normal":
        return {"beta": float(rng.choice([0.5, 1.0, 1.5, 2.0, 3.0, 8.0, np.exp(rng.uniform(np.log(0.3), np.log(12)))]))}
    if name == "student-t":
        return {"df": float(np.exp(rng.uniform(np.log(0.4), np.log(30))))}
    if name == "pareto":
        return {"a": float(np.exp(rng.uniform(np.log(0.4), np.log(20))))}
    if name in ("gaussian-laplace-mixture", "exponential-mix"):
        return {"weight": float(rng.choice([rng.uniform(0.0, 0.99), 0.0, 1.0], p=[0.9, 0.05, 0.05]))}
    return {}


def _uniform(z: np.ndarray) -> np.ndarray:
    return np.maximum(1.0 + z, 0.0) / 2


def _triangular(z: np.ndarray) -> np.ndarray:
    return np.square(np.maximum(1.0 + z, 0.0)) / 2


def _secant(z: np.ndarray) -> np.ndarray:
    return np.asarray(2.0 / math.pi * np.arctan(np.exp(z)))


def _cauchy(z: np.ndarray) -> np.ndarray:
    return np.asarray(np.arctan2(1.0, -z) / math.pi)


def _laplace(z: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * np.exp(z))


def _generalized_normal(params: Params) -> Law:
    beta = params["beta"]
    return Law(lambda z: 0.5 * gammaincc(1 / beta, np.abs(z) ** beta))


def _student_t(params: Params) -> Law:
    """1 / (1 + z^2 / df) has the beta law (df/2, 1/2)."""
    df = params["df"]

    def lower(z: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            odds = np.square(z) / df
        near = 0.5 - 0.5 * betainc(0.5, df / 2, odds / (1.0 + np.minimum(odds, 1e300)))
        return np.asarray(np.where(odds < 1.0, near, 0.5 * betainc(df / 2, 0.5, 1.0 / (1.0 + odds))))

    return Law(lower)


def _pareto(params: Params) -> Law:
    return Law(lambda z: 0.5 * np.exp(-params["a"] * np.log1p(-z)))


def _mixture(params: Params) -> Law:
    weight = params["weight"]
    return Law(lambda z: weight * _laplace(z) + (1 - weight) * ndtr(z))


def _exponential_mix(params: Params) -> Law:
    """exp(-w z - c z^2) is a normal density of variance 1/(2c) about -w/(2c), cut off at 0."""
    weight, square = params["weight"], 1 - params["weight"]
    if square == 0:
        return Law(_laplace)
    root, mean = math.sqrt(2 * square), weight / (2 * square)
    start = float(log_ndtr(-root * mean))
    return Law(lambda z: 0.5 * np.exp(log_ndtr(root * (z - mean)) - start))


_LAWS: dict[str, Callable[[Params], Law]] = {
    "gaussian": lambda _: Law(ndtr),
    "laplace": lambda _: Law(_laplace),
    "uniform": lambda _: Law(_uniform, (-1.0, 1.0)),
    "triangular": lambda _: Law(_triangular, (-1.0, 0.0, 1.0)),
    "logistic": lambda _: Law(expit),
    "hyperbolic-secant": lambda _: Law(_secant),
    "cauchy": lambda _: Law(_cauchy),
    "generalized-normal": _generalized_normal,
    "student-t": _student_t,
    "pareto": _pareto,
    "gaussian-laplace-mixture": _mixture,
    "exponential-mix": _exponential_mix,
}
