"""The solver differential: conformance, refusals, closed forms of other modules, tables."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robustbench_rs.api import NoiseParams, ProductNoise
from robustbench_rs.testing import check_component
from robustbench_rs_plugins.noises.cauchy import Cauchy
from robustbench_rs_plugins.noises.exp_linf import ExpLinf
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.pareto import Pareto
from robustbench_rs_plugins.noises.uniform import Uniform
from robustbench_rs_plugins.solvers.closed_form import ClosedFormSolver
from robustbench_rs_plugins.solvers.differential import DifferentialSolver, robustbench_rs_solvers

SIGMA = NoiseParams(sigma=0.5)
P = np.array([0.5001, 0.6, 0.9, 0.99, 0.999999])
PARETO = Pareto(Pareto.Params(scale=0.5, a=3.0))
RADIAL = ExpLinf(ExpLinf.Params(scale=0.5, k=1.0, j=0))


class Unclaimed(ProductNoise):
    """Unimodal, and silent about its score."""

    name = "unclaimed"
    symmetric = unimodal = True

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -np.log1p(np.square(z))


def test_conformance() -> None:
    noises = [Gaussian(SIGMA), Laplace(SIGMA), Uniform(SIGMA), Cauchy(NoiseParams(scale=2.0)), PARETO, RADIAL]
    results = check_component(DifferentialSolver, noises=noises)
    assert [f"{result.name}: {result.message}" for result in results if not result.passed] == []
    assert len([result for result in results if result.name.startswith("monotone in pA")]) >= 4 * len(noises)
    assert robustbench_rs_solvers() == [DifferentialSolver]


@pytest.mark.parametrize("noise", [Gaussian(SIGMA), Laplace(SIGMA), Uniform(SIGMA), PARETO])
@pytest.mark.parametrize("limits", [(P, 1 - P), (P, (1 - P) / 3)])
def test_l1_against_closed_forms(noise: ProductNoise, limits: tuple[np.ndarray, np.ndarray]) -> None:
    """The differential method is exact in l1 for log-concave noise; for Pareto noise its formula is known."""
    ours = DifferentialSolver().radii(noise, 1.0, 3072, *limits)
    exact = ClosedFormSolver().radii(noise, 1.0, 3072, *limits)
    assert ours.guarantee == "proved"
    assert exact.upper is not None
    assert np.all(ours.radius <= exact.upper)
    assert ours.radius == pytest.approx(exact.radius, rel=2e-5)
    assert ours.upper is not None
    assert np.all(ours.radius <= ours.upper)


@pytest.mark.parametrize("noise", [Gaussian(SIGMA), Uniform(SIGMA)])
@pytest.mark.parametrize("dim", [1, 2, 784])
def test_linf_never_above_the_exact_radius(noise: ProductNoise, dim: int) -> None:
    ours = DifferentialSolver().radii(noise, math.inf, dim, P, 1 - P).radius
    exact = ClosedFormSolver().radii(noise, math.inf, dim, P, 1 - P).upper
    assert exact is not None
    assert np.all(ours <= exact)
    assert np.all(ours > 0)


@pytest.mark.parametrize(
    ("noise", "norm", "part"),
    [
        (Laplace(SIGMA), 2.0, "l2-differential"),
        (Unclaimed(NoiseParams(scale=1.0)), 1.0, "score_turns"),
        (RADIAL, 2.0, "l1 and l-inf"),
    ],
)
def test_refusals_say_why(noise: ProductNoise, norm: float, part: str) -> None:
    solver = DifferentialSolver()
    refusal = solver.refusal(noise, norm, 3072)
    assert refusal is not None
    assert part in refusal
    with pytest.raises(ValueError, match=part):
        solver.radii(noise, norm, 3072, P, 1 - P)


def test_tables_are_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for l1 in all dimensions, one for l-inf in each; scales share them."""
    solver = DifferentialSolver()
    first = solver.radii(Laplace(SIGMA), 1.0, 3, P, 1 - P).radius
    corner = solver.radii(Laplace(SIGMA), math.inf, 3, P, 1 - P).radius

    def fail(*_: object) -> None:
        raise AssertionError("built again")

    monkeypatch.setattr("robustbench_rs_plugins.solvers.differential.score_law", fail)
    double = Laplace(NoiseParams(sigma=1.0))
    assert solver.radii(double, 1.0, 3072, P, 1 - P).radius == pytest.approx(2 * first, rel=1e-12)
    assert solver.radii(double, math.inf, 3, P, 1 - P).radius == pytest.approx(2 * corner, rel=1e-12)
    with pytest.raises(AssertionError, match="built again"):
        solver.radii(double, math.inf, 4, P, 1 - P)


def test_radial_noise_goes_its_own_way() -> None:
    """exp(-abs(x)_inf / scale) in l-inf: scale ln(1 / (2 (1 - pA)))."""
    ours = DifferentialSolver().radii(RADIAL, math.inf, 48, P, 1 - P)
    assert ours.guarantee == "proved"
    assert np.all(ours.radius <= 0.5 * np.log(1 / (2 * (1 - P))) * (1 + 1e-12))
    assert ours.radius == pytest.approx(0.5 * np.log(1 / (2 * (1 - P))), rel=1e-4)
