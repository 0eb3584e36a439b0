"""``include:``, ``--set`` and ``${data}``: where the last word on a value comes from."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robustbench_rs.errors import SpecError
from robustbench_rs.spec import load_spec, spec_from_mapping
from robustbench_rs.spec.include import merge
from robustbench_rs.spec.nodes import MapNode, Source, from_python, plain

TREES = st.recursive(
    st.integers() | st.booleans() | st.text(max_size=3) | st.none() | st.lists(st.integers(), max_size=3),
    lambda children: st.dictionaries(st.sampled_from("abc"), children, max_size=3),
    max_leaves=12,
)
MAPS = st.dictionaries(st.sampled_from("abc"), TREES, max_size=3)


def tree(value: dict) -> MapNode:
    node = from_python(value, Source(None, Path()), [])
    assert isinstance(node, MapNode)
    return node


def merged(*values: dict) -> object:
    result = tree({})
    for value in values:
        result = merge(result, tree(value))
    return plain(result)


def reference_merge(base: object, top: object) -> object:
    if not (isinstance(base, dict) and isinstance(top, dict)):
        return top
    both = {key: reference_merge(base[key], top[key]) for key in base.keys() & top.keys()}
    return base | top | both


@settings(deadline=None, derandomize=True)
@given(MAPS, MAPS)
def test_merge_is_deep_for_maps_and_replaces_everything_else(base, top):
    assert merged(base, top) == reference_merge(base, top)


@settings(deadline=None, derandomize=True)
@given(MAPS, MAPS)
def test_merge_is_idempotent_and_keeps_every_word_of_the_top(base, top):
    once = merged(base, top)
    assert merged(once, top) == once
    assert merged(top, top) == plain(tree(top))
    assert merged({}, top) == merged(top, {}) == plain(tree(top))


def test_include_maps_merge_lists_replace_and_the_including_file_wins(spec_file, directory, base):
    spec_file(base + "seed: 1\ncertification: {n: 50, norms: [1, 2], alpha: 0.01}\n", "base.yaml")
    path = spec_file("include: [base.yaml]\nname: top\ncertification: {n: 60, norms: [inf]}\n")
    spec = load_spec(path, directory)
    assert (spec.name, spec.seed) == ("top", 1)
    assert (spec.certification.n, spec.certification.alpha) == (60, 0.01)
    assert spec.certification.norms == (float("inf"),)


def test_later_includes_win_over_earlier_ones_and_a_file_may_come_twice(spec_file, directory, base):
    spec_file(base, "base.yaml")
    spec_file("include: base.yaml\nseed: 1\ncertification: {n: 7}\n", "one.yaml")
    spec_file("include: base.yaml\nseed: 2\n", "two.yaml")
    spec = load_spec(spec_file("include: [one.yaml, two.yaml]\n"), directory)
    assert (spec.seed, spec.certification.n) == (2, 7)


def test_paths_are_relative_to_the_file_that_states_them(spec_file, directory, tmp_path, monkeypatch, base):
    (tmp_path / "sub").mkdir()
    spec_file("name: x\ndataset: {name: toy, path: d}\n", "sub/data.yaml")
    path = spec_file(
        base.replace("dataset: toy\n", "include: sub/data.yaml\n").replace("training: drill", "checkpoint: m")
    )
    elsewhere = tmp_path / "cwd"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    spec = load_spec(path, directory)
    assert spec.dataset.params.path == tmp_path / "sub" / "d"
    assert spec.defenses[0].model.params.checkpoint == tmp_path / "m"
    spec = load_spec(path, directory, settings=["dataset.path=e", "defenses.0.model.checkpoint=/abs/m"])
    assert spec.dataset.params.path == elsewhere / "e"
    assert spec.defenses[0].model.params.checkpoint == Path("/abs/m")


def test_include_cycle_names_the_circle(spec_file, directory):
    path = spec_file("include: [b.yaml]\n", "a.yaml")
    spec_file("name: x\ninclude: [c.yaml]\n", "b.yaml")
    spec_file("include: [a.yaml]\n", "c.yaml")
    with pytest.raises(SpecError, match=r"c\.yaml:1: include: .*circle: a\.yaml -> b\.yaml -> c\.yaml -> a\.yaml"):
        load_spec(path, directory)


def test_a_missing_include_is_reported_with_the_other_errors_but_not_what_it_would_have_stated(problems_of):
    found = problems_of("include: [base.yaml]\nseed: -1\n")
    assert [(key, line) for key, line, _ in found] == [("include", 1), ("seed", 2)]
    assert "no such file" in found[0][2]


def test_an_error_in_an_included_file_names_that_file(spec_file, directory, base):
    included = spec_file("# comment\nseed: x\n", "base.yaml")
    with pytest.raises(SpecError) as caught:
        load_spec(spec_file("include: [base.yaml]\n" + base), directory)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.key_path) == (included, 2, "seed")


@pytest.mark.parametrize("text", ["include: 3\n", "include: [[a]]\n", "include: {a: b}\n", "include: ['']\n"])
def test_include_must_list_file_names(problems_of, base, text):
    (found,) = problems_of(text + base)
    assert found == ("include", 1, "must be a list of file names")


def test_set_replaces_never_merges(load):
    spec = load(BASE_WITH_SCALE, "defenses.0.noise={name: shaped, sigma: 0.5, beta: 2}")
    (defense,) = spec.defenses
    assert defense.noise.canonical() == {"name": "shaped", "sigma": 0.5, "beta": 2.0}


BASE_WITH_SCALE = """\
name: test
dataset: toy
defenses:
  - {name: a, model: {name: net, training: drill}, noise: {name: gauss, scale: 1}}
