"""Which radius ``auto`` gives, and what a solver plugin cannot get away with."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robustbench_rs.api import Choice, Radii, Solver
from robustbench_rs.errors import RunError
from robustbench_rs.evaluation.solving import best_of, solve
from robustbench_rs.plugins import Owner, Registry

NOISE = type("AnyNoise", (), {"name": "any", "condition": None})()


def make_solver(solver_name, radius, guarantee="proved", *, upper=None, refusal=None):
    class Fake(Solver):
        """Gives fixed radii."""

        name = solver_name

        def refusal(self, noise, norm, dim):
            return refusal

        def radii(self, noise, norm, dim, p_lower, p_upper):
            if isinstance(radius, Exception):
                raise radius
            return Radii(np.array(radius, dtype=float), guarantee, None if upper is None else np.array(upper))

    return Fake


def registry_of(*solvers):
    registry = Registry()
    for solver in solvers:
        registry.add("solver", solver, Owner("test", "here", "here", ""))
    return registry


def run(asked, *solvers, p=(0.9, 0.8)):
    p_lower = np.array(p)
    return solve(asked, registry_of(*solvers), NOISE, 2.0, p_lower, 1 - p_lower, 4)


def test_auto_takes_the_largest_proved_radius_input_by_input():
    [best], _ = run("auto", make_solver("a", [1.0, 2.0]), make_solver("b", [1.5, 1.0]))
    assert best.radius.tolist() == [1.5, 2.0]
    assert list(best.used) == ["b", "a"]
    assert best.guarantee == "proved"


def test_auto_never_mixes_labels():
    loose = make_solver("loose", [9.0, 9.0], "searched", upper=[9.0, 9.0])
    [best], _ = run("auto", make_solver("a", [1.0, 2.0]), loose)
    assert best.radius.tolist() == [1.0, 2.0]
    assert best.upper.tolist() == [9.0, 9.0]


def test_without_proof_the_smallest_searched_value_counts():
    searched = [make_solver("s", [3.0, 1.0], "searched"), make_solver("t", [2.0, 2.0], "searched")]
    [best], _ = run("auto", *searched, make_solver("e", [0.1, 0.1], "estimated"))
    assert best.radius.tolist() == [2.0, 1.0]
    assert best.guarantee == "searched"
    [estimated], _ = run("auto", make_solver("e", [0.3, 0.1], "estimated"), make_solver("f", [0.2, 0.4], "estimated"))
    assert estimated.radius.tolist() == [0.2, 0.1]


def test_all_lists_every_one_and_says_why_another_refuses():
    solved, refused = run(
        "all", make_solver("a", [1.0, 1.0]), make_solver("b", [2.0, 2.0]), make_solver("c", [], refusal="no")
    )
    assert [item.asked for item in solved] == ["a", "b"]
    assert [(item.asked, item.reason) for item in refused] == [("c", "no")]


def test_auto_without_an_applicable_solver_names_every_reason():
    solved, [refused] = run("auto", make_solver("a", [], refusal="only l1"), make_solver("b", [], refusal="only odd d"))
    assert not solved
    assert refused.reason == "a: only l1; b: only odd d"


def test_nothing_is_certified_where_the_limits_do_not_allow_it():
    [solved], _ = run("auto", make_solver("a", [5.0, 5.0, 5.0]), p=(0.5, 0.4, 0.6))
    assert solved.radius.tolist() == [0.0, 0.0, 5.0]


@pytest.mark.parametrize("radius", [[math.nan, 1.0], [1.0], ValueError("boom")], ids=["nan", "shape", "raises"])
def test_a_misbehaving_solver_is_named(radius):
    with pytest.raises(RunError, match="solver 'bad'"):
        run("auto", make_solver("bad", radius))


def test_one_by_name_is_only_that_one():
    component = make_solver("b", [2.0, 2.0])
    [solved], _ = run(Choice(component, component.Params()), make_solver("a", [1.0, 1.0]), component)
    assert solved.asked == "b"
    assert best_of([solved]).asked == "auto"


def test_without_a_bracket_no_search_is_made_beside_a_proof():
    never = make_solver("never", AssertionError("asked"), "searched")
    never.strongest = "searched"
    p = np.array([0.9, 0.8])
    registry = registry_of(make_solver("a", [1.0, 2.0]), never)
    [best], _ = solve("auto", registry, NOISE, 2.0, p, 1 - p, 4, bracket=False)
    assert best.radius.tolist() == [1.0, 2.0]
    with pytest.raises(RunError, match="never"):
        solve("auto", registry, NOISE, 2.0, p, 1 - p, 4)
