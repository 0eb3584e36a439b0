"""Specs that are wrong: each exit 2, one message with file, key and line, nothing on stdout, nothing begun."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
)

TEXTS: dict[str, tuple[str | bytes, list[str]]] = {
    "yaml syntax": ("name: [unclosed\nseed: 1\n", ["bad.yaml:"]),
    "duplicate key": ("name: a\nseed: 1\nname: b\n", ["bad.yaml:3: name: appears twice"]),
    "alias bomb": (BOMB, ["bad.yaml", "alias"]),
    "binary file": (bytes(range(256)) * 8, ["bad.yaml"]),
    "not UTF-8": ("name: caf\u00e9\n".encode("latin-1"), ["bad.yaml", "UTF-8"]),
    "no map": ("- name: a\n- name: b\n", ["bad.yaml", "map"]),
    "empty file": ("", ["bad.yaml"]),
    "nested too deep": ("name: " + "[" * 60 + "]" * 60, ["bad.yaml", "50 deep"]),
    "python object": ("name: !!python/object/apply:os.system ['true']\n", ["bad.yaml:1"]),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_a_file_that_is_no_spec(kind: str, world, refused) -> None:
    text, words = TEXTS[kind]
    world.write("bad.yaml", text)
    refused(["run", "bad.yaml"], words)


CHANGES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "unknown key": ({"certfication": {}}, ["'certfication'", "did you mean 'certification'?"]),
    "unknown parameter": (
        {"defenses.0.noise": {"name": "gaussian", "sigmaa": 1}},
        ["defenses.0.noise", "did you mean 'sigma'?"],
    ),
    "wrong type": ({"certification.n": "many"}, ["certification.n", "must be a whole number", "'many'"]),
    "a map where a number is meant": ({"seed": {"value": 1}}, ["seed"]),
    "sigma zero": ({"defenses.0.noise.sigma": 0}, ["defenses.0.noise.sigma", "greater than 0"]),
    "sigma negative": ({"defenses.0.noise.sigma": -0.5}, ["defenses.0.noise.sigma", "greater than 0", "-0.5"]),
    "sigma not finite": ({"defenses.0.noise.sigma": float("nan")}, ["defenses.0.noise.sigma"]),
    "one of a sweep is wrong": ({"defenses.0.noise.sigma": [0.25, -1]}, ["defenses.0.noise.sigma.1", "-1"]),
    "scale and sigma": (
        {"defenses.0.noise": {"name": "gaussian", "sigma": 1, "scale": 1}},
        ["exactly one of 'scale' and 'sigma'"],
    ),
    "alpha zero": ({"certification.alpha": 0}, ["certification.alpha", "greater than 0"]),
    "alpha above one": ({"certification.alpha": 1.5}, ["certification.alpha", "less than 1"]),
    "n zero": ({"certification.n": 0}, ["certification.n", "at least 1"]),
    "n0 negative": ({"certification.n0": -3}, ["certification.n0", "at least 1"]),
    "norm below one": ({"certification.norms": [0.5]}, ["certification.norms.0", "at least 1"]),
    "no defenses": ({"defenses": []}, ["defenses"]),
    "no data set": ({"dataset": ...}, ["dataset", "required but missing"]),
    "no name": ({"name": ...}, ["name", "required but missing"]),
    "a name that is no directory": ({"name": "../up"}, ["name", "cannot name a directory"]),
    "unknown noise": ({"defenses.0.noise.name": "gausian"}, ["did you mean 'gaussian'?", "-p FILE"]),
    "unknown solver": ({"certification.solvers": ["closed-from"]}, ["certification.solvers.0", "'closed-form'"]),
    "unknown format": ({"report.formats": ["htlm"]}, ["report.formats.0", "'html'"]),
    "unknown executor": ({"executor": "cloud"}, ["executor", "'cloud'"]),
    "required plugin": ({"requires": ["my-noise"]}, ["requires", "'my-noise'", "-p FILE"]),
    "include missing": ({"include": ["absent.yaml"]}, ["absent.yaml"]),
    "include of itself": ({"include": ["spec.yaml"]}, ["spec.yaml", "include"]),
    "data folder unknown": (
        {"dataset": {"name": "image-folder", "path": "${data}/cifar10/{split}.zip"}},
        ["--data DIR", "ROBUSTBENCH_RS_DATA"],
    ),
    "a model without weights": ({"defenses.0.model": "mlp"}, ["'checkpoint' or 'training'"]),
    "radii descend": ({"report.radii": [0.5, 0.25]}, ["report.radii", "ascend"]),
    "a grid without end": ({"report.radii": {"start": 0, "stop": 1, "step": 0}}, ["report.radii", "greater than 0"]),
    "of a later version": ({"attacks": ["pgd"]}, ["'attacks'", "not available in this version"]),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_spec_with_a_mistake(kind: str, world, refused) -> None:
    changes, words = CHANGES[kind]
    spec = world.spec(**{path.replace(".", "__"): value for path, value in changes.items()})
    refused(["run", spec], [*words, "spec.yaml"])
    assert not (world.folder / "runs").exists()


def test_two_defenses_of_one_name(world, refused) -> None:
    fields = yaml.safe_load(Path(world.spec()).read_text())
    fields["defenses"] *= 2
    world.write("spec.yaml", yaml.safe_dump(fields))
    refused(["run", "spec.yaml"], ["spec.yaml", "another defense is called 'g'"])


def test_all_mistakes_come_at_once(world, refused) -> None:
    spec = world.spec(certification__n=0, certification__alpha=2, defenses__0__noise__sigma=-1, sed=1)
    refused(
        ["run", spec], ["certification.n:", "certification.alpha:", "noise.sigma:", "'sed'", "did you mean 'seed'?"]
    )


SETTINGS: dict[str, tuple[str, list[str]]] = {
    "no value": ("certification.n", ["--set", "key.path=value"]),
    "below a number": ("seed.more=1", ["--set", "seed"]),
    "beyond a list": ("defenses.7.name=x", ["--set", "defenses"]),
    "a word in a list": ("defenses.first.name=x", ["--set", "defenses", "position"]),
    "an unknown key": ("certification.m=7", ["certification", "'m'"]),
    "bad YAML": ("certification.n=[1", ["--set", "certification.n"]),
    "a bad value": ("certification.n=0", ["certification.n", "at least 1"]),
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_setting_with_a_mistake(kind: str, world, refused) -> None:
    setting, words = SETTINGS[kind]
    refused(["run", world.spec(), "--set", setting], words)


FILES: dict[str, tuple[list[str], list[str]]] = {
    "no such file": (["absent.yaml"], ["absent.yaml", "no such file"]),
    "no such name": (["quikstart"], ["'quikstart'", "did you mean 'quickstart'?"]),
    "a directory": (["."], ["directory"]),
    "a name that no file can have": (["a\0b"], []),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("command", ["run", "validate"])
def test_a_spec_that_is_not_there(kind: str, command: str, refused) -> None:
    arguments, words = FILES[kind]
    refused([command, *arguments], words)


def test_validate_as_json_lists_the_errors(world, cli) -> None:
    outcome = cli("validate", world.spec(certification__n=0), "--json")
    assert outcome.code == 2
    document = json.loads(outcome.out)
    assert document["valid"] is False
    assert document["errors"][0]["key"] == "certification.n"
    assert document["errors"][0]["line"] > 0
