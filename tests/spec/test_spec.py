"""A valid spec: values, defaults, the canonical form, shipped specs, JSON Schema and documentation."""

from __future__ import annotations

import json
import math
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

from robustbench_rs.errors import InputError
from robustbench_rs.spec import (
    Certification,
    Defense,
    Optimize,
    Prediction,
    RadiusRange,
    ReportOptions,
    Spec,
    ValidationOptions,
    ValidationSpec,
    find_spec,
    load_spec,
    shipped_specs,
)
from robustbench_rs.spec.nodes import ScalarNode, Source
from robustbench_rs.spec.yaml_nodes import parse_text

EVERYTHING = """\
name: everything 1.0_a-b
seed: 9223372036854775807
requires: [gauss]
dataset: {name: toy, every: 20}
defenses:
  - {name: clean, model: {name: net, checkpoint: m.pt}}
  - {name: noisy, model: {name: net, training: drill}, noise: {name: gauss, sigma: [1e-1, 0.5]}}
certification: {n0: 10, n: 1e3, alpha: 1e-3, norms: [1, 2, inf, 1.5], solvers: [auto, all, closed-form]}
prediction: {n: 50}
report: {radii: [0, 0.5], formats: [csv, {name: html}]}
"""

SCALARS = [
    ("1e-3", 0.001),
    ("1.0e-4", 0.0001),
    ("1E5", 100_000.0),
    (".5", 0.5),
    ("-2", -2),
    ("100_000", 100_000),
    (".inf", math.inf),
    ("-.inf", -math.inf),
    ("inf", "inf"),
    ("no", "no"),
    ("on", "on"),
    ("true", True),
    ("~", None),
    ("null", None),
    ("012", 12),
    ("1:30", "1:30"),
    ("2024-01-01", "2024-01-01"),
    ("'1'", "1"),
    ("1.2.3", "1.2.3"),
    ("e5", "e5"),
]


@pytest.mark.parametrize(("text", "expected"), SCALARS)
def test_scalars(tmp_path, text, expected):
    node = parse_text(text, Source(None, tmp_path), [])
    assert isinstance(node, ScalarNode)
    assert node.value == expected
    assert type(node.value) is type(expected)


def test_defaults_are_the_protocol_of_the_field(load, base):
    spec = load(base)
    assert spec.seed == 0
    certification = spec.certification
    assert (certification.n0, certification.n, certification.alpha) == (100, 100_000, 0.001)
    assert (certification.bound.name, certification.norms, certification.solvers) == (
        "clopper-pearson",
        (2.0,),
        ("auto",),
    )
    assert [reporter.name for reporter in spec.report.formats] == ["html", "markdown", "latex", "csv"]
    assert spec.executor.name == "local"
    assert spec.prediction is None
    assert spec.defenses[0].model.params.training.params.epochs == 20


def test_values_as_written(load):
    spec = load(EVERYTHING)
    assert spec.certification.n == 1000
    assert type(spec.certification.n) is int
    assert spec.certification.norms == (1.0, 2.0, math.inf, 1.5)
    assert [solver if isinstance(solver, str) else solver.name for solver in spec.certification.solvers] == [
        "auto",
        "all",
        "closed-form",
    ]
    assert spec.defenses[0].noise is None
    assert [defense.noise.params.sigma for defense in spec.defenses[1:]] == [0.1, 0.5]
    assert spec.report.grid() == (0.0, 0.5)


def test_empty_sections_are_defaults(load, base):
    assert load(base + "certification:\nreport:\nprediction:\n") == load(base)


def test_aliases_work_within_reason(load):
    spec = load(
        "name: t\ndataset: toy\ndefenses:\n"
        "  - {name: a, model: &net {name: net, checkpoint: m}, noise: &noise {name: gauss, sigma: 1}}\n"
        "  - {name: b, model: *net, noise: *noise}\n"
    )
    assert spec.defenses[0].model == spec.defenses[1].model


def test_byte_order_mark_and_crlf_are_fine(load, base):
    assert load(b"\xef\xbb\xbf" + base.replace("\n", "\r\n").encode()) == load(base)


def test_a_spec_is_frozen_and_survives_its_canonical_form(load, directory):
    spec = load(EVERYTHING)
    with pytest.raises(ValueError, match="frozen"):
        spec.seed = 3
    canonical = spec.canonical()
    text = json.dumps(canonical, allow_nan=False)
    assert Spec.from_canonical(json.loads(text), directory) == spec
    assert Spec.from_canonical(json.loads(text), directory).canonical() == canonical
    assert canonical["certification"]["norms"] == [1.0, 2.0, "inf", 1.5]
    assert canonical["defenses"][1]["point"] == {"noise.sigma": 0.1}


