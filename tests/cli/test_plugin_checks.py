"""``plugins check`` with the parameters that a noise needs, and with noises for a solver."""

from __future__ import annotations

import json

import pytest


@pytest.mark.parametrize(
    ("arguments", "label"),
    [
        (["generalized-normal", "--param", "beta=1.5"], "[sigma=0.5, beta=1.5]"),
        (["student-t", "--param", "df=1"], "[scale=0.5, df=1.0]"),
        (["pareto", "--param", "a=3", "--param", "scale=2"], "[scale=2.0, a=3.0]"),
        (["cauchy"], "[scale=0.5]"),
    ],
)
def test_a_noise_gets_a_level_where_none_is_given(arguments: list[str], label: str, cli) -> None:
    outcome = cli("plugins", "check", *arguments, "--json")
    assert outcome.code == 0, outcome.err
    verdicts = json.loads(outcome.out)
    assert {v["check"].partition(" [")[2] for v in verdicts} == {"", label[1:]}
    assert all(v["passed"] for v in verdicts)


def test_show_takes_the_same_parameters(cli) -> None:
    (page,) = json.loads(cli("plugins", "show", "student-t", "--param", "df=5", "--json").out)
    assert page["example"] == {"df": 5.0, "sigma": 0.5}
    assert page["facts"]["log_concave"] is False
    assert page["facts"]["continuous"] is True


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["generalized-normal"], ["'generalized-normal'", "--param KEY=VALUE for beta"]),
        (["generalized-normal", "--param", "beta=-1"], ["beta", "at least 0.05"]),
        (["student-t", "--param", "df=1", "--param", "sigma=1"], ["no finite standard deviation"]),
        (["gaussian", "--noise", "laplace"], ["--noise", "checking a solver", "gaussian"]),
        (["closed-form", "--noise", "laplcae"], ["--noise laplcae", "did you mean 'laplace'?"]),
        (["closed-form", "--noise", "pareto"], ["'pareto'", "for a"]),
        (["closed-form", "--noise", "pareto,a=0"], ["a", "at least 0.2"]),
    ],
)
def test_what_is_missing_or_wrong_is_said(arguments: list[str], words: list[str], refused) -> None:
    refused(["plugins", "check", *arguments], words)


def test_a_solver_is_checked_on_the_noises_named(cli) -> None:
    outcome = cli(
        "plugins", "check", "closed-form", "--noise", "pareto,a=3", "--noise", "triangular,scale=0.1", "--json"
    )
    assert outcome.code == 0, outcome.err
    names = [verdict["check"] for verdict in json.loads(outcome.out)]
    assert "monotone in pA [pareto, norm 1, 16-d]" in names
    assert "scale equivariant [triangular, norm inf, 1-d]" in names
    assert "refusal [triangular, norm inf, 16-d]" in names


TOO_MUCH = """
import numpy as np
from robustbench_rs.api import Radii, Solver, hookimpl

class TooMuch(Solver):
    \"\"\"Right for the reference laws, falling with pA for Pareto noise.\"\"\"
    name = "too-much"
    def refusal(self, noise, norm, dim):
        return None if noise.name == "pareto" else "pareto noise only"
    def radii(self, noise, norm, dim, p_lower, p_upper):
        return Radii(np.where(p_lower > p_upper, noise.scale * (1 - p_lower), 0.0), "proved")

@hookimpl
def robustbench_rs_solvers():
    return [TooMuch]
"""


def test_what_is_wrong_on_that_noise_only_is_found(cli, world) -> None:
    plugin = world.plugin(TOO_MUCH, "too_much.py")
    assert cli("plugins", "check", "too-much", "-p", plugin).code == 0
    outcome = cli("plugins", "check", "too-much", "-p", plugin, "--noise", "pareto,a=3")
    assert outcome.code == 1
    assert "monotone in pA [pareto" in outcome.err
