"""Splitting noise from a spec to a report, on real digits: trained, sampled, certified, pictured."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robustbench_rs import evaluate
from robustbench_rs.evaluation import RunOptions

SPEC = {
    "name": "splitting",
    "dataset": {"name": "digits", "limit": 20},
    "defenses": [
        {
            "name": "ssn",
            "model": {"name": "small-cnn", "training": {"name": "noise-augmentation", "epochs": 6}},
            "noise": {"name": "splitting", "scale": [0.5, 1.0]},
        }
    ],
    "certification": {"n0": 50, "n": 500, "norms": [1, 2]},
    "report": {"formats": ["csv"]},
    "executor": {"name": "local", "batch_size": 256},
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("splitting") / "run"


@pytest.fixture(scope="module")
def run(out: Path, tmp_path_factory: pytest.TempPathFactory):
    return evaluate(SPEC, RunOptions(out=out, cache=tmp_path_factory.mktemp("cache")))


def test_radii_are_the_theorem_s(run) -> None:
    assert [(one.norm, one.sigma) for one in run.source.measured] == [(1, None), (2, None)] * 2
    for one in run.source.measured:
        scale = 0.5 if "0.5" in one.noise_params else 1.0
        expected = np.where(one.abstained, 0.0, scale * (one.p_lower - one.p_upper)) / (1 if one.norm == 1 else 8)
        assert one.radius == pytest.approx(expected, rel=1e-9)
        assert np.all(one.radius <= expected)
        assert set(one.guarantee) == {"proved"}
        assert {"closed-form", "closed-form (l1)"}.issuperset(one.solver_used)


def test_a_model_trained_under_it_is_certified(run) -> None:
    """Six epochs on 1,437 digits: most of twenty test digits get a radius (chance would certify next to none)."""
    first = run.source.measured[0]
    assert np.mean(first.correct) > 0.7
    assert np.mean(first.radius) > 0.1


def test_the_report_has_no_sigma(run, out: Path) -> None:
    with (out / "report" / "summary.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["noise"] == "splitting" and row["defense"] == "ssn"]
    assert len(rows) == 4
    assert {row["sigma"] for row in rows} == {""}
    assert {row["noise_params"] for row in rows} == {'{"scale": 0.5}', '{"scale": 1.0}'}


def test_pictures_show_pieces(run) -> None:
    """At scale 1/2 a pixel that is black or white becomes less than 1/2 or more than 1/2: nothing is added to it."""
    assert len(run.source.gallery) > 0
    for item in run.source.gallery:
        clean, noisy = (np.asarray(Image.open(io.BytesIO(png))) for png in (item.clean_png, item.noisy_png))
        assert np.all(noisy[clean == 0] <= 128)
        assert np.all(noisy[clean == 255] >= 127)
        assert len(np.unique(noisy[clean == 0])) > 5
