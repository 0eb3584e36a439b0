"""Coordinates for the tests, written by their densities."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from robustbench_rs.api import NoiseParams, ProductNoise


def _family(frozen, **facts):
    """A family with the cdf of a scipy law, so that the only code under test is what uses it."""

    class Law(ProductNoise):
        """A law of scipy.stats."""

        name = "scipy"
        quantile_error = 1e-15
        log_normaliser = 0.0

        def log_density(self, z):
            return frozen.logpdf(z)

        def score(self, z):
            return facts["score_formula"](np.asarray(z))

        def cdf(self, z):
            return frozen.cdf(z)

        def sf(self, z):
            return frozen.sf(z)

        def quantile(self, p):
            return frozen.ppf(p)

    for fact, value in facts.items():
        setattr(Law, fact, staticmethod(value) if callable(value) else value)
    return Law(NoiseParams(scale=1.0))


def gaussian():
    return _family(stats.norm(), symmetric=True, unimodal=True, log_concave=True)


def laplace():
    return _family(stats.laplace(), symmetric=True, unimodal=True, log_concave=True)


def uniform():
    return _family(stats.uniform(-1, 2), symmetric=True, unimodal=True, log_concave=True, support=(-1.0, 1.0))


def triangular():
    return _family(stats.triang(0.5, -1, 2), symmetric=True, unimodal=True, log_concave=True, support=(-1.0, 1.0))


def generalized_normal(beta):
    pole = {} if beta >= 1 else {"score_turns": (0.0,)}
    return _family(
        stats.gennorm(beta),
        symmetric=True,
        unimodal=True,
        log_concave=beta >= 1,
        score_formula=lambda z: beta * np.sign(z) * np.abs(z) ** (beta - 1),
        **pole,
    )


def cauchy(turns=(-1.0, 1.0)):
    return _family(
        stats.cauchy(),
        symmetric=True,
        unimodal=True,
        score_turns=turns,
        score_formula=lambda z: 2 * z / (1 + np.square(z)),
    )


def pareto(a):
    """Density a/2 (1 + abs(z))^-(a + 1)."""

    class TwoSided:
        """Two mirrored Lomax laws."""

        def logpdf(self, z):
            return math.log(a / 2) - (a + 1) * np.log1p(np.abs(z))

        def sf(self, z):
            z = np.asarray(z, dtype=float)
            return np.where(z > 0, 0.5, 0.0) * (1 + np.abs(z)) ** -a + np.where(
                z <= 0, 1 - 0.5 * (1 + np.abs(z)) ** -a, 0.0
            )

        def cdf(self, z):
            return self.sf(-np.asarray(z))

        def ppf(self, p):
            p = np.asarray(p, dtype=float)
            return np.copysign((2 * np.minimum(p, 1 - p)) ** (-1 / a) - 1, p - 0.5)

    return _family(
        TwoSided(),
        symmetric=True,
        unimodal=True,
        score_turns=(0.0,),
        score_formula=lambda z: (a + 1) * np.sign(z) / (1 + np.abs(z)),
    )


def skewed():
    """Gumbel: log-concave, not symmetric."""
    return _family(stats.gumbel_r(), log_concave=True, unimodal=True)


ALL = {
    "gaussian": gaussian(),
    "laplace": laplace(),
    "uniform": uniform(),
    "triangular": triangular(),
    "generalized-normal-0.5": generalized_normal(0.5),
    "generalized-normal-1.5": generalized_normal(1.5),
    "generalized-normal-8": generalized_normal(8.0),
    "cauchy": cauchy(),
    "pareto-0.5": pareto(0.5),
    "pareto-3": pareto(3.0),
    "gumbel": skewed(),
}
