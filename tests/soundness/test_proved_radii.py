"""A slice of ``benchmarks/soundness.py``: nothing inside a proved ball is refuted, and radii too large are noticed."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from independent import units
from independent.counting import Tallies, merge

from robustbench_rs.api import Noise, ProductNoise, RadialNoise, Radii, Solver

PER_FAMILY = 4
QUICK = units.registry(False).names("solver")


@pytest.fixture
def few_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "QUESTIONS", 12)


def collected(soundness: ModuleType, family: str, seed: int, inflate: float = 1.0) -> Tallies:
    """Units without tables: the index decides that."""
    tallies: Tallies = {}
    for i in range(PER_FAMILY):
        merge(tallies, soundness.check(len(units.FAMILIES) + i, seed, inflate, family))
    return tallies


@pytest.mark.parametrize("family", units.FAMILIES)
def test_no_proved_radius_is_refuted(soundness: ModuleType, few_questions: None, family: str) -> None:
    tallies = collected(soundness, family, seed=21)
    assert [text for tally in tallies.values() for text in tally.shown] == []
    assert sum(tally.cases for tally in tallies.values()) >= 20
    assert {key.family for key in tallies} == {family}


def test_radii_a_quarter_of_a_per_cent_too_large_are_refuted(soundness: ModuleType, few_questions: None) -> None:
    """In families with exact radii, whatever the norm."""
    for family in ("gaussian", "laplace", "uniform", "logistic", "triangular", "uniform-l2-ball"):
        tallies = collected(soundness, family, seed=22, inflate=1.0025)
        assert sum(tally.violations for tally in tallies.values()) > 0, family


def test_every_installed_family_is_known_to_the_check() -> None:
    """A new product or norm-radial family needs a law of its own in ``benchmarks/independent``."""
    installed = units.installed().components(Noise.kind)
    checked = {component.name for component in installed if issubclass(component, ProductNoise | RadialNoise)}
    assert checked == set(units.FAMILIES)


def test_every_solver_that_can_prove_takes_part(soundness: ModuleType, few_questions: None) -> None:
    """Those without tables answer within the slice; those with tables are asked in ``test_solvers_with_tables``."""
    tallies: Tallies = {}
    for family in ("gaussian", "laplace", "pareto", "exp-linf"):
        for seed in (21, 23, 24):
            merge(tallies, collected(soundness, family, seed))
    answered = {key.solver for key in tallies}
    quick = units.registry(False).components(Solver.kind)
    assert answered == {component.name for component in quick if component.strongest == "proved"} | {"auto"}


@pytest.mark.slow
@pytest.mark.parametrize("solver", [name for name in units.registry().names("solver") if name not in QUICK])
def test_solvers_with_tables(soundness: ModuleType, solver: str) -> None:
    """l1 and l-inf, in which a theorem names the worst direction of these families; coarse tables are quickly built."""
    rng, cases = np.random.default_rng(31), 0
    for family, norm, params in (
        ("logistic", 1.0, {}),
        ("cauchy", np.inf, {}),
        ("generalized-normal", np.inf, {"beta": 0.7}),
        ("triangular", np.inf, {}),
    ):
        noise, limits = units.make(family, params, 0.7), units.random_limits(60, rng)
        case = units.Unit(family, params, norm, 3, True, noise)
        component = units.registry().find("solver", solver)
        coarse = {"tolerance": 0.01} if "tolerance" in component.Params.model_fields else {}
        made = component(component.Params.model_validate(coarse))
        found = made.radii(noise, norm, 3, limits.lower, limits.upper)
        assert found.guarantee == "proved"
        answer = units.Answer(solver, limits, found.radius)
        tally = soundness.check_product(case, soundness.law(family, params), answer, rng)
        assert tally.shown == []
        assert tally.closest > 0.97
        cases += tally.cases
    assert cases > 150


class TooBold(Solver):
    """Cohen's l2 radius for every noise of that standard deviation, called proved: a popular mistake."""

    name = "too-bold"

    def refusal(self, noise: Noise, norm: float, dim: int) -> str | None:
        return None if noise.sigma is not None and norm == 2 else "l2 and a standard deviation are needed"

    def radii(self, noise: Noise, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> Radii:
        from scipy.special import ndtri

        assert noise.sigma is not None
        return Radii(np.maximum(noise.sigma / 2 * (ndtri(p_lower) - ndtri(p_upper)), 0.0), "proved")


@pytest.mark.parametrize("family", ["laplace", "uniform", "student-t", "hyperbolic-secant"])
def test_a_wrong_theorem_is_refuted(soundness: ModuleType, family: str) -> None:
    rng = np.random.default_rng(3)
    refuted = 0
    for dim in (1, 2, 8):
        params = {"df": 6.0} if family == "student-t" else {}
        noise = units.make(family, params, 0.7)
        case = units.Unit(family, params, 2.0, dim, False, noise)
        limits = units.random_limits(40, rng)
        radius = TooBold().radii(noise, 2.0, dim, limits.lower, limits.upper).radius
        known = soundness.law(family, params)
        refuted += soundness.check_product(case, known, units.Answer("too-bold", limits, radius), rng).violations
    assert refuted > 5
