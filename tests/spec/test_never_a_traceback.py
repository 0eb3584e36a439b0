"""Whatever the input, the outcome is a spec or a SpecError with a message: nothing else is ever raised."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from robustbench_rs.api import DatasetParams, ModelParams, NoiseParams, TrainingParams
from robustbench_rs.errors import SpecError
from robustbench_rs.spec import Certification, Defense, RadiusRange, ReportOptions, Spec, spec_from_mapping
from robustbench_rs.spec.nodes import MapNode, Source, from_python
from robustbench_rs.spec.overrides import apply_settings
from robustbench_rs.spec.yaml_nodes import parse_text, read_nodes

HERE = Source(None, Path("/nowhere"))
PARTS = (
    Spec,
    Defense,
    Certification,
    ReportOptions,
    RadiusRange,
    TrainingParams,
    DatasetParams,
    NoiseParams,
    ModelParams,
)
KEYS = sorted(
    {key for part in PARTS for key in part.model_fields} | {"sweep", "path", "width", "layers", "normalize", "include"}
)
WORDS = ["toy", "net", "stack", "gauss", "monday", "drill", "auto", "inf", "html", "m_{sigma}", "${data}", "{split}"]
SCALARS = (
    st.sampled_from(WORDS)
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from([0.25, 1, 10**400, 1e308, "1e999", "\ud800"])
)
TREES = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(KEYS), below, max_size=4),
    max_leaves=20,
)
VALID = {
    "name": "x",
    "dataset": {"name": "toy", "path": "d"},
    "defenses": [
        {
            "name": "a",
            "model": {"name": "net", "training": {"name": "drill", "epochs": [1, 2]}, "layers": [1]},
            "noise": {"name": "gauss", "sigma": [0.25, 0.5]},
        }
    ],
    "certification": {"n": 10, "norms": [1, "inf"], "solvers": ["auto"]},
    "report": {"radii": {"stop": 1, "step": 0.1}, "formats": ["html"]},
}
PLACES = [
    ("name",),
    ("dataset",),
    ("dataset", "path"),
    ("defenses",),
    ("defenses", 0),
    ("defenses", 0, "model"),
    ("defenses", 0, "model", "training"),
    ("defenses", 0, "model", "layers"),
    ("defenses", 0, "noise"),
    ("defenses", 0, "noise", "sigma"),
    ("certification",),
    ("certification", "norms"),
    ("certification", "solvers"),
    ("report",),
    ("report", "radii"),
    ("report", "formats"),
    ("executor",),
    ("requires",),
    ("point",),
]


def changed(tree: object, place: tuple, value: object) -> object:
    if not place:
        return value
    if isinstance(tree, list):
        return [changed(item, place[1:], value) if index == place[0] else item for index, item in enumerate(tree)]
    assert isinstance(tree, dict)
    return {**tree, place[0]: changed(tree.get(place[0]), place[1:], value)}


def outcome(mapping: dict, directory) -> Spec | SpecError:
    try:
        return spec_from_mapping(mapping, directory, folder=Path("/nowhere"))
    except SpecError as error:
        failure = error
    assert failure.problems
    assert all(problem.message for problem in failure.problems)
    return failure


def test_a_mapping_that_contains_itself(directory):
    endless: dict = {"name": "x"}
    endless["dataset"] = endless
    assert "nested more than 50 deep" in str(outcome(endless, directory))


def test_the_unchanged_mapping_is_valid(directory):
    assert isinstance(outcome(VALID, directory), Spec)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(place=st.sampled_from(PLACES), value=TREES)
@example(place=("report", "radii"), value={"start": 1e308, "stop": 1e308, "step": 5e-324})
@example(place=("defenses", 0, "noise", "sigma"), value={"sweep": {"sweep": [1]}})
@example(place=("defenses", 0, "noise", "sigma"), value=10**400)
@example(place=("name",), value="\ud800")
def test_one_place_of_a_valid_spec_replaced_by_anything(directory, place, value):
    spec = outcome(changed(VALID, place, value), directory)
    if isinstance(spec, Spec):
        spec.canonical()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(mapping=st.dictionaries(st.sampled_from(KEYS), TREES, max_size=6))
def test_any_mapping(directory, mapping):
    outcome(mapping, directory)


YAMLISH = st.text(alphabet="ab:- \n\t[]{},&*!?|>'\"#%@`~1e.\0\x85\ud7ff", max_size=40)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(text=YAMLISH)
@example(text="? ? ? ?")
@example(text="!!int a")
@example(text="!<x> a")
@example(text="%YAML 9.9\n--- a")
@example(text="&a {*a : 1}")
@example(text="1" * 5000)
def test_any_text(text):
    with contextlib.suppress(SpecError):
        parse_text(text, HERE, [])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(setting=YAMLISH | st.tuples(st.sampled_from(["name", "a.b", "a.0.c", "defenses.0"]), YAMLISH).map("=".join))
def test_any_setting(setting):
    root = from_python({"name": "x", "defenses": [{"name": "a"}], "a": 1}, HERE, [])
    assert isinstance(root, MapNode)
    problems: list = []
    apply_settings(root, [setting], Path("/nowhere"), problems)
    assert all(str(problem.file) == "--set" for problem in problems)


@pytest.mark.parametrize("data", [bytes(range(256)), b"\xff\xfe\x00a", b"\xef\xbb\xbf", b"\x1f\x8b\x08", b"PK\x03\x04"])
def test_binary_files(tmp_path, data):
    (tmp_path / "spec.yaml").write_bytes(data)
    with pytest.raises(SpecError):
        read_nodes(tmp_path / "spec.yaml", [])
