"""Derandomised splitting noise from a spec to a report, on real digits: swept, killed, resumed, merged, compared."""

from __future__ import annotations

import copy
import csv
import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from robustbench_rs import SmoothedClassifier, compare, evaluate, load_run, noise
from robustbench_rs.api import Inputs
from robustbench_rs.cli.app import app
from robustbench_rs.errors import InputError, RunError, SpecError
from robustbench_rs.evaluation import RunOptions, merge_runs
from robustbench_rs.evaluation.checkpoints import load_weights
from robustbench_rs.plugins import load_registry
from robustbench_rs.python_api import installed
from robustbench_rs.spec import spec_from_mapping
from robustbench_rs.store import open_run

LABEL = "proved (inputs on the grid)"
DSSN = {
    "name": "dssn",
    "model": {"name": "mlp", "training": {"name": "noise-augmentation", "epochs": 4}},
    "noise": {"name": "deterministic-splitting", "levels": 16, "scale": [0.5, 1.0, 1.25]},
}
SPEC = {
    "name": "little",
    "dataset": {"name": "digits", "limit": 12},
    "defenses": [DSSN],
    "certification": {"norms": [1, 2, "inf"]},
    "prediction": {},
    "report": {"formats": ["csv", "markdown", "latex", "html", "tsv"]},
    "executor": {"name": "local", "batch_size": 64},
}
SSN = {"name": "ssn", "model": DSSN["model"], "noise": {"name": "splitting", "scale": 0.5}}
MIXED = {
    **SPEC,
    "defenses": [DSSN, SSN],
    "certification": {"n0": 20, "n": 200, "norms": [1]},
    "report": {"formats": ["csv", "markdown", "html"]},
}
DRAWS = (16, 32, 40)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def finished(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished") / "run"
    evaluate(SPEC, RunOptions(out=out, cache=cache))
    return out


@pytest.fixture(scope="module")
def mixed(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mixed") / "run"
    evaluate(MIXED, RunOptions(out=out, cache=cache))
    return out


@pytest.fixture
def options(cache: Path, tmp_path: Path) -> RunOptions:
    return RunOptions(out=tmp_path / "run", cache=cache)


def counts_of(path: Path) -> dict[tuple[str, int, str], tuple[int, bytes]]:
    with open_run(path / "run.sqlite") as store:
        rows = store._all("SELECT task, idx, stage, n, counts FROM counts ORDER BY 1, 2, 3")
    return {row[:3]: row[3:] for row in rows}


def tables_of(path: Path) -> list[bytes]:
    return [(path / "report" / name).read_bytes() for name in ("certificates.csv", "certified_accuracy.csv")]


def rows_of(path: Path, name: str) -> list[dict[str, str]]:
    with (path / "report" / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def spelled(path: Path) -> list[str]:
    """The pages, each as one line."""
    return [" ".join((path / "report" / name).read_text("utf-8").split()) for name in ("report.md", "report.html")]


def test_every_task_has_its_own_number_of_draws_and_no_others(finished: Path) -> None:
    with open_run(finished / "run.sqlite") as store:
        tasks = {row.id: row.outcomes for row in store.tasks()}
        assert tuple(tasks.values()) == DRAWS
        assert store.meta("looks") is None
        assert {cost.stage: cost.samples for cost in store.costs() if tasks[cost.task] == 40} == {
            "clean": 12,
            "enumeration": 480,
        }
    assert {stage for _, _, stage in counts_of(finished)} == {"clean", "enumeration"}
    for (task, _, stage), (n, blob) in counts_of(finished).items():
        assert n == int(np.frombuffer(blob, dtype="<i8").sum()) == (tasks[task] if stage == "enumeration" else 1)


def test_radii_are_the_theorem_s_of_the_counts(finished: Path) -> None:
    with open_run(finished / "run.sqlite") as store:
        tasks = [(row, store.counts(row.id, "enumeration")) for row in store.tasks()]
    measured = {(one.noise_params, one.norm): one for one in load_run(finished).source.measured}  # type: ignore[union-attr]
    assert len(measured) == 6
    certified = 0
    for row, counts in tasks:
        scale = row.details["noise"]["scale"]
        for norm, divisor in ((1.0, 1), (2.0, 8)):
            one = measured[json.dumps({"levels": 16, "scale": scale, "seed": 0}), norm]
            assert (one.n0, one.n, one.alpha, one.bound) == (0, row.outcomes, 0.0, "enumeration")
            assert one.max_radius == pytest.approx(scale / divisor)
            for i, index in enumerate(one.indices.tolist()):
                other, top = np.sort(counts[index])[-2:].tolist()
                truth = Fraction(top - other, 32 * divisor)
                assert Fraction(float(one.radius[i])) <= truth
                assert float(one.radius[i]) == pytest.approx(float(truth), rel=1e-12)
                assert bool(one.abstained[i]) == (top == other)
                certified += top > other
    assert certified > 60


def test_files_say_what_the_certificates_are(finished: Path) -> None:
    certificates = rows_of(finished, "certificates.csv")
    assert len(certificates) == 3 * 2 * 12
    assert {(row["guarantee"], row["bound"], row["alpha"]) for row in certificates} == {(LABEL, "enumeration", "0.0")}
    assert {row["n"] for row in certificates} == {"16", "32", "40"}
    for row in certificates:
        k = round(float(row["p_lower"]) * int(row["n"]))
        assert Fraction(row["p_lower"]) <= Fraction(k, int(row["n"]))
    assert {
        row["guarantee"] for name in ("summary.csv", "certified_accuracy.csv") for row in rows_of(finished, name)
    } == {LABEL}


def test_pages_say_that_nothing_is_left_to_chance(finished: Path) -> None:
    meaning = "radii hold for perturbed inputs whose pixels are multiples of 1/16 in"
    for page in spelled(finished):
        assert LABEL in page
        assert meaning in page
        assert "deterministic" in page
        assert "enumeration: nothing, all draws of the noise were tried" in page
        assert "all 40 that there are: exact shares, no alpha, certain" in page
        for chance in ("probability at least 1", "selection draws", 'clopper-pearson"', "PREDICT, a statement"):
            assert chance not in page
    latex = " ".join((finished / "report" / "report.tex").read_text("utf-8").split())
    assert meaning in latex
    assert "(inputs on the grid)" in latex


def test_what_is_predicted_is_certain(finished: Path) -> None:
    rows = rows_of(finished, "predictions.csv")
    assert len(rows) == 36
    certificates = {(row["noise_params"], row["index"]): row for row in rows_of(finished, "certificates.csv")}
    for row in rows:
        same = certificates[row["noise_params"], row["index"]]
        assert (row["prediction"], row["abstained"]) == (same["prediction"], same["abstained"])
        assert (row["n"], row["alpha"], row["p_value"]) == (
            same["n"],
            "0.0",
            "1.0" if row["abstained"] == "1" else "0.0",
        )


def test_levels_of_a_sweep_are_compared_whatever_their_number_of_draws(finished: Path) -> None:
    report = load_run(finished).report()
    assert not [flag for flag in report.flags if flag.kind == "not comparable"]
    assert {(row.setting.norm, row.guarantee) for row in report.summary if row.setting.defense == "envelope"} == {
        ("1", LABEL),
        ("2", LABEL),
    }
    assert {test.first.noise for test in report.paired} == {"deterministic-splitting"}
    assert report.certainty == "all"


def test_pictures_show_pieces(finished: Path) -> None:
    gallery = load_run(finished).source.gallery  # type: ignore[union-attr]
    assert len(gallery) > 0
    for item in gallery:
        clean, noisy = (np.asarray(Image.open(io.BytesIO(png))) for png in (item.clean_png, item.noisy_png))
        assert clean.shape == noisy.shape
        assert len(np.unique(noisy)) < len(np.unique(clean)) + 17
        assert not np.array_equal(clean, noisy)


def test_two_runs_are_byte_identical(finished: Path, options: RunOptions, tmp_path: Path) -> None:
    """Another cache: trained anew, too. Batches of another size count the same."""
    evaluate(SPEC, replace(options, cache=tmp_path / "cache"))
    assert tables_of(options.out) == tables_of(finished)
    other = replace(options, out=tmp_path / "other")
    evaluate({**SPEC, "executor": {"name": "local", "batch_size": 7}, "seed": 0}, other)
    assert tables_of(other.out) == tables_of(finished)


class StopError(Exception):
    pass


class StopAfter:
    """A progress that stops the run at its n-th news."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def start(self, label: str, total: int, done: int = 0) -> None:
        self._count()

    def advance(self, amount: int, note: str = "") -> None:
        assert not note or note.startswith("certified ")
        self._count()

    def finish(self) -> None:
        pass

    def say(self, message: str) -> None:
        pass

    def _count(self) -> None:
        self.steps -= 1
        if self.steps == 0:
            raise StopError


class Noted(StopAfter):
    """Keeps the last note of every task."""

    def __init__(self) -> None:
        super().__init__(0)
        self.notes: list[str] = []

    def start(self, label: str, total: int, done: int = 0) -> None:
        self.notes.append("")

    def advance(self, amount: int, note: str = "") -> None:
        self.notes[-1] = note or self.notes[-1]


def test_progress_counts_what_is_certified_without_a_bound(options: RunOptions) -> None:
    """Inputs whose top class has few draws more than another are certified, where a confidence bound would abstain."""
    progress = Noted()
    run = evaluate({**SPEC, "dataset": {"name": "digits", "limit": 60}}, replace(options, progress=progress))
    measured = [one for one in run.source.measured if one.norm == 1]  # type: ignore[union-attr]
    notes = [note for note in progress.notes if note.startswith("certified")]
    assert notes == [f"certified {np.mean(one.correct):.2f}" for one in measured]
    assert any(np.any(one.correct & (one.p_lower < 0.6)) for one in measured)  # type: ignore[operator]


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5])
def test_an_interrupted_run_ends_as_if_it_had_not_been(steps: int, finished: Path, options: RunOptions) -> None:
    with pytest.raises((StopError, RunError)):
        evaluate(SPEC, replace(options, progress=StopAfter(steps)))
    if steps == 3:
        assert 0 < len(load_run(options.out).source.measured) < 6  # type: ignore[union-attr]
    evaluate(SPEC, options)
    assert counts_of(options.out) == counts_of(finished)
    assert tables_of(options.out) == tables_of(finished)


def test_part_of_the_draws_is_no_result(finished: Path, options: RunOptions) -> None:
    """15 of 16 draws of one input, as after a kill: it is not done, and drawn on from number 15."""
    shutil.copytree(finished, options.out)
    with open_run(options.out / "run.sqlite", write=True) as store:
        task = store.tasks()[0].id
        unanimous = {index: counts for index, counts in store.counts(task, "enumeration").items() if counts.max() == 16}
        index, counts = next(iter(unanimous.items()))
        store._connection.execute(
            "UPDATE counts SET n = 15, counts = ? WHERE task = ? AND idx = ? AND stage = 'enumeration'",
            ((counts - (counts > 0)).astype("<i8").tobytes(), task, index),
        )
    source = load_run(options.out).source
    assert len(source.measured[0].indices) == 11  # type: ignore[union-attr]
    assert [flag.kind for flag in source.flags].count("incomplete") == 1  # type: ignore[union-attr]
    evaluate(SPEC, options)
    assert counts_of(options.out) == counts_of(finished)
    assert tables_of(options.out) == tables_of(finished)


def test_shards_merge_to_the_whole(finished: Path, options: RunOptions) -> None:
    parts = [options.out.with_name(f"shard{number}") for number in (1, 2)]
    for number, part in enumerate(parts, 1):
        evaluate(SPEC, replace(options, out=part, shard=(number, 2)))
    merged = merge_runs(parts, options.out, installed())
    assert counts_of(options.out) == counts_of(finished)
    whole = load_run(finished).source.measured  # type: ignore[union-attr]
    assert [one.radius.tolist() for one in merged.source.measured] == [one.radius.tolist() for one in whole]


def test_more_inputs_and_levels_extend_it_and_numbers_of_random_draws_do_not_matter(
    finished: Path, options: RunOptions
) -> None:
    shutil.copytree(finished, options.out)
    spec = copy.deepcopy(SPEC)
    spec["dataset"]["limit"] = 14  # type: ignore[index]
    spec["defenses"][0]["noise"]["scale"] = [0.5, 1.0, 1.25, 1.5]  # type: ignore[index]
    spec["certification"] = {"n0": 10, "n": 50, "norms": [1]}
    run = evaluate(spec, options)
    assert counts_of(finished).items() <= counts_of(options.out).items()
    assert [(one.n, len(one.indices)) for one in run.source.measured] == [(n, 14) for n in (16, 32, 40, 48)]  # type: ignore[union-attr]
    assert "extended" not in {flag.kind for flag in run.source.flags}  # type: ignore[union-attr]


def test_random_noise_beside_it_keeps_its_own_protocol(mixed: Path, finished: Path, options: RunOptions) -> None:
    source = load_run(mixed).source
    assert [(one.noise, one.n, one.alpha) for one in source.measured] == [  # type: ignore[union-attr]
        *(("deterministic-splitting", n, 0.0) for n in DRAWS),
        ("splitting", 200, 0.001),
    ]
    assert {share.purpose: share.alpha for share in source.budget} == {  # type: ignore[union-attr]
        "enumeration: nothing, all draws of the noise were tried": 0.0,
        "lower limit of the top class": 0.001,
        "prediction (PREDICT, a statement of its own)": 0.001,
    }
    assert {row.n: row.alpha for row in source.predictions} == {16: 0.0, 32: 0.0, 40: 0.0, 1000: 0.001}  # type: ignore[union-attr]
    report = load_run(mixed).report()
    assert report.certainty == "some"
    [flag] = [flag for flag in report.flags if flag.kind == "not comparable"]
    assert "certificates without a stated condition instead of (inputs on the grid)" in flag.message
    assert {row.guarantee for row in report.summary if row.setting.noise == "splitting"} == {"proved"}
    for page in spelled(mixed):
        assert "probability at least 1" in page
        assert "estimation draws n" in page
        assert "Certificates of alpha 0 are deterministic" in page
    assert [b for b in counts_of(mixed).items() if b[0][2] == "enumeration"] == [
        a for a in counts_of(finished).items() if a[0][2] == "enumeration"
    ]
    shutil.copytree(mixed, options.out)
    fewer = copy.deepcopy(MIXED)
    fewer["certification"]["n"] = 100  # type: ignore[index]
    with pytest.raises(InputError, match=r"certification\.n: stored 200, now 100"):
        evaluate(fewer, options)


def test_a_defense_may_join_later(finished: Path, mixed: Path, options: RunOptions) -> None:
    """A run without random noise takes on some: what was written down of n there binds nobody."""
    shutil.copytree(finished, options.out)
    evaluate(MIXED, options)
    assert counts_of(options.out) == counts_of(mixed)
    assert tables_of(options.out) == tables_of(mixed)


def test_compare_keeps_labels_apart(finished: Path, mixed: Path, options: RunOptions, tmp_path: Path) -> None:
    report = compare([finished, mixed], radii=[0.0, 0.25])
    for row in report.certified_accuracy:
        assert row.guarantee == ("proved" if row.setting.noise == "splitting" else LABEL)
    other = copy.deepcopy(SPEC)
    other["defenses"][0]["noise"] |= {"levels": 32, "scale": 0.5}  # type: ignore[index]
    evaluate(other, options)
    flags = [flag.message for flag in compare([finished, options.out]).flags if flag.kind == "not comparable"]
    assert flags
    assert all("multiples of 1/32" in text and "multiples of 1/16" in text for text in flags)
    exported = finished / "report"
    logs = sorted(exported.glob("*norm_1*.tsv"))
    assert len(logs) == 3
    read = compare([finished, *logs], radii=[0.0, 0.25])
    assert {row.guarantee for row in read.summary if row.setting.noise == "deterministic-splitting"} == {
        LABEL,
        "as printed",
    }
    assert any(flag.kind == "not comparable" for flag in read.flags)


def test_alpha_changes_nothing(finished: Path) -> None:
    from robustbench_rs.evaluation import load_run as load_with

    usual, strict = (load_with(finished, installed(), certification={"alpha": alpha}) for alpha in (0.001, 1e-9))
    for one, two in zip(usual.source.measured, strict.source.measured, strict=True):
        assert (one.alpha, two.alpha) == (0.0, 0.0)
        assert np.array_equal(one.radius, two.radius)


def test_python_certifies_what_the_spec_does(finished: Path, cache: Path) -> None:
    digits, mlp = installed().find("dataset", "digits"), installed().find("model", "mlp")
    images = digits(digits.Params()).load("test")  # type: ignore[attr-defined]
    module = mlp(mlp.Params()).build(Inputs(images.shape, 10), None)  # type: ignore[attr-defined]
    [weights] = [
        path.with_suffix(".safetensors")
        for path in (cache / "models").glob("*.json")
        if (json.loads(path.read_text())["noise"] or {}).get("scale") == 1.25
    ]
    load_weights(module, weights, "mlp")
    smoothed = SmoothedClassifier(module, noise("deterministic-splitting", levels=16, scale=1.25), 10, batch_size=64)
    found = smoothed.certify(torch.from_numpy(images.pixels(np.arange(12))))
    one = load_run(finished).source.measured[4]  # type: ignore[union-attr]
    assert np.array_equal(found.radius(norm=1), one.radius)
    assert np.array_equal(found.classes, one.predictions)


@pytest.mark.parametrize("levels", [255, 15])
def test_data_of_other_levels_are_refused(levels: int, options: RunOptions) -> None:
    spec = copy.deepcopy(SPEC)
    spec["defenses"][0]["noise"] |= {"levels": levels, "scale": 1.0}  # type: ignore[index]
    with pytest.raises(
        InputError, match=rf"input 0 of the data set has a pixel of 0\.\d+, no multiple of 1/{levels}, "
    ):
        evaluate(spec, options)


def test_optimising_it_is_refused() -> None:
    spec = {**SPEC, "defenses": [{**DSSN, "noise": {**DSSN["noise"], "scale": 0.5}}]}  # type: ignore[dict-item]
    spec["optimize"] = {"mode": "c-opt", "over": {"scale": [0.1, 1.0]}}
    with pytest.raises(
        SpecError, match=r"deterministic-splitting noise of defense 'dssn' is not optimised: all of its"
    ):
        spec_from_mapping(spec, load_registry(), folder=Path.cwd())


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_on_the_command_line(tmp_path: Path, cache: Path, finished: Path) -> None:
    """The plan, a run in a process of its own, and the same again, which draws nothing."""
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(SPEC))
    plan = invoke("run", spec, "--dry-run")
    assert "draws per input: clean 1, enumeration 40\n" in plan
    assert plan.count("all draws that the noise can make: nothing is left to chance, no alpha is spent") == 3
    command = [
        sys.executable,
        "-c",
        "from robustbench_rs.cli import main; main()",
        "--cache",
        cache,
        "run",
        spec,
        "--out",
        tmp_path / "run",
    ]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
        assert LABEL in done.stdout
        assert "inputs on the grid: little: radii hold for perturbed inputs whose pixels" in done.stdout
        assert tables_of(tmp_path / "run") == tables_of(finished)
    assert LABEL in invoke("report", tmp_path / "run", "--norm", "1", "--alpha", "0.5")


def test_the_calculator_labels_its_radii() -> None:
    arguments = ["--noise", "deterministic-splitting", "--param", "scale=0.5", "--dim", "64", "--p-lower", "0.9"]
    found = json.loads(invoke("radius", *arguments, "--p-upper", "0.1", "--norm", "1", "--json"))["results"]
    assert found == [
        {
            "solver": "closed-form",
            "radius": pytest.approx(0.4, rel=1e-12),
            "guarantee": LABEL,
            "upper": pytest.approx(103 / 255),
            "abstain": False,
            "details": {"closed-form": {"source": "Levine and Feizi 2021, DSSN", "exact": False}},
        }
    ]
    assert found[0]["radius"] <= 0.4
    [implied] = json.loads(invoke("radius", *arguments, "--norm", "2", "--json"))["results"]
    assert (implied["solver"], implied["guarantee"]) == ("closed-form (l1)", LABEL)
    assert implied["radius"] == pytest.approx(0.4 / 8, rel=1e-12)
    refused = CliRunner().invoke(app, ["radius", *arguments, "--norm", "inf"])
    assert refused.exit_code != 0


def test_a_validation_labels_its_radii(options: RunOptions) -> None:
    noises = [{"name": "deterministic-splitting", "levels": 16, "scale": 0.5}, {"name": "splitting", "scale": 0.5}]
    validation = {"kind": "tightness", "noises": noises, "norms": [1, 2], "dims": [64], "p_lower": [0.6, 0.9]}
    run = evaluate({"name": "v", "validation": validation, "report": {"formats": ["csv", "markdown"]}}, options)
    brackets = run.data.brackets  # type: ignore[union-attr]
    assert {(each.case.family, each.guarantee) for each in brackets} == {
        ("deterministic-splitting (levels=16, seed=0)", LABEL),
        ("splitting", "proved"),
    }
    for each in brackets:
        assert each.lower is not None
        assert each.lower <= (each.upper or np.inf)
