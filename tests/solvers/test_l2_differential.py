"""The solver l2-differential: conformance, refusals, tables, speed of a lookup."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robustbench_rs.api import NoiseParams, ProductNoise, VectorNoise
from robustbench_rs.statistics.differential import l2
from robustbench_rs.statistics.differential.half_space import half_space_upper
from robustbench_rs.testing import check_component
from robustbench_rs_plugins.noises.cauchy import Cauchy
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.generalized_normal import GeneralizedNormal
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.logistic import Logistic
from robustbench_rs_plugins.noises.uniform import Uniform
from robustbench_rs_plugins.solvers.l2_differential import L2DifferentialSolver, robustbench_rs_solvers

SIGMA = NoiseParams(sigma=0.5)
P = np.array([0.6, 0.9, 0.99])


class RaisedCosine(ProductNoise):
    """Known by its density alone."""

    name = "raised-cosine"
    support = (-1.0, 1.0)
    symmetric = unimodal = log_concave = True

    def log_density(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log1p(np.cos(np.pi * z))


class Skewed(RaisedCosine):
    """No claims."""

    name = "skewed"
    symmetric = False


class Correlated(VectorNoise):
    name = "correlated"

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -np.square(z.sum(axis=-1))

    def sample(self, *_: object) -> None:  # type: ignore[override]
        raise NotImplementedError


def beta(value: float) -> GeneralizedNormal:
    return GeneralizedNormal(GeneralizedNormal.Params(scale=1.0, beta=value))


def test_conformance() -> None:
    noises = [Gaussian(SIGMA), Laplace(SIGMA), Uniform(SIGMA), beta(3.0), Cauchy(NoiseParams(scale=2.0))]
    results = check_component(L2DifferentialSolver, noises=noises)
    assert [f"{result.name}: {result.message}" for result in results if not result.passed] == []
    assert len([result for result in results if result.name.startswith("monotone in pA")]) >= 2 * (len(noises) + 1)
    assert robustbench_rs_solvers() == [L2DifferentialSolver]


@pytest.mark.parametrize(
    ("noise", "norm", "part"),
    [
        (Laplace(SIGMA), 1.0, "l2 only"),
        (Laplace(SIGMA), math.inf, "l2 only"),
        (Skewed(NoiseParams(scale=1.0)), 2.0, "symmetric"),
        (Correlated(NoiseParams(scale=1.0)), 2.0, "independent"),
        (beta(0.4), 2.0, "Fisher information"),
    ],
)
def test_refusals_say_why(noise: ProductNoise, norm: float, part: str) -> None:
    solver = L2DifferentialSolver()
    refusal = solver.refusal(noise, norm, 3072)
    assert refusal is not None
    assert part in refusal
    with pytest.raises(ValueError, match=part):
        solver.radii(noise, norm, 3072, P, 1 - P)


def test_details_and_bracket() -> None:
    radii = L2DifferentialSolver().radii(Logistic(SIGMA), 2.0, 3072, P, 1 - P)
    assert radii.guarantee == "proved"
    assert radii.radius == pytest.approx(0.5 * np.array([0.2228, 1.1275, 2.0595]), rel=1e-3)
    assert radii.upper is not None
    assert np.all(radii.radius < radii.upper)
    assert np.all(radii.upper >= Logistic(SIGMA).scale * Logistic(SIGMA).quantile(P))
    assert np.all(radii.upper <= Logistic(SIGMA).scale * Logistic(SIGMA).quantile(P) * (1 + 1e-9))
    assert radii.details["fisher_information"] == pytest.approx(1 / 3, rel=1e-6)


def test_a_density_alone_is_enough() -> None:
    radii = L2DifferentialSolver().radii(RaisedCosine(SIGMA), 2.0, 3072, P, 1 - P)
    flat = 0.5 * np.array([0.2533, 1.2816, 2.3263])  # no noise is better in many dimensions
    assert np.all(radii.radius < flat)
    assert np.all(radii.radius > 0.5 * flat)


def test_one_table_for_all_scales_and_dimensions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second use comes from the table; another density has another key."""
    solver = L2DifferentialSolver()
    first = solver.radii(Laplace(SIGMA), 2.0, 3072, P, 1 - P).radius

    def fail(*_: object) -> None:
        raise AssertionError("built again")

    monkeypatch.setattr("robustbench_rs_plugins.solvers.l2_differential.l2_constants", fail)
    again = solver.radii(Laplace(NoiseParams(sigma=1.0)), 2.0, 784, P, 1 - P).radius
    assert again == pytest.approx(2 * first, rel=1e-12)
    with pytest.raises(AssertionError, match="built again"):
        solver.radii(beta(1.5), 2.0, 3072, P, 1 - P)
    assert l2.l2_constants is not fail


def test_impossible_limits_are_no_certificate() -> None:
    """pB larger than what pA leaves is cut to that; ties and lost majorities are 0."""
    radii = L2DifferentialSolver().radii(
        Laplace(SIGMA), 2.0, 8, np.array([0.9, 0.5, 0.3, 1.0]), np.array([0.5, 0.5, 0.4, 0.0])
    )
    usual = L2DifferentialSolver().radii(Laplace(SIGMA), 2.0, 8, np.array([0.9]), np.array([0.1]))
    assert radii.radius[0] == usual.radius[0]
    assert radii.radius[1:3].tolist() == [0.0, 0.0]
    assert radii.radius[3] > 5 * usual.radius[0]


@pytest.mark.parametrize("count", [60, 3000])
def test_upper_value_is_above_the_half_space(count: int) -> None:
    """Also where many limits share interpolated quantiles: chords of a convex function."""
    rng = np.random.default_rng(2)
    top = np.concatenate([rng.uniform(0.5, 1.0, count), 1 - 10 ** rng.uniform(-9, -1, count), [0.3, 0.5]])
    other = np.concatenate([1 - top[:count], (1 - top[count:-2]) * rng.random(count), [0.1, 0.5]])
    for noise in (Laplace(SIGMA), Cauchy(NoiseParams(scale=1.0)), beta(3.0)):
        upper = noise.scale * half_space_upper(noise, top, other)
        exact = np.maximum(noise.scale * (noise.quantile(top) - noise.quantile(other)) / 2, 0.0)
        assert np.all(upper >= exact * (1 - 1e-13))
        assert np.all(upper <= exact * 1.05)