def test_equal_specs_written_differently_have_the_same_canonical_form(load, base):
    other = base.replace("0.25", "25e-2").replace("training: drill", "training: {epochs: 20, name: drill}")
    assert load(other).canonical() == load(base).canonical()
    assert load(base, "seed=1").canonical() != load(base).canonical()


GRIDS = [
    ({"stop": 0.9, "step": 0.1}, (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)),
    ({"start": 0.05, "stop": 1, "step": 0.3}, (0.05, 0.35, 0.65, 0.95)),
    ({"start": 1, "stop": 1, "step": 5}, (1.0,)),
    ({"stop": 1e-7, "step": 5e-8}, (0.0, 5e-8, 1e-7)),
]


@pytest.mark.parametrize(("given", "expected"), GRIDS)
def test_grids_are_decimal_multiples(given, expected):
    assert RadiusRange(**given).grid() == expected


def test_shipped_specs_are_found_by_name_and_a_file_wins(tmp_path, monkeypatch):
    assert set(shipped_specs()) >= {
        "quickstart",
        "cifar10-cohen2019",
        "imagenet-cohen2019",
        "mnist-test",
        "cifar10-cpu",
    }
    monkeypatch.chdir(tmp_path)
    assert find_spec("quickstart") == shipped_specs()["quickstart"]
    (tmp_path / "quickstart").write_text("name: mine\n")
    assert find_spec("quickstart").read_text() == "name: mine\n"


@pytest.mark.parametrize("name", ["quickstrat", "specs/quickstart.yml", "no\0thing", "x" * 5000])
def test_a_missing_spec_is_an_input_error(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        find_spec(name)
    assert len(str(caught.value)) < 400
    if name == "quickstrat":
        assert "did you mean 'quickstart'?" in str(caught.value)


def test_a_folder_is_no_spec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    with pytest.raises(InputError, match="runs is a directory"):
        find_spec("runs")


def test_importing_the_spec_room_imports_no_torch():
    code = "import sys, robustbench_rs.spec; sys.exit(any(m in sys.modules for m in ('torch', 'matplotlib', 'plotly')))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@pytest.fixture(scope="module")
def registry():
    from robustbench_rs.plugins import load_registry

    return load_registry()


@pytest.mark.parametrize("name", sorted(shipped_specs()))
def test_shipped_specs_are_valid(registry, tmp_path, name):
    path = shipped_specs()[name]
    spec = load_spec(path, registry, data=tmp_path)
    assert spec.name == name
    assert path.read_text().startswith("# yaml-language-server: $schema=schema.json\n")
    assert type(spec).from_canonical(spec.canonical(), registry) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_published_protocols(registry, tmp_path):
    cifar = load_spec(shipped_specs()["cifar10-cohen2019"], registry, data=tmp_path)
    assert [defense.noise.params.sigma for defense in cifar.defenses] == [0.12, 0.25, 0.5, 1.0]
    assert cifar.report.grid() == (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
    checkpoint = "models/cifar10/resnet110/noise_0.50/checkpoint.pth.tar"
    assert cifar.defenses[2].model.params.checkpoint == tmp_path / checkpoint
    imagenet = load_spec(shipped_specs()["imagenet-cohen2019"], registry, data=tmp_path)
    assert imagenet.report.grid() == (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
    for spec, every in ((cifar, 20), (imagenet, 100)):
        assert spec.dataset.params.every == every
        assert (spec.certification.n0, spec.certification.n, spec.certification.alpha) == (100, 100_000, 0.001)


def documented_specs() -> list[str]:
    pages = [
        Path(__file__).resolve().parents[2] / "docs" / name for name in ("spec.md", "validation.md", "optimization.md")
    ]
    text = "\n".join(page.read_text() for page in pages)
    return [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if block.startswith("name:")]


def test_documentation_has_examples():
    assert len(documented_specs()) >= 1


@pytest.mark.parametrize("text", documented_specs())
def test_documented_specs_are_valid(registry, tmp_path, text):
    (tmp_path / "spec.yaml").write_text(text)
    (tmp_path / "base.yaml").write_text("seed: 1\n")
    assert load_spec(tmp_path / "spec.yaml", registry, data=tmp_path).name


def test_every_key_is_documented(registry):
    text = (Path(__file__).resolve().parents[2] / "docs" / "spec.md").read_text()
    keys = {
        key
        for model in (
            Spec,
            Defense,
            Certification,
            Prediction,
            ReportOptions,
            ValidationSpec,
            ValidationOptions,
            Optimize,
        )
        for key in model.model_fields
    }
    missing = {key for key in keys - {"point"} if f"`{key}`" not in text}
    assert not missing
