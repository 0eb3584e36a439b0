"""The JSON Schema: what the editor accepts is what the loader accepts."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from robustbench_rs.spec import json_schema, shipped_specs

ROOT = Path(__file__).resolve().parents[2]
HEAD = {"name": "t", "dataset": "toy"}
NET = {"name": "net", "checkpoint": "m"}


@pytest.fixture(scope="module")
def validator(directory):
    schema = json_schema(directory)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def spec(**defense) -> dict:
    return {**HEAD, "defenses": [{"name": "a", "model": NET, **defense}]}


VALID = [
    spec(),
    spec(noise={"name": "gauss", "sigma": 0.25}),
    spec(noise={"name": "gauss", "sigma": [0.25, 0.5]}),
    spec(noise={"name": "gauss", "sigma": {"sweep": [0.25, 0.5]}}),
    spec(noise=[{"name": "gauss", "sigma": 1}, {"name": "shaped", "scale": 1}]),
    spec(noise=None),
    spec(model={**NET, "layers": {"sweep": [[1], [2]]}}),
    spec(model={"name": "net", "training": {"name": "drill", "epochs": [1, 2]}}),
    spec(model={"name": "stack", "classifier": {**NET, "width": [1, 2]}}),
    spec() | {"include": ["base.yaml"], "requires": ["x"]},
    {"include": "base.yaml"},
    spec()
    | {"certification": {"norms": [1, 2.5, "inf"], "solvers": ["auto", "closed-form"], "bound": "clopper-pearson"}},
    spec() | {"report": {"radii": [0, 1], "formats": ["html", {"name": "csv"}]}},
    spec() | {"report": {"radii": {"stop": 1, "step": 0.1}}, "prediction": {"n": 5}},
]

INVALID = [
    HEAD,
    spec(nois=3),
    spec(point={}),
    spec(noise={"name": "gauss", "sigmaa": 1}),
    spec(noise={"name": "gauss", "sigma": -1}),
    spec(noise={"name": "gauss", "sigma": []}),
    spec(noise={"name": "gauss", "sigma": ["x"]}),
    spec(noise={"sigma": 1}),
    spec(noise="guass"),
    spec(model={**NET, "layers": ["x"]}),
    spec() | {"certification": {"n": [10, 20]}},
    spec() | {"certification": {"alpha": 1}},
    spec() | {"certification": {"norms": [0.5]}},
    spec() | {"certification": {"solvers": ["aut"]}},
    spec() | {"dataset": {"name": "toy", "limit": [1, 2]}},
    spec() | {"report": {"formats": ["htm"]}},
    spec() | {"seed": -1},
    spec() | {"seeds": 1},
    {**HEAD, "defenses": []},
]


@pytest.mark.parametrize("value", VALID, ids=json.dumps)
def test_accepts(validator, value):
    validator.validate(value)


@pytest.mark.parametrize("value", INVALID, ids=json.dumps)
def test_rejects(validator, value):
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(value)


def test_no_marker_is_left_and_every_reference_resolves(directory):
    schema = json_schema(directory)
    text = json.dumps(schema)
    assert '"component":' not in text
    references = {value.rpartition("/")[2] for value in _references(schema)}
    assert references == set(schema["$defs"])


def _references(schema: object) -> list[str]:
    if isinstance(schema, list):
        return [found for item in schema for found in _references(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"]] if "$ref" in schema else []
    return own + [found for value in schema.values() for found in _references(value)]


def test_the_committed_schema_is_that_of_the_code():
    from robustbench_rs.plugins import load_registry

    committed = json.loads((ROOT / "specs" / "schema.json").read_text())
    assert committed == json_schema(load_registry()), "run: robustbench-rs schema > specs/schema.json"


@pytest.mark.parametrize("name", sorted(shipped_specs()))
def test_shipped_specs_fit_the_committed_schema(name):
    schema = json.loads((ROOT / "specs" / "schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(shipped_specs()[name].read_text()))
