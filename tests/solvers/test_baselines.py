"""The baselines pixeldp and renyi: their formulas, their conditions, and never above the exact radius."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from robustbench_rs.api import NoiseParams, Solver
from robustbench_rs.testing import check_component
from robustbench_rs_plugins.noises.cauchy import Cauchy
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.solvers import pixeldp, renyi

SIGMA = NoiseParams(sigma=0.5)
SOLVERS: list[type[Solver]] = [pixeldp.PixelDPSolver, renyi.RenyiSolver]


@pytest.mark.parametrize("solver", SOLVERS)
def test_conformance(solver: type[Solver]) -> None:
    results = check_component(solver, noises=[Gaussian(SIGMA), Laplace(SIGMA), Cauchy(NoiseParams(scale=1.0))])
    assert [f"{result.name}: {result.message}" for result in results if not result.passed] == []
    assert solver.effort == 0


@pytest.mark.parametrize("solver", SOLVERS)
def test_never_above_cohen_2019(solver: type[Solver]) -> None:
    """sigma (Phi^-1(pA) - Phi^-1(pB)) / 2 is exact; random limits, one- and two-sided, near ties too."""
    rng = np.random.default_rng(11)
    top = np.concatenate([rng.uniform(0.5, 1.0, 4000), 0.5 + np.geomspace(1e-9, 1e-3, 100)])
    other = np.where(rng.random(len(top)) < 0.5, 1 - top, (1 - top) * rng.random(len(top)))
    few = rng.uniform(0.05, 0.5, 2000)  # many classes: pA below 1/2
    top, other = np.append(top, few), np.append(other, few * rng.random(2000))
    radii = solver().radii(Gaussian(SIGMA), 2.0, 3072, top, other)
    exact = 0.25 * (ndtri(top) - ndtri(other))
    assert radii.guarantee == "proved"
    assert np.all(radii.radius <= exact * (1 + 1e-13))
    assert np.mean(radii.radius > 0) > 0.9


def test_pixeldp_is_its_formula() -> None:
    """A fine grid over b; Lecuyer et al. 2019 with the classical Gaussian mechanism."""
    p, b = np.array([0.6, 0.8, 0.95, 0.999]), np.linspace(1e-6, 1 - 1e-9, 400_001)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        value = 0.5 * b / np.sqrt(2 * np.log(1.25 * (1 + np.exp(b)) / (p - np.exp(2 * b) * (1 - p))))
    truth = np.nanmax(np.where(b < np.log(p / (1 - p)) / 2, value, 0.0), axis=0)
    ours = pixeldp.PixelDPSolver().radii(Gaussian(SIGMA), 2.0, 10, p, 1 - p).radius
    assert ours == pytest.approx(truth, rel=1e-5)


def test_pixeldp_mechanism_is_private_where_it_is_used() -> None:
    """Balle and Wang 2018, Theorem 8: the exact delta of the Gaussian mechanism never exceeds the one that is spent."""
    for delta in np.append(np.geomspace(1e-8, 0.3, 30), pixeldp.LARGEST_DELTA):
        for b in np.linspace(0.01, 0.999, 40):
            shift = b / math.sqrt(2 * math.log(1.25 / delta))
            exact = ndtr(shift / 2 - b / shift) - math.exp(b) * ndtr(-shift / 2 - b / shift)
            assert exact <= delta


def test_pixeldp_laplace_is_pure_privacy() -> None:
    """scale ln(pA / pB) / 2, at most the exact -scale ln(2 (1 - pA))."""
    p = np.array([0.5001, 0.6, 0.9, 0.999])
    noise = Laplace(NoiseParams(scale=2.0))
    radii = pixeldp.PixelDPSolver().radii(noise, 1.0, 10, p, 1 - p).radius
    assert radii == pytest.approx(np.log(p / (1 - p)), rel=1e-9)
    assert np.all(radii <= -2.0 * np.log(2 * (1 - p)))


def test_renyi_is_its_formula() -> None:
    p, a = np.array([0.6, 0.8, 0.95, 0.999]), 1 + np.geomspace(1e-4, 60, 100_001)[:, None]
    mean = (0.5 * (p ** (1 - a) + (1 - p) ** (1 - a))) ** (1 / (1 - a))
    truth = 0.5 * np.sqrt(np.max(-2 / a * np.log(2 * mean), axis=0))
    ours = renyi.RenyiSolver().radii(Gaussian(SIGMA), 2.0, 10, p, 1 - p).radius
    assert ours == pytest.approx(truth, rel=1e-5)
    assert np.all(ours <= truth * (1 + 1e-9))


def test_refusals_say_why() -> None:
    cauchy, gaussian, laplace = Cauchy(NoiseParams(scale=1.0)), Gaussian(SIGMA), Laplace(SIGMA)
    for solver in (pixeldp.PixelDPSolver(), renyi.RenyiSolver()):
        for noise, norm in ((cauchy, 2.0), (gaussian, math.inf), (laplace, 2.0)):
            refusal = solver.refusal(noise, norm, 3)
            assert refusal
            with pytest.raises(ValueError, match="about"):
                solver.radii(noise, norm, 3, np.array([0.9]), np.array([0.1]))
        assert solver.refusal(gaussian, 2.0, 3) is None
        assert solver.refusal(gaussian, 1.0, 3) is None


def test_limits_of_zero_and_one() -> None:
    top, other = np.array([1.0, 1.0, 0.0, 0.7]), np.array([0.0, 1.0, 0.0, 0.0])
    for solver in (pixeldp.PixelDPSolver(), renyi.RenyiSolver()):
        radius = solver.radii(Gaussian(SIGMA), 2.0, 3, top, other).radius
        assert not np.any(np.isnan(radius))
        assert radius[1:3].tolist() == [0.0, 0.0]
        assert radius[0] > 0
        assert radius[3] > 0
