"""The section ``optimize``: what it accepts, and what it says to everything else."""

from __future__ import annotations

import jsonschema
import pytest

from robustbench_rs.spec import json_schema, spec_from_mapping, with_parameters

SPEC = """\
name: test
dataset: toy
defenses:
  - name: a
    model: {name: net, training: drill}
    noise: NOISE
certification: {norms: [1, 2]}
optimize: OPTIMIZE
"""
SHAPED = "{name: shaped, sigma: 0.25, beta: 1.5}"
LINE = 8


def spec_text(optimize: str, noise: str = SHAPED) -> str:
    return SPEC.replace("NOISE", noise).replace("OPTIMIZE", optimize)


def test_defaults(load):
    found = load(spec_text("{mode: c-opt, over: {beta: [1, 4]}}")).optimize
    assert found.over == {"beta": (1.0, 4.0)}
    assert (found.objective.name, found.objective.radii, found.solver) == ("acr", None, "auto")
    assert (found.n, found.evaluations, found.limit, found.dataset, found.alpha_share) == (1000, 20, None, None, 0.1)
    assert found.norm_of((1.0, 2.0)) == 1.0


def test_everything_stated(load):
    text = (
        "{mode: c-opt, over: {beta: [1, 4], sigma: [0.1, 1]}, objective: {name: certified-accuracy, radii: [0.5, 1]}, "
        "norm: inf, solver: closed-form, n: 50, evaluations: 7, limit: 3, dataset: {name: toy, split: train}, "
        "alpha_share: 0.5}"
    )
    found = load(spec_text(text)).optimize
    assert found.objective.label == "certified accuracy at 0.5, 1"
    assert (found.norm_of((1.0,)), found.solver.name, found.dataset.params.split) == (
        float("inf"),
        "closed-form",
        "train",
    )


def test_the_shares_of_alpha_add_up_to_it(load):
    for share in (0.01, 0.1, 0.3, 0.5, 0.9, 0.99):
        found = load(spec_text(f"{{mode: i-opt, over: {{beta: [1, 4]}}, alpha_share: {share}}}")).optimize
        for alpha in (0.001, 0.05, 1e-6, 1 / 3):
            spent = found.tuning_alpha(alpha), found.certificate_alpha(alpha)
            assert min(spent) > 0
            assert sum(spent) == pytest.approx(alpha, rel=1e-15)


WRONG = [
    ("{mode: c-op, over: {beta: [1, 4]}}", "optimize.mode", "did you mean 'c-opt'"),
    ("{over: {beta: [1, 4]}}", "optimize.mode", "required"),
    ("{mode: c-opt}", "optimize.over", "required"),
    ("{mode: c-opt, over: {}}", "optimize.over", "at least 1 entry"),
    ("{mode: c-opt, over: {beta: [4, 1]}}", "optimize.over.beta", "lowest < highest, not [4, 1]"),
    ("{mode: c-opt, over: {beta: [1, 1]}}", "optimize.over.beta", "lowest < highest"),
    ("{mode: c-opt, over: {beta: [1]}}", "optimize.over.beta.1", "required"),
    ("{mode: c-opt, over: {beta: [1, .inf]}}", "optimize.over.beta.1", "finite"),
    ("{mode: c-opt, over: {beta: [true, 4]}}", "optimize.over.beta.0", "must be a number, not true"),
    ("{mode: c-opt, over: {beat: [1, 4]}}", "optimize.over.beat", "no parameter 'beat'; did you mean 'beta'?"),
    ("{mode: c-opt, over: {beta: [2, 4]}}", "optimize.over.beta", "beta = 1.5, which lies outside [2, 4]"),
    ("{mode: c-opt, over: {beta: [0, 4]}}", "optimize.over.beta", "beta = 0: input should be greater than 0"),
    ("{mode: c-opt, over: {scale: [1, 4]}}", "optimize.over.scale", "fixed by the noise's 'sigma'"),
    ("{mode: c-opt, over: {table: [1, 4]}}", "optimize.over.table", "no 'table', from which the search could start"),
    ("{mode: c-opt, over: {beta: [1, 4]}, alpha_share: 1}", "optimize.alpha_share", "less than 1"),
    ("{mode: c-opt, over: {beta: [1, 4]}, alpha_share: 0}", "optimize.alpha_share", "greater than 0"),
    ("{mode: c-opt, over: {beta: [1, 4]}, evaluations: 1}", "optimize.evaluations", "at least 2"),
    ("{mode: c-opt, over: {beta: [1, 4]}, n: 0}", "optimize.n", "at least 1"),
    ("{mode: c-opt, over: {beta: [1, 4]}, objective: certified-accuracy}", "optimize.objective", "needs its radii"),
    ("{mode: c-opt, over: {beta: [1, 4]}, objective: {name: acr, radii: [1]}}", "optimize.objective", "no radii"),
    ("{mode: c-opt, over: {beta: [1, 4]}, objective: radius}", "optimize.objective.name", "'acr' or"),
    ("{mode: c-opt, over: {beta: [1, 4]}, solver: all}", "optimize.solver", "unknown solver 'all'"),
    ("{mode: c-opt, over: {beta: [1, 4]}, evals: 3}", "optimize.evals", "did you mean 'evaluations'"),
    ("{mode: i-opt, over: {beta: [1, 4]}, limit: 3}", "optimize", "'limit' is for c-opt"),
    ("{mode: i-opt, over: {beta: [1, 4]}, dataset: toy}", "optimize", "'dataset' is for c-opt"),
]


