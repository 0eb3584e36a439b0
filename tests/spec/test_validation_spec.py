"""The section ``validation``: sweeps, defaults, and everything that can be wrong with it."""

from __future__ import annotations

import json
import math

import jsonschema
import pytest

from robustbench_rs.spec import ValidationSpec, json_schema, spec_from_mapping

VALID = """\
name: tight
validation:
  kind: tightness
  noises: [{name: gauss, sigma: [0.25, 0.5]}, {name: shaped, scale: 1}]
  norms: [1, 2, inf]
  dims: [784, 3072]
  p_lower: [0.6, 0.9]
"""


def changed(key: str, value: str) -> str:
    """VALID with another value of one key of the section; the changed line has the same number."""
    lines = VALID.splitlines()
    (place,) = [i for i, line in enumerate(lines) if line.startswith(f"  {key}:")]
    lines[place] = f"  {key}: {value}"
    return "\n".join(lines) + "\n"


def test_a_validation_is_a_spec_of_its_own(load, directory):
    spec = load(VALID)
    assert isinstance(spec, ValidationSpec)
    options = spec.validation
    assert [(noise.name, noise.params.sigma) for noise in options.noises] == [
        ("gauss", 0.25),
        ("gauss", 0.5),
        ("shaped", None),
    ]
    assert options.norms == (1.0, 2.0, math.inf)
    assert options.dims == (784, 3072)
    assert options.solvers == ("all",)
    assert [reporter.name for reporter in spec.report.formats] == ["html", "markdown", "latex", "csv"]
    text = json.dumps(spec.canonical(), allow_nan=False)
    assert ValidationSpec.from_canonical(json.loads(text), directory) == spec


def test_sweeps_inside_a_noise_multiply(load):
    swept = "[{name: gauss, sigma: {sweep: [1, 2]}}, [{name: gauss, sigma: 3}, {name: gauss, scale: [4, 5]}]]"
    levels = [noise.params.model_dump() for noise in load(changed("noises", swept)).validation.noises]
    assert [level["sigma"] or level["scale"] for level in levels] == [1, 2, 3, 4, 5]


def test_solvers_are_written_as_elsewhere(load):
    spec = load(changed("kind", "optimality\n  solvers: [auto, {name: closed-form}]"))
    assert [solver if isinstance(solver, str) else solver.name for solver in spec.validation.solvers] == [
        "auto",
        "closed-form",
    ]


def test_settings_and_includes_work(load, spec_file):
    spec_file(VALID, "base.yaml")
    spec = load("include: base.yaml\nname: other\n", "validation.dims=[5]", "validation.noises.0.sigma=2")
    assert (spec.name, spec.validation.dims, len(spec.validation.noises)) == ("other", (5,), 2)


def test_from_a_mapping(directory, tmp_path):
    section = {"kind": "optimality", "noises": [{"name": "gauss", "sigma": 1}], "norms": [2], "dims": [3]}
    mapping = {"name": "t", "validation": {**section, "p_lower": [0.9]}}
    assert isinstance(spec_from_mapping(mapping, directory, folder=tmp_path), ValidationSpec)


