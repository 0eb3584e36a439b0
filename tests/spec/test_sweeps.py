"""Lists where a scalar belongs: one setting per combination, at any depth; and names in paths."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robustbench_rs.spec import spec_from_mapping

HEAD = "name: test\ndataset: toy\ndefenses:\n"


def points(spec) -> list[dict]:
    return [defense.point for defense in spec.defenses]


def test_without_a_sweep_there_is_one_point_without_keys(load, base):
    assert points(load(base)) == [{}]


def test_sweeps_multiply_inside_a_defense_and_add_between_defenses(load):
    spec = load(
        HEAD + "  - name: a\n"
        "    model: {name: net, width: [1, 2], training: {name: drill, epochs: [3, 4]}}\n"
        "    noise: {name: gauss, sigma: [0.25, 0.5]}\n"
        "  - name: b\n"
        "    model: {name: net, checkpoint: m}\n"
    )
    assert [defense.name for defense in spec.defenses] == ["a"] * 8 + ["b"]
    assert points(spec)[0] == {"model.width": 1, "model.training.epochs": 3, "noise.sigma": 0.25}
    assert points(spec)[-1] == {}
    seen = {
        (d.model.params.width, d.model.params.training.params.epochs, d.noise.params.sigma) for d in spec.defenses[:-1]
    }
    assert seen == {(w, e, s) for w in (1, 2) for e in (3, 4) for s in (0.25, 0.5)}
    for defense in spec.defenses[:-1]:
        assert defense.point["model.width"] == defense.model.params.width
        assert defense.point["noise.sigma"] == defense.noise.params.sigma


def test_a_list_parameter_is_no_sweep_unless_it_says_so(load):
    spec = load(HEAD + "  - {name: a, model: {name: net, checkpoint: m, layers: [3, 4]}}\n")
    assert spec.defenses[0].model.params.layers == (3, 4)
    spec = load(HEAD + "  - {name: a, model: {name: net, checkpoint: m, layers: {sweep: [[3], [4, 5]]}}}\n")
    assert [defense.model.params.layers for defense in spec.defenses] == [(3,), (4, 5)]
    assert points(spec) == [{"model.layers": "[3]"}, {"model.layers": "[4,5]"}]


def test_components_sweep_named_by_what_tells_them_apart(load):
    spec = load(
        HEAD + "  - name: a\n    model: {name: net, checkpoint: m}\n"
        "    noise: [{name: gauss, sigma: [1, 2]}, {name: shaped, scale: 3}]\n"
    )
    assert points(spec) == [
        {"noise": "gauss", "noise.sigma": 1},
        {"noise": "gauss", "noise.sigma": 2},
        {"noise": "shaped"},
    ]
    spec = load(
        HEAD + "  - name: a\n    model: {name: net, checkpoint: m}\n"
        "    noise: [{name: gauss, sigma: 1}, {name: gauss, scale: 3}]\n"
    )
    assert points(spec) == [{"noise": '{"name":"gauss","sigma":1}'}, {"noise": '{"name":"gauss","scale":3}'}]


def test_sweeps_reach_nested_components_lists_of_components_maps_and_unions(load):
    spec = load(
        HEAD + "  - name: a\n"
        "    model:\n"
        "      name: stack\n"
        "      classifier: {name: net, checkpoint: m, kwargs: {depth: [1, 2]}, normalize: [cifar10, imagenet]}\n"
        "      extras: [{name: net, checkpoint: e, width: [5, 6]}]\n"
    )
    assert len(spec.defenses) == 8
    assert set(points(spec)[0]) == {
        "model.classifier.kwargs.depth",
        "model.classifier.normalize",
        "model.extras.0.width",
    }
    assert {defense.model.params.extras[0].params.width for defense in spec.defenses} == {5, 6}


SIGMAS = st.lists(st.floats(min_value=1e-6, max_value=1e6), min_size=1, max_size=4, unique=True)
WIDTHS = st.lists(st.integers(min_value=1, max_value=10**9), min_size=1, max_size=4, unique=True)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(sigmas=SIGMAS, widths=WIDTHS, epochs=WIDTHS, explicit=st.booleans())
def test_every_combination_comes_exactly_once(directory, sigmas, widths, epochs, explicit):
    def sweep(values: list) -> object:
        return {"sweep": values} if explicit else values

    training = {"name": "drill", "epochs": sweep(epochs)}
    defense = {
        "name": "a",
        "model": {"name": "net", "width": sweep(widths), "training": training},
        "noise": {"name": "gauss", "sigma": sweep(sigmas)},
    }
    spec = spec_from_mapping({"name": "x", "dataset": "toy", "defenses": [defense]}, directory, folder=Path("/nowhere"))
    found = [(d.model.params.width, d.model.params.training.params.epochs, d.noise.params.sigma) for d in spec.defenses]
    assert len(found) == len(set(found)) == math.prod(map(len, (sigmas, widths, epochs)))
    assert set(found) == {(w, e, s) for w in widths for e in epochs for s in sigmas}
    assert [tuple(defense.point.values()) for defense in spec.defenses] == found


PATHS = [
    ("m_{sigma}.pt", ["m_0.25.pt", "m_1.0.pt"]),
    ("m_{sigma:.2f}.pt", ["m_0.25.pt", "m_1.00.pt"]),
    ("{noise.sigma}/{width}", ["0.25/16", "1.0/16"]),
    ("{beta}_{bias}", ["1.5_true", "1.5_true"]),
    ("plain {} {0} {-}", ["plain {} {0} {-}"] * 2),
]


@pytest.mark.parametrize(("template", "expected"), PATHS)
def test_names_in_paths_become_plain_text(load, template, expected):
    spec = load(
        HEAD + f"  - name: a\n    model: {{name: net, checkpoint: '/d/{template}'}}\n"
        "    noise: {name: shaped, sigma: [0.25, 1.0]}\n"
    )
    assert [str(defense.model.params.checkpoint) for defense in spec.defenses] == [f"/d/{text}" for text in expected]


def test_the_noise_names_a_value_before_the_model_does(load):
    spec = load(
        HEAD + "  - name: a\n"
        "    model:\n"
        "      name: stack\n"
        "      classifier: {name: net, checkpoint: '/{sigma}_{model.extras.0.training.noise.sigma}'}\n"
        "      extras: [{name: net, training: {name: drill, noise: {name: gauss, sigma: 3}}}]\n"
        "    noise: {name: gauss, sigma: 2}\n"
    )
    assert str(spec.defenses[0].model.params.classifier.params.checkpoint) == "/2_3"


def test_split_is_left_to_the_data_set(load):
    training = "{name: drill, dataset: {name: toy, path: '/{split}_{sigma}.zip'}}"
    spec = load(
        "name: t\ndataset: {name: toy, path: '/{split}.zip'}\ndefenses:\n"
        f"  - {{name: a, model: {{name: net, training: {training}}}, noise: {{name: gauss, sigma: 2}}}}\n"
    )
    assert str(spec.dataset.params.path) == "/{split}.zip"
    assert str(spec.defenses[0].model.params.training.params.dataset.params.path) == "/{split}_2.zip"


def test_only_paths_are_filled_in(load):
    spec = load(HEAD + "  - {name: a, model: {name: net, checkpoint: m, kwargs: {text: '{nothing}'}}}\n")
    assert spec.defenses[0].model.params.kwargs == {"text": "{nothing}"}
