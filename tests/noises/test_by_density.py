"""Families known by their log density alone, as in a one-file plugin, of shapes that no theorem covers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import ndtr, ndtri

from robustbench_rs.api import NoiseParams, ProductNoise
from robustbench_rs.testing import check_component
from robustbench_rs_plugins.solvers.closed_form import ClosedFormSolver


class Gumbel(ProductNoise):
    """Skewed: the law of the largest of many."""

    name = "gumbel"

    def log_density(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return -z - np.exp(-z)


class OneSided(ProductNoise):
    """Exponential: it jumps at the end of its support, and its mean is 1."""

    name = "one-sided"
    support = (0.0, math.inf)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -np.asarray(z, dtype=np.float64)


class ThreeHumps(ProductNoise):
    """Normal around -6 (half), 1 and 7 (a quarter each), without its constant."""

    name = "three-humps"
    means, weights = np.array([-6.0, 1.0, 7.0]), np.array([0.5, 0.25, 0.25])

    def log_density(self, z: np.ndarray) -> np.ndarray:
        humps = -np.square(np.subtract.outer(z, self.means)) / 2 + np.log(self.weights)
        return np.logaddexp.reduce(humps, axis=-1) + 17.0


class Comb(ProductNoise):
    """Uniform on three intervals with gaps between them."""

    name = "comb"
    support = (-1.0, 1.0)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log(((np.abs(z) < 0.125) | (np.abs(z) > 0.75)).astype(np.float64))


FAMILIES: list[type[ProductNoise]] = [Gumbel, OneSided, ThreeHumps, Comb]
P = np.array([1e-12, 1e-6, 0.01, 0.2, 0.45, 0.6, 0.9, 0.999])


@pytest.mark.parametrize("family", FAMILIES)
def test_conformance(family: type[ProductNoise]) -> None:
    results = check_component(family, [NoiseParams(scale=0.5), NoiseParams(sigma=0.5)])
    assert [f"{result.name}: {result.message}" for result in results if not result.passed] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_claimed_and_no_theorem_is_used(family: type[ProductNoise]) -> None:
    noise = family(NoiseParams(scale=1.0))
    assert [noise.symmetric, noise.unimodal, noise.log_concave, noise.continuous] == [False] * 4
    assert noise.score_turns is None
    assert noise.fisher_information is None
    for norm in (1.0, 2.0, math.inf):
        assert noise.closed_form(norm, 5) is None
        assert "no closed form is known" in str(ClosedFormSolver().refusal(noise, norm, 5))
    with pytest.raises(NotImplementedError, match=f"{family.name} noise states no score"):
        noise.score(P)


def test_gumbel_against_its_formulas() -> None:
    noise = Gumbel(NoiseParams(sigma=1.0))
    assert noise.std == pytest.approx(math.pi / math.sqrt(6), rel=1e-11)
    assert noise.quantile(P) == pytest.approx(-np.log(-np.log(P)), rel=1e-10, abs=1e-10)
    z = np.array([-3.0, -1.0, 0.0, 2.0, 30.0])
    assert noise.cdf(z) == pytest.approx(np.exp(-np.exp(-z)), rel=1e-10, abs=1e-14)
    assert noise.sf(z) == pytest.approx(-np.expm1(-np.exp(-z)), rel=1e-10)
    assert noise.log_normaliser == pytest.approx(0.0, abs=1e-13)


def test_one_sided_against_its_formulas() -> None:
    noise = OneSided(NoiseParams(sigma=1.0))
    assert noise.std == pytest.approx(1.0, rel=1e-11)
    assert noise.quantile(P) == pytest.approx(-np.log1p(-P), rel=1e-10)
    assert float(noise.sample((1000,), torch.Generator().manual_seed(1), "cpu", torch.float64).min()) >= 0


def test_three_humps_against_their_formulas() -> None:
    noise = ThreeHumps(NoiseParams(scale=1.0))
    z = np.linspace(-9, 10, 39)
    truth = ndtr(np.subtract.outer(z, noise.means)) @ noise.weights
    assert noise.cdf(z) == pytest.approx(truth, abs=1e-13)
    mean = float(noise.weights @ noise.means)
    assert noise.std == pytest.approx(math.sqrt(1 + noise.weights @ np.square(noise.means - mean)), rel=1e-11)
    assert noise.log_normaliser == pytest.approx(17 + math.log(2 * math.pi) / 2, abs=1e-12)
    assert noise.quantile(np.array(0.25)) == pytest.approx(-6 + ndtri(0.5), abs=1e-9)


def test_no_draw_lies_in_a_gap() -> None:
    """The table of the sampler bends across a gap: of probability below 2^-25, by the error that it states."""
    noise = Comb(NoiseParams(scale=1.0))
    drawn = noise.sample((1_000_000,), torch.Generator().manual_seed(1), "cpu", torch.float64).abs()
    inside = (drawn < 0.125) | (drawn > 0.75)
    assert int((~inside).sum()) == 0
    assert float((drawn < 0.125).double().mean()) == pytest.approx(1 / 3, abs=0.004)