"""


def test_set_reaches_everything_in_order(load, base):
    spec = load(
        base,
        "seed=1",
        "seed=2",
        "report.radii={stop: 1, step: 1e-1}",
        "report.radii.stop=0.3",
        "defenses.0.noise.sigma=[0.1, 0.2]",
        "defenses.0.noise.sigma.1=0.3",
        "certification.norms=[1, .inf]",
        "dataset={name: toy, limit: 3}",
        "dataset.limit=",
    )
    assert spec.seed == 2
    assert spec.report.grid() == (0.0, 0.1, 0.2, 0.3)
    assert [defense.point for defense in spec.defenses] == [{"noise.sigma": 0.1}, {"noise.sigma": 0.3}]
    assert spec.certification.norms == (1.0, float("inf"))
    assert spec.dataset.params.limit is None


SETTINGS = [
    ("seed", "", "expected key.path=value"),
    ("=3", "", "expected key.path=value"),
    ("a..b=3", "", "expected key.path=value"),
    ("include=[x]", "", "'include' cannot be set"),
    ("seed=[1", "seed", "not valid YAML"),
    ("seed={a: 1, a: 2}", "seed", "appears twice; remove one"),
    ("seed=-1", "seed", "must be at least 0, not -1"),
    ("sead=1", "sead", "did you mean 'seed'?"),
    ("dataset.limit=3", "dataset.limit", "--set 'dataset={name: toy, limit: ...}'"),
    ("defenses.a.name=x", "defenses.a", "defenses is a list: give a position from 0, not 'a'"),
    ("defenses.1.name=x", "defenses.1", "the list defenses has positions 0 to 0"),
    ("defenses.0.noise.sigma.0=1", "defenses.0.noise.sigma.0", "defenses.0.noise.sigma is 0.25, which has no key '0'"),
    ("defenses.0.noise.sigmaa=1", "defenses.0.noise.sigmaa", "did you mean 'sigma'?"),
    ("defenses.0.point={}", "defenses.0.point", "unknown key 'point'"),
]


@pytest.mark.parametrize(("setting", "key_path", "message"), SETTINGS)
def test_wrong_settings_name_the_flag_and_the_key(load, base, setting, key_path, message):
    with pytest.raises(SpecError) as caught:
        load(base, setting)
    (problem,) = caught.value.problems
    assert (problem.key_path, problem.line, str(problem.file)) == (key_path, None, "--set")
    assert message in problem.message


def test_settings_and_file_are_reported_together(problems_of, base):
    found = problems_of(base + "seed: -1\n", "report.formats=[htm]", "nonsense")
    assert {key for key, _, _ in found} == {"seed", "report.formats.0", ""}


def test_data_is_replaced_in_every_string_by_an_absolute_path(load, base, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = load(base.replace("toy", "{name: toy, path: '${data}/x'}"), data=Path("data"))
    assert spec.dataset.params.path == tmp_path / "data" / "x"
    spec = load(base, "dataset={name: toy, path: '${data}'}", data=Path("/d"))
    assert spec.dataset.params.path == Path("/d")


def test_a_mapping_is_a_spec_too(directory, tmp_path):
    mapping = {
        "name": "x",
        "dataset": {"name": "toy", "path": Path("d"), "limit": 2},
        "defenses": ({"name": "a", "model": {"name": "net", "checkpoint": "m_{sigma}"}, "noise": NOISE},),
    }
    spec = spec_from_mapping(mapping, directory, folder=tmp_path)
    assert [defense.model.params.checkpoint.name for defense in spec.defenses] == ["m_0.25", "m_0.5"]
    assert spec.dataset.params.path == tmp_path / "d"
    with pytest.raises(SpecError, match=r"^defenses\.0\.model: must be a map, list, text"):
        spec_from_mapping({**mapping, "defenses": [{"name": "a", "model": object()}]}, directory, folder=tmp_path)


NOISE = {"name": "gauss", "sigma": [0.25, 0.5]}
