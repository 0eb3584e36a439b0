"""``Noise.draws``, which solvers simulate with: the law of ``cdf``, whichever way a family draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from robustbench_rs.api import NoiseParams, ProductNoise
from robustbench_rs.api.inverse_cdf import inverse_cdf
from robustbench_rs_plugins.noises.cauchy import Cauchy
from robustbench_rs_plugins.noises.exponential_mix import ExponentialMix
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.generalized_normal import GeneralizedNormal
from robustbench_rs_plugins.noises.student_t import StudentT

FALSE_ALARM = 1e-9
"""Of each Kolmogorov-Smirnov and each tail test."""


class RaisedCosine(ProductNoise):
    """Known by its density alone."""

    name = "raised-cosine"
    support = (-1.0, 1.0)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log1p(np.cos(np.pi * z))


LAWS: list[ProductNoise] = [
    Gaussian(NoiseParams(scale=0.3)),
    Cauchy(NoiseParams(scale=0.3)),
    RaisedCosine(NoiseParams(scale=0.3)),
    ExponentialMix(ExponentialMix.Params(scale=0.3, weight=0.5)),
    GeneralizedNormal(GeneralizedNormal.Params(scale=0.3, beta=0.7)),
    GeneralizedNormal(GeneralizedNormal.Params(scale=0.3, beta=3.0)),
    StudentT(StudentT.Params(scale=0.3, df=0.5)),
    StudentT(StudentT.Params(scale=0.3, df=3.0)),
]


@pytest.mark.parametrize("noise", LAWS, ids=lambda noise: f"{noise.name}-{noise.params}")
def test_draws_have_the_law_of_the_cdf(noise: ProductNoise) -> None:
    """Kolmogorov-Smirnov, and the number of draws beyond the quantiles of 0.002 and 0.998 (Chernoff's bound)."""
    z = noise.draws(200, 500, np.random.default_rng(11)) / noise.scale
    assert z.shape == (200, 500)
    assert z.dtype == np.float64
    assert kstest(z[:, :40].ravel(), noise.cdf).pvalue > FALSE_ALARM
    expected = 0.002 * z.size
    slack = math.sqrt(3 * expected * math.log(2 / FALSE_ALARM))
    assert abs(np.sum(z < noise.quantile(np.array([0.002]))) - expected) < slack
    assert abs(np.sum(z > noise.quantile(np.array([0.998]))) - expected) < slack


def test_the_table_in_numpy_is_the_table_on_a_device() -> None:
    """Same cubic, same interval, at random and extreme u; numpy and torch may contract a product and a sum."""
    table = LAWS[2].law.table
    u = np.concatenate([[2.0**-53, 1 - 2.0**-53, 0.5, 0.25], np.random.default_rng(5).random(2000)])
    assert table.at(u) == pytest.approx(inverse_cdf(table, torch.from_numpy(u)).numpy(), rel=1e-14, abs=1e-15)


def test_a_family_known_by_its_density_draws_by_table() -> None:
    assert LAWS[2].numerical_quantile
    assert LAWS[3].numerical_quantile
    assert not LAWS[0].numerical_quantile
