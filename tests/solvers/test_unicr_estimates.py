"""Estimates of unicr against known radii, and the defects of the published code that must not come back.

Statistical tests repeat an estimate with independent seeds and compare the mean with the truth by Student's t at a
false-alarm rate of 1e-7 each (the means of tens of estimates of thousands of draws being normal to good precision).
``bias`` is what the method itself allows: half the width of the bisection's last interval, rounded down.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import t as student

from robustbench_rs.api import NoiseParams, ProductNoise
from robustbench_rs_plugins.noises.cauchy import Cauchy
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.uniform import Uniform
from robustbench_rs_plugins.solvers.unicr import UnicrParams, UnicrSolver
from robustbench_rs_plugins.solvers.unicr.measuring import Ball
from robustbench_rs_plugins.solvers.unicr.power import Power

FALSE_ALARM = 1e-7
UNIT = NoiseParams(sigma=1.0)
FINE = 2e-4


def check_mean(errors: np.ndarray, bias: float) -> None:
    """The mean of independent relative errors (R,) is 0, up to ``bias``."""
    count = len(errors)
    width = student.isf(FALSE_ALARM / 2, count - 1) * errors.std(ddof=1) / math.sqrt(count)
    assert width < 0.03, "too few draws for the test to find anything"
    assert abs(errors.mean()) < width + bias


def along(noise: ProductNoise, direction: np.ndarray, p_lower: float, p_upper: float, seeds: int) -> np.ndarray:
    """Euclidean radii (seeds,) in one direction, no search."""
    radii = []
    for seed in range(seeds):
        params = UnicrParams(draws=4000, tolerance=FINE, seed=seed)
        ball = Ball(noise, 2.0, params, [direction], np.array([p_lower]), np.array([p_upper]))
        radii.append(ball.lattice.scale(ball.estimated(scan=False))[0])
    return np.array(radii)


@pytest.mark.parametrize(
    ("p_lower", "p_upper"), [(0.501, 0.499), (0.6, 0.4), (0.99, 0.01), (1 - 1e-9, 1e-9), (0.6, 0.1)]
)
def test_gaussian_along_a_ray(p_lower: float, p_upper: float) -> None:
    """Every direction has the radius (Phi^-1(pA) - Phi^-1(pB)) / 2 (Cohen et al. 2019), one-sided and two-sided."""
    truth = (ndtri(p_lower) - ndtri(p_upper)) / 2
    radii = along(Gaussian(UNIT), np.array([1.0, -0.3, 0.2, 0.0, 2.0]), p_lower, p_upper, seeds=40)
    check_mean(radii / truth - 1, bias=FINE + 3 / 4000)


@pytest.mark.parametrize("p_lower", [0.51, 0.6, 0.99])
def test_laplace_one_coordinate(p_lower: float) -> None:
    """-scale ln(2 (1 - pA)). The ratio has atoms at both ends, a quarter to a half of the mass each: the published code
    gave 13 per cent of the radius at 0.6 and 129 at 0.99."""
    truth = -math.sqrt(0.5) * math.log(2 * (1 - p_lower))
    radii = along(Laplace(UNIT), np.array([0.0, 1.0, 0.0]), p_lower, 1 - p_lower, seeds=40)
    check_mean(radii / truth - 1, bias=FINE + 3 / 4000)


@pytest.mark.parametrize(("p_lower", "p_upper"), [(0.6, 0.4), (0.95, 0.05), (0.7, 0.1)])
def test_uniform_one_coordinate(p_lower: float, p_upper: float) -> None:
    """scale (pA - pB): the ratio is 0, 1 or infinite, nothing else."""
    radii = along(Uniform(UNIT), np.array([1.0, 0.0]), p_lower, p_upper, seeds=40)
    check_mean(radii / (math.sqrt(3) * (p_lower - p_upper)) - 1, bias=FINE + 3 / 4000)


def cauchy_radius(p_lower: float) -> float:
    """One coordinate of Cauchy noise of scale 1, by enumeration of 200,000 cells of equal mass under P."""
    edges = np.tan(math.pi * (np.linspace(0, 1, 200_001) - 0.5))
    middles = np.tan(math.pi * ((np.arange(200_000) + 0.5) / 200_000 - 0.5))
    low, high = 0.0, 1e6
    for _ in range(60):
        shift = (low + high) / 2
        moved = np.diff(np.arctan2(edges - shift, 1.0)) / math.pi
        order = np.argsort((1 + middles**2) / (1 + (middles - shift) ** 2))
        kept = moved[order][: round(p_lower * 200_000)].sum()
        low, high = (shift, high) if kept > 0.5 else (low, shift)
    return low


@pytest.mark.parametrize("p_lower", [0.7, 0.99])
def test_cauchy_is_sampled_whole(p_lower: float) -> None:
    """The published sampler cut the noise at 5 standard deviations, and certified the density that was not cut: beyond
    5 scales lie 12.6 per cent of Cauchy's mass."""
    truth = cauchy_radius(p_lower)
    radii = along(Cauchy(NoiseParams(scale=1.0)), np.array([1.0]), p_lower, 1 - p_lower, seeds=40)
    check_mean(radii / truth - 1, bias=FINE + 3 / 4000)