@pytest.mark.parametrize(("text", "key_path", "message"), WRONG)
def test_wrong(problems_of, text, key_path, message):
    found = problems_of(spec_text(text))
    assert [problem[:2] for problem in found] == [(key_path, LINE)], found
    assert message in found[0][2]


def test_a_swept_parameter_cannot_be_optimised_too(problems_of):
    noise = "{name: shaped, sigma: 0.25, beta: [1.5, 2]}"
    [(key_path, _, message)] = problems_of(spec_text("{mode: c-opt, over: {beta: [1, 4]}}", noise))
    assert (key_path, "both swept and optimised" in message) == ("optimize.over.beta", True)


def test_other_parameters_may_be_swept(load):
    spec = load(spec_text("{mode: c-opt, over: {beta: [1, 4]}}", "{name: shaped, sigma: [0.25, 0.5], beta: 2}"))
    assert len(spec.defenses) == 2


def test_a_defense_without_noise_is_named(problems_of):
    text = spec_text("{mode: c-opt, over: {beta: [1, 4]}}").replace(f"    noise: {SHAPED}\n", "")
    [(key_path, _, message)] = problems_of(text)
    assert key_path == "defenses.0"
    assert "'a' has no noise to optimise" in message


def test_each_noise_must_have_the_parameter(problems_of):
    text = spec_text("{mode: c-opt, over: {beta: [1, 4]}}").replace(
        "certification:",
        "  - {name: b, model: {name: net, training: drill}, noise: {name: gauss, sigma: 1}}\ncertification:",
    )
    [(key_path, _, message)] = problems_of(text)
    assert (key_path, "gauss noise has no parameter 'beta'" in message) == ("optimize.over.beta", True)
    assert "(defense 'b')" in message


def test_it_survives_the_canonical_form(load, directory):
    spec = load(spec_text("{mode: i-opt, over: {beta: [1, 4]}, norm: inf, solver: closed-form}"))
    assert type(spec).from_canonical(spec.canonical(), directory) == spec


def test_from_python(directory, tmp_path):
    mapping = {
        "name": "t",
        "dataset": "toy",
        "defenses": [
            {"name": "a", "model": {"name": "net", "training": "drill"}, "noise": {"name": "gauss", "sigma": 1}}
        ],
        "optimize": {"mode": "c-opt", "over": {"sigma": [0.5, 2]}},
    }
    assert spec_from_mapping(mapping, directory, folder=tmp_path).optimize.over == {"sigma": (0.5, 2.0)}


def test_with_parameters_keeps_the_others_and_checks(load):
    noise = load(spec_text("{mode: c-opt, over: {beta: [1, 4]}}")).defenses[0].noise
    assert with_parameters(noise, {"beta": 3.0}).canonical() == {"name": "shaped", "sigma": 0.25, "beta": 3.0}
    with pytest.raises(ValueError, match="greater than 0"):
        with_parameters(noise, {"beta": -1.0})


@pytest.mark.parametrize(
    ("optimize", "good"),
    [
        ({"mode": "c-opt", "over": {"beta": [1, 4]}, "objective": "acr"}, True),
        ({"mode": "i-opt", "over": {"a": [1, 4]}, "objective": {"name": "certified-accuracy", "radii": [1]}}, True),
        (
            {"mode": "c-opt", "over": {"beta": [1, 4]}, "dataset": {"name": "toy"}, "solver": "auto", "norm": "inf"},
            True,
        ),
        ({"mode": "both", "over": {"beta": [1, 4]}}, False),
        ({"mode": "c-opt", "over": {"beta": 1}}, False),
        ({"mode": "c-opt", "over": {"beta": [1, 4]}, "objective": "radius"}, False),
        ({"mode": "c-opt", "over": {"beta": [1, 4]}, "solver": "all"}, False),
    ],
)
def test_the_json_schema_agrees(directory, optimize, good):
    validator = jsonschema.Draft202012Validator(json_schema(directory))
    defense = {"name": "a", "model": {"name": "net", "checkpoint": "m"}, "noise": {"name": "shaped", "sigma": 1}}
    spec = {"name": "t", "dataset": "toy", "defenses": [defense], "optimize": optimize}
    assert validator.is_valid(spec) is good
