"""Where no theorem names the worst ray: which ones a table has, where, and what it says beyond."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from robustbench_rs.api import NoiseParams, ProductNoise
from robustbench_rs.statistics.tradeoff import Blend, Stretch
from robustbench_rs_plugins.noises.cauchy import Cauchy
from robustbench_rs_plugins.noises.gaussian_laplace_mixture import GaussianLaplaceMixture
from robustbench_rs_plugins.noises.generalized_normal import GeneralizedNormal
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.pareto import Pareto
from robustbench_rs_plugins.solvers.neyman_pearson import NeymanPearsonSolver
from robustbench_rs_plugins.solvers.neyman_pearson.accounts import Accounts, floor
from robustbench_rs_plugins.solvers.neyman_pearson.build import build
from robustbench_rs_plugins.solvers.neyman_pearson.lattice import Lattice
from robustbench_rs_plugins.solvers.neyman_pearson.question import Question
from robustbench_rs_plugins.solvers.neyman_pearson.rays import equal, ray
from robustbench_rs_plugins.solvers.neyman_pearson.strand import Strand
from robustbench_rs_plugins.solvers.neyman_pearson.survey import Course, survey
from robustbench_rs_plugins.solvers.neyman_pearson.two_sided import TwoSided

ONE = NoiseParams(scale=1.0)
HEAVY: dict[str, ProductNoise] = {
    "cauchy": Cauchy(ONE),
    "pareto": Pareto(Pareto.Params(scale=1.0, a=0.5)),
    "root": GeneralizedNormal(GeneralizedNormal.Params(scale=1.0, beta=0.5)),
}
P = np.array([0.52, 0.7, 0.9, 0.95, 0.97, 0.99, 0.995, 0.999, 0.9999])
TOLERANCE = 4e-3


@pytest.mark.parametrize("runner_up", [False, True])
@pytest.mark.parametrize("name", sorted(HEAVY))
def test_radii_in_l1(name: str, runner_up: bool) -> None:
    """The worst number of coordinates grows with the radius: near what is found one by one, from either side."""
    noise, dim = HEAVY[name], 64
    rest = (0.3 if runner_up else 1.0) * (1 - P)
    solver = NeymanPearsonSolver(NeymanPearsonSolver.Params(tolerance=TOLERANCE))
    found = solver.radii(noise, 1.0, dim, P, rest)
    assert found.details["table"] is True
    assert found.upper is not None
    for i in range(len(P)):
        one = NeymanPearsonSolver(NeymanPearsonSolver.Params(tolerance=1e-3))
        alone = one.radii(noise, 1.0, dim, P[i : i + 1], rest[i : i + 1]).radius[0]
        width = (3 if runner_up else 1) * TOLERANCE * max(alone, floor(1.0, dim))
        assert alone - width <= found.radius[i] <= alone + width, P[i]
        assert found.upper[i] >= found.radius[i]


@pytest.mark.parametrize("name", sorted(HEAVY))
def test_some_ray_is_looked_at_everywhere(name: str) -> None:
    accounts = Accounts(HEAVY[name], 1.0, 64, TOLERANCE)
    courses = sorted(survey(accounts, 1.0, 64), key=lambda course: course.first)
    assert len({course.ray for course in courses}) == len(courses) > 1
    assert courses[0].first == 0.0
    reach = courses[0].last
    for course in courses[1:]:
        assert course.first < reach
        reach = max(reach, course.last)
    table, curves = build(Accounts(HEAVY[name], 1.0, 64, TOLERANCE), 1.0, 64)
    assert np.all(np.diff(table.enough) >= 0)
    assert table.enough[-1] >= 1 - 2e-7
    assert float(table.lattice.radius(np.array(len(table.enough) - 1))) == max(each.radius[-1] for each in curves)


def strand(noise: ProductNoise, first: float, last: float) -> tuple[Strand, Lattice]:
    accounts = Accounts(noise, 1.0, 8, 1e-2)
    lattice = Lattice.fine(accounts.floor, 1e-3)
    made = Strand(accounts, Course(equal(2, 1.0), first, last), lattice, Stretch(noise), Blend(noise))
    made.prepare()
    for ends in pairwise(made.points):
        made.fill(*ends, math.inf, steps=True)
    return made, lattice


def test_nothing_is_said_outside_of_a_course() -> None:
    made, lattice = strand(Cauchy(ONE), 1.25, 6.0)
    assert made.points == [1.25, 2.0, 4.0, 6.0]
    places = np.arange(lattice.index(1.25) - 3, lattice.index(6.0) + 4)
    known = np.isfinite(made.quantiles(places))
    assert np.array_equal(known, (places >= made.places.start) & (places < made.places.stop))
    sided = TwoSided(made.curves, lattice, falls=True)
    limits = np.array([0.5 + 1e-6, (made.p_star(1.25) + made.p_star(6.0)) / 2, 1 - 1e-9])
    radius, upper = sided.radius(limits, limits), sided.upper(limits, limits)
    assert radius[0] == lattice.radius(np.array(lattice.index(1.25) - 1))
    assert 1.25 <= radius[1] < upper[1] <= 6.0
    assert radius[2] == math.inf
    assert upper[0] == 1.25
    assert upper[2] == math.inf


def test_steps_fill_octaves_only() -> None:
    """A skewed law has no bound between rows but steps."""

    class Skewed(Laplace):
        """Not the law it says, but nothing is known of it."""

        symmetric = unimodal = log_concave = False
        score_turns = None

    made, lattice = strand(Skewed(ONE), 1.25, 6.0)
    assert made.points == [1.0, 2.0, 4.0, 8.0]
    assert np.all(made.enough[1:] >= made.p_star(1.0))
    assert np.all(made.enough < 1.0)
    sided = TwoSided(made.curves, lattice, falls=False)
    between = np.array([(made.p_star(2.0) + made.p_star(4.0)) / 2])
    assert 2.0 < sided.radius(between, between)[0] < 4.0


def test_unequal_sizes_are_found() -> None:
    """In two dimensions every share of the two coordinates can be looked at; near half and half is not the worst."""
    noise = GaussianLaplaceMixture(GaussianLaplaceMixture.Params(scale=1.0, weight=0.5))
    p = np.array([0.6])
    found = NeymanPearsonSolver().radii(noise, 3.0, 2, p, 1 - p)
    accounts, question = Accounts(noise, 3.0, 2, 1e-4), Question(0.6, 0.6)

    def certified(radius: float, share: float) -> bool:
        there = ray([(share ** (1 / 3), 1), ((1 - share) ** (1 / 3), 1)], 3.0)
        return question.margin(accounts.at(there, radius)) > 0

    shares = np.linspace(0.5, 0.995, 100).tolist()
    assert all(certified(found.radius[0] * (1 - 3e-4), share) for share in shares)
    assert not all(certified(found.radius[0] * (1 + 3e-4), share) for share in shares)
    assert certified(found.radius[0] * 1.005, 0.5)