@pytest.mark.parametrize(
    ("noise", "norm", "p_lower"),
    [
        (Gaussian, 2.0, 0.9),
        (Gaussian, math.inf, 0.9),
        (Laplace, 1.0, 0.6),
        (Laplace, 1.0, 0.99),
        (Uniform, math.inf, 0.9),
    ],
)
def test_whole_solver_against_closed_forms(noise: type[ProductNoise], norm: float, p_lower: float) -> None:
    """In 32 dimensions, with the search. Where all directions are equally bad (Gaussian l2) the smallest of the few
    that are tried lies below the mean by up to about two standard errors of one, which is 1 to 2 per cent."""
    law = noise(UNIT)
    form = law.closed_form(norm, 32)
    assert form is not None
    limits = np.array([p_lower]), np.array([1 - p_lower])
    truth = form.radius(*limits)[0]
    errors = np.array(
        [
            UnicrSolver(UnicrParams(draws=4000, pilot=50, levels=(0.9,), seed=seed))
            .radii(law, norm, 32, *limits)
            .radius[0]
            for seed in range(36)
        ]
    )
    check_mean(errors / truth - 1, bias=0.02)


def test_no_rank_is_lost() -> None:
    """Four draws whose masses are known by hand. The published threshold was the draw one rank too high."""
    log_two = math.log(2.0)
    power = Power.of(np.array([-log_two, -log_two]), np.array([log_two, log_two]))
    # Two atoms of ratio 2 and two of 1/2: P-mass 1/6 and 1/3 each, Q-mass 1/3 and 1/6.
    sizes = np.array([0.0, 1 / 6, 0.25, 1 / 3, 0.5, 2 / 3, 1.0])
    assert power.at(sizes) == pytest.approx([0.0, 1 / 3, 0.5, 2 / 3, 0.75, 5 / 6, 1.0], rel=1e-12)
    assert power.threshold(np.array([0.3, 0.5])) == pytest.approx([log_two, -log_two])


def test_atoms_are_shared_out() -> None:
    """A quarter of P is lost, a quarter of Q is new, on the rest the ratio is 1: T(a) = 3/4 - a."""
    power = Power.of(np.array([-np.inf, 0.0, 0.0, 0.0]), np.array([np.inf, 0.0, 0.0, 0.0]))
    size = np.linspace(0, 0.75, 16)
    assert power.at(size) == pytest.approx(size + 0.25, rel=1e-12)


def test_the_margin_must_be_positive() -> None:
    """The published code accepted K >= -0.01. Here a scale whose margin is 0 is not certified, nor any above."""
    power = Power.of(np.array([-np.inf, 0.0, 0.0, 0.0]), np.array([np.inf, 0.0, 0.0, 0.0]))
    assert power.margin(np.array([0.75]), np.array([0.25])).tolist() == [0.0]
    noise = Uniform(NoiseParams(scale=1.0))
    params = UnicrParams(draws=100, tolerance=FINE)
    ball = Ball(noise, 1.0, params, [np.array([1.0])], np.array([0.75]), np.array([0.25]))
    index = ball.estimated(scan=False)
    at, above = (ball._estimate(ball.lattice.scale(index + step), np.array([0]))[0] for step in (0, 1))
    assert at > 0 >= above


def test_ratios_of_thousands_of_coordinates_neither_overflow_nor_tie() -> None:
    """A product of 3,072 ratios in float32 is 0 or infinite for most draws; ln r is about +-3,000 here."""
    params = UnicrParams(draws=200)
    shift = np.full(3072, 2.0)
    ball = Ball(Laplace(UNIT), math.inf, params, [np.ones(3072)], np.array([0.9]), np.array([0.1]))
    under_p, under_q = ball._measure.of(shift)
    assert -6000 < under_p.max() < -1000
    assert 1000 < under_q.min() < 6000
    assert len(np.unique(np.concatenate([under_p, under_q]))) == 400
    assert ball._estimate(shift, np.array([0])).tolist() == [-1.0]


@pytest.mark.parametrize("p_lower", [0.6, 0.99])
def test_small_and_large_scales_are_solved_alike(p_lower: float) -> None:
    """The published code silently dropped inputs whose radius was above 10. Order and repetitions are kept too."""
    lower = np.array([p_lower, 0.3, p_lower, 0.999])
    radii = [
        UnicrSolver(UnicrParams(draws=500, pilot=100)).radii(Gaussian(NoiseParams(sigma=s)), 2.0, 3, lower, 1 - lower)
        for s in (1.0, 1024.0)
    ]
    assert radii[1].radius == pytest.approx(1024 * radii[0].radius, rel=1e-6)
    assert radii[1].radius[0] == radii[1].radius[2] > 100
    assert radii[1].radius[1] == 0
    assert radii[1].radius[3] > radii[1].radius[0]


def test_certain_classes_have_no_boundary() -> None:
    """pA = 1: infinite where no shift leads outside the support, the width of the support where it does."""
    one, zero = np.array([1.0]), np.array([0.0])
    solver = UnicrSolver(UnicrParams(draws=500, pilot=100))
    assert solver.radii(Gaussian(UNIT), 2.0, 2, one, zero).radius.tolist() == [math.inf]
    assert solver.radii(Uniform(NoiseParams(scale=1.0)), 1.0, 1, one, zero).radius[0] == pytest.approx(1.0, rel=0.3)


def test_the_worst_number_of_coordinates_depends_on_the_norm() -> None:
    """Laplace noise in l1: one coordinate; in l-inf: all. The radius is that of the right one, to 10 per cent."""
    limits = np.array([0.9]), np.array([0.1])
    solver = UnicrSolver(UnicrParams(pilot=200))
    l1 = solver.radii(Laplace(UNIT), 1.0, 256, *limits).radius[0]
    linf = solver.radii(Laplace(UNIT), math.inf, 256, *limits).radius[0]
    assert l1 == pytest.approx(-math.sqrt(0.5) * math.log(0.2), rel=0.1)
    # In high dimension a small shift of all coordinates is a Gaussian one (local asymptotic normality).
    assert linf == pytest.approx(math.sqrt(0.5) * ndtri(0.9) / 16, rel=0.1)