# (whole spec, key path, line, part of the message)
WRONG = [
    (VALID + "defenses: []\n", "defenses", 8, "either 'defenses' or 'validation', not both"),
    (VALID + "dataset: toy\n", "dataset", 8, "does not go with 'validation', which has no model and no data"),
    (VALID + "seed: 3\n", "seed", 8, "does not go with 'validation'"),
    (VALID + "certification: {n: 5}\n", "certification", 8, "does not go with 'validation'"),
    (VALID + "executor: local\n", "executor", 8, "does not go with 'validation'"),
    (VALID + "attacks: []\n", "attacks", 8, "not available in this version"),
    (VALID + "reports: {}\n", "reports", 8, "did you mean 'report'?"),
    ("name: t\nvalidation: {}\n", "validation.kind", 2, "is required but missing"),
    ("name: t\nvalidation: {}\n", "validation.p_lower", 2, "is required but missing"),
    ("name: t\nvalidation:\n", "validation", 2, "must be a map, not None"),
    ("name: t\nvalidation: [1]\n", "validation", 2, "must be a map, not [1]"),
    (changed("kind", "tightnes"), "validation.kind", 3, "did you mean 'tightness'?"),
    (changed("kind", "[tightness]"), "validation.kind", 3, "must be 'tightness' or 'optimality'"),
    (changed("kind", "tightness\n  norm: [1]"), "validation.norm", 4, "did you mean 'norms'?"),
    (changed("noises", "[]"), "validation.noises", 4, "must have at least 1 entry"),
    (changed("noises", "gauss"), "validation.noises", 4, "must be a list, not 'gauss'"),
    (changed("noises", "{sweep: [gauss]}"), "validation.noises", 4, "must be a list"),
    (changed("noises", "[guass]"), "validation.noises.0", 4, "did you mean 'gauss'?"),
    (changed("noises", "[gauss]"), "validation.noises.0", 4, "exactly one of 'scale' and 'sigma'"),
    (changed("noises", "[{name: gauss, sigma: []}]"), "validation.noises.0.sigma", 4, "at least one value"),
    (changed("noises", "[{name: gauss, sigma: [1, 1]}]"), "validation.noises.0.sigma.1", 4, "stands twice"),
    (changed("noises", "[{name: gauss, sigma: [1, -2]}]"), "validation.noises.0.sigma.1", 4, "greater than 0, not -2"),
    (changed("noises", "[{name: gauss, sigma: true}]"), "validation.noises.0.sigma", 4, "must be a number, not true"),
    (changed("noises", "[{name: gauss, sgma: 1}]"), "validation.noises.0.sgma", 4, "did you mean 'sigma'?"),
    (changed("noises", "[{name: gauss, sigma: 1}, {name: gauss, sigma: 1.0}]"), "validation", 2, "is listed twice"),
    (changed("norms", "[]"), "validation.norms", 5, "must have at least 1 entry"),
    (changed("norms", "[0.5]"), "validation.norms.0", 5, "at least 1, or inf"),
    (changed("norms", "[2, 2.0]"), "validation", 2, "norm 2 is listed twice"),
    (changed("dims", "[]"), "validation.dims", 6, "must have at least 1 entry"),
    (changed("dims", "[784, 0]"), "validation.dims.1", 6, "at least 1, not 0"),
    (changed("dims", "[1.5]"), "validation.dims.0", 6, "must be a whole number"),
    (changed("dims", "784"), "validation.dims", 6, "must be a list"),
    (changed("dims", "[7, 7]"), "validation", 2, "dimension 7 is listed twice"),
    (changed("p_lower", "[]"), "validation.p_lower", 7, "must have at least 1 entry"),
    (changed("p_lower", "[0.9, 0.5]"), "validation.p_lower.1", 7, "greater than 0.5, not 0.5"),
    (changed("p_lower", "[1]"), "validation.p_lower.0", 7, "less than 1, not 1"),
    (changed("p_lower", "[.nan]"), "validation.p_lower.0", 7, "not nan"),
    (changed("p_lower", "[high]"), "validation.p_lower.0", 7, "must be a number"),
    (changed("p_lower", "[0.9, 0.9]"), "validation", 2, "p_lower 0.9 is listed twice"),
    (changed("kind", "tightness\n  solvers: []"), "validation.solvers", 4, "must have at least 1 entry"),
    (changed("kind", "tightness\n  solvers: [closed-from]"), "validation.solvers.0", 4, "'closed-form'"),
    (changed("kind", "tightness\n  solvers: [all, all]"), "validation", 2, "solver all is listed twice"),
    (
        changed("dims", str(list(range(1, 401)))),
        "validation",
        2,
        "noises, norms and dims together make more than 1,000 cases",
    ),
    (changed("noises", f"[{{name: gauss, sigma: {list(range(1, 1200))}}}]"), "validation.noises.0.sigma", 4, "1,000"),
]


@pytest.mark.parametrize(("text", "key_path", "line", "message"), WRONG, ids=range(len(WRONG)))
def test_a_mistake_is_named_where_it_stands(problems_of, text, key_path, line, message):
    found = problems_of(text)
    assert any(path == key_path and at == line and message in said for path, at, said in found), found
    assert len(found) <= 5


def test_all_mistakes_come_at_once(problems_of):
    text = changed("dims", "[0]").replace("[0.6, 0.9]", "[0.4]") + "seed: 1\n"
    assert {path for path, _, _ in problems_of(text)} == {"validation.dims.0", "validation.p_lower.0", "seed"}


@pytest.fixture(scope="module")
def validator(directory):
    return jsonschema.Draft202012Validator(json_schema(directory))


SECTION = {
    "kind": "optimality",
    "noises": [{"name": "gauss", "sigma": [0.25, 0.5]}, [{"name": "shaped", "scale": 1}]],
    "norms": [1, "inf"],
    "dims": [3],
    "p_lower": [0.9],
}


def test_the_schema_accepts_a_validation(validator):
    validator.validate({"name": "t", "validation": SECTION, "report": {"formats": ["csv"]}, "requires": ["x"]})
    validator.validate({"include": ["base.yaml"], "validation": SECTION})


@pytest.mark.parametrize(
    "changes",
    [
        {"defenses": [{"name": "a", "model": {"name": "net", "checkpoint": "m"}}]},
        {"dataset": "toy"},
        {"seed": 1},
        {"validation": {**SECTION, "kind": "tight"}},
        {"validation": {**SECTION, "noises": []}},
        {"validation": {**SECTION, "noises": ["guass"]}},
        {"validation": {**SECTION, "noises": [{"name": "gauss", "sigma": -1}]}},
        {"validation": {**SECTION, "dims": [0]}},
        {"validation": {**SECTION, "p_lower": [0.5]}},
        {"validation": {key: value for key, value in SECTION.items() if key != "norms"}},
        {"validation": {**SECTION, "dim": [1]}},
    ],
)
def test_the_schema_rejects_what_the_loader_does(validator, changes):
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"name": "t", "validation": SECTION} | changes)
