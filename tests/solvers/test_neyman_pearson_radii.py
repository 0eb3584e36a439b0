"""Single radii by likelihood-ratio accounting against closed forms: never above, below by less than the tolerance."""

from __future__ import annotations

import math

import neyman_pearson_oracles as oracles
import numpy as np
import pytest

from robustbench_rs.api import NoiseParams, ProductNoise, Radii
from robustbench_rs.statistics.tradeoff import trade_off
from robustbench_rs.testing import check_component
from robustbench_rs_plugins.noises.exp_l2 import ExpL2
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.uniform import Uniform
from robustbench_rs_plugins.solvers.neyman_pearson import NeymanPearsonSolver
from robustbench_rs_plugins.solvers.neyman_pearson.accounts import floor

ONE = NoiseParams(scale=1.0)
SINGLE = 1e-4
P = np.array([0.5001, 0.6, 0.9, 0.999, 0.999999])


def solve(noise: ProductNoise, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray | None = None) -> Radii:
    return NeymanPearsonSolver().radii(noise, norm, dim, p_lower, 1 - p_lower if p_upper is None else p_upper)


def one_by_one(noise: ProductNoise, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> list[Radii]:
    pairs = zip(p_lower, p_upper, strict=True)
    return [solve(noise, norm, dim, np.array([a]), np.array([b])) for a, b in pairs]


def exact(noise: ProductNoise, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
    form = noise.closed_form(norm, dim)
    assert form is not None
    assert form.exact
    return form.radius(p_lower, p_upper)


@pytest.mark.parametrize(
    ("family", "norm", "dim", "guarantee"),
    [
        (Gaussian, 1.0, 1, "proved"),
        (Gaussian, 1.0, 3072, "proved"),
        (Gaussian, math.inf, 64, "proved"),
        (Gaussian, math.inf, 3072, "proved"),
        (Gaussian, 2.0, 16, "searched"),
        (Gaussian, 3.0, 16, "searched"),
        (Laplace, 1.0, 3072, "proved"),
        (Laplace, 2.0, 1, "proved"),
        (Uniform, 1.0, 3072, "proved"),
        (Uniform, math.inf, 3072, "proved"),
        (Uniform, math.inf, 2, "proved"),
    ],
)
def test_closed_forms(family: type[ProductNoise], norm: float, dim: int, guarantee: str) -> None:
    noise = family(ONE)
    p_lower, p_upper = np.append(P, [0.6, 0.45]), np.append(1 - P, [0.01, 0.3])
    if guarantee == "searched":
        p_lower, p_upper = p_lower[[2, 5]], p_upper[[2, 5]]
    truth = exact(noise, norm, dim, p_lower, p_upper)
    for true, radii in zip(truth, one_by_one(noise, norm, dim, p_lower, p_upper), strict=True):
        assert radii.guarantee == guarantee
        assert radii.details["table"] is False
        width = SINGLE * max(true, floor(norm, dim))
        assert true - width < radii.radius[0] <= true * (1 + 1e-12)
        assert radii.upper is not None
        assert true * (1 - 1e-12) <= radii.upper[0] <= radii.radius[0] + 3 * width


def test_gaussian_l2_of_an_image() -> None:
    """Every direction is equally bad, so a search must find the exact radius too: 0.5 x Phi^-1(0.9)."""
    radii = solve(Gaussian(NoiseParams(sigma=0.5)), 2.0, 3072, np.array([0.9]))
    assert 0.5 * 1.2815515655446004 * (1 - SINGLE) < radii.radius[0] < 0.5 * 1.2815515655446004
    assert radii.guarantee == "searched"


def test_the_radius_itself_was_found_certified() -> None:
    """Not only some neighbour of it: the engine, asked about the shift of that norm, certifies it."""
    noise = Laplace(ONE)
    for p in (0.6, 0.9, 0.999):
        radius = float(solve(noise, math.inf, 64, np.array([p])).radius[0])
        ours = [trade_off(noise, [oracles.Group(radius, 64)], tolerance) for tolerance in (1e-5, 1e-6)]
        assert all(curve.p_star() < p for curve in ours)


def test_cauchy_needs_more_than_one_coordinate() -> None:
    """l1: one coordinate would allow 1.41 times the radius at 0.99999; the label says that directions were searched."""
    noise = oracles.Cauchy(ONE)
    radii = solve(noise, 1.0, 64, np.array([0.99999]))
    line = solve(noise, 1.0, 1, np.array([0.99999]))
    assert radii.guarantee == "searched"
    assert line.guarantee == "proved"
    assert radii.radius[0] < 0.8 * line.radius[0]
    assert "coordinates" in str(radii.details["direction"])


@pytest.mark.parametrize("norm", [1.5, 2.0, 4.0])
def test_no_direction_at_random_is_worse_than_those_searched(norm: float) -> None:
    rng = np.random.default_rng(5)
    noise = Laplace(ONE)
    for p in (0.7, 0.99):
        radius = 0.998 * float(solve(noise, norm, 6, np.array([p])).radius[0])
        for direction in np.abs(rng.normal(size=(25, 6))) ** rng.choice([0.3, 1.0, 3.0], size=(25, 1)):
            sizes = radius * direction / np.linalg.norm(direction, ord=norm)
            shift = [oracles.Group(size, 1) for size in sizes.tolist()]
            assert trade_off(noise, shift, 1e-3).p_star() < p


def test_a_skewed_law_is_shifted_both_ways() -> None:
    """The Gumbel law allows more downwards than upwards: the smaller of the two radii is the answer, by a theorem."""
    noise = oracles.Gumbel(ONE)
    for p in (0.6, 0.99):
        up = float(noise.quantile(np.array(p)) - noise.quantile(np.array(0.5)))
        down = float(noise.quantile(np.array(0.5)) - noise.quantile(np.array(1 - p)))
        radii = solve(noise, 2.0, 1, np.array([p]))
        assert min(up, down) * (1 - SINGLE) < radii.radius[0] <= min(up, down)
        assert max(up, down) > 1.05 * min(up, down)
        assert radii.guarantee == "proved"
    assert solve(noise, math.inf, 3, np.array([0.9])).guarantee == "searched"


def test_a_shorter_shift_may_be_worse() -> None:
    """No radius beyond 1/2, though the shift by 1 is certified: nothing is concluded from one radius to smaller."""
    noise, p = oracles.Comb(ONE), 0.8
    assert trade_off(noise, [oracles.Group(1.0, 1)], 1e-3).p_star() < p
    assert trade_off(noise, [oracles.Group(0.5, 1)], 1e-3, optimistic=True).p_star() > p
    radii = solve(noise, 2.0, 1, np.array([p]))
    assert radii.guarantee == "searched"
    assert 0 < radii.radius[0] < 0.5


def test_two_sided_limits_help() -> None:
    noise = Laplace(ONE)
    radius = [r.radius[0] for r in one_by_one(noise, math.inf, 16, np.full(4, 0.7), np.array([0.5, 0.3, 0.1, 1e-6]))]
    assert radius[0] == radius[1]  # no class can have more than 1 - pA
    assert radius[1] < radius[2] < radius[3]


def test_limits_that_certify_nothing_or_everything() -> None:
    noise = Gaussian(ONE)
    radii = solve(noise, math.inf, 4, np.array([0.5, 0.2, 0.5 + 1e-15, 1.0, 0.0]))
    assert radii.radius[[0, 1, 2, 4]].tolist() == [0.0, 0.0, 0.0, 0.0]
    assert 3.0 < radii.radius[3] < math.inf
    assert radii.upper is not None
    assert math.isinf(radii.upper[3])
    assert radii.upper[[0, 1, 4]].tolist() == [0.0, 0.0, 0.0]
    bounded = solve(Uniform(ONE), math.inf, 4, np.array([1.0]))
    assert 2 * (1 - 0.5**0.25) * (1 - SINGLE) < bounded.radius[0] <= 2 * (1 - 0.5**0.25)


def test_radii_scale_with_the_noise() -> None:
    p = np.array([0.6, 0.99])
    one, seven = (solve(Laplace(NoiseParams(scale=scale)), math.inf, 8, p).radius for scale in (1.0, 7.0))
    np.testing.assert_allclose(seven, 7 * one, rtol=1e-12)


def test_a_tolerance_is_kept() -> None:
    solver = NeymanPearsonSolver(NeymanPearsonSolver.Params(tolerance=1e-5))
    truth = exact(Gaussian(ONE), math.inf, 64, np.array([0.9]), np.array([0.1]))
    radii = solver.radii(Gaussian(ONE), math.inf, 64, np.array([0.9]), np.array([0.1]))
    assert truth[0] * (1 - 1e-5) < radii.radius[0] < truth[0]
    assert radii.details["tolerance"] == 1e-5
    for wrong in (0.0, 0.5, -1.0):
        with pytest.raises(ValueError, match="tolerance"):
            NeymanPearsonSolver.Params(tolerance=wrong)


def test_refusals_say_why() -> None:
    solver = NeymanPearsonSolver()
    refusal = solver.refusal(ExpL2(ExpL2.Params(scale=1.0)), 2.0, 4)
    assert refusal is not None
    assert "exp-l2" in refusal
    assert "independent" in refusal
    with pytest.raises(ValueError, match="independent"):
        solver.radii(ExpL2(ExpL2.Params(scale=1.0)), 2.0, 4, np.array([0.9]), np.array([0.1]))
    assert "p = 0.5" in str(solver.refusal(Gaussian(ONE), 0.5, 4))
    assert solver.refusal(oracles.Comb(ONE), 1.7, 150_528) is None


class Coarse(NeymanPearsonSolver):
    """Two per cent, so that the many tables of the conformance suite take seconds."""

    class Params(NeymanPearsonSolver.Params):
        tolerance: float | None = 0.02


@pytest.mark.slow
def test_conformance() -> None:
    results = check_component(Coarse, noises=[oracles.Cauchy(ONE)])
    assert len(results) > 50
    assert [f"{result.name}: {result.message}" for result in results if not result.passed] == []
