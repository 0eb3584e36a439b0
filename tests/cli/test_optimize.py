"""Noise optimisation from the command line: a run, its report, a killed run, and what is refused."""

from __future__ import annotations

import csv
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

OPTIMIZE: dict[str, Any] = {"mode": "c-opt", "over": {"sigma": [0.1, 1.0]}, "n": 60, "evaluations": 5}
SEED = 20_220_710


def optimized(world, mode: str = "c-opt", **changes: Any) -> str:
    """A spec file of a run with noise optimisation."""
    return str(world.spec(optimize={**OPTIMIZE, "mode": mode}, **changes))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_c_opt_from_spec_to_report(world, cli) -> None:
    spec = optimized(world, report={"formats": ["html", "markdown", "latex", "csv"]})
    outcome = cli("run", spec, "--out", "run")
    assert (outcome.code, outcome.err) == (0, "")
    assert "tuned noise: little: sigma chosen on 6 of the evaluated inputs" in outcome.out
    report = world.folder / "run" / "report"
    candidates = rows(report / "optimization.csv")
    assert [row["number"] for row in candidates] == ["1", "2", "3", "4", "5"]
    [chosen] = [row for row in candidates if row["chosen"] == "1"]
    assert {row["noise_params"] for row in rows(report / "certificates.csv")} == {chosen["params"].replace(":", ": ")}
    text = (report / "report.md").read_text(encoding="utf-8")
    for part in ("Noise optimisation (c-opt) of g", "(chosen)", "tuning: the radii of all 5 candidates", "0.0009"):
        assert part in text


def test_i_opt_shows_its_label_everywhere(world, cli) -> None:
    outcome = cli("run", optimized(world, "i-opt"), "--out", "run")
    assert outcome.code == 0
    assert "proved (per-input noise)" in outcome.out
    assert "no certificate of a deployed classifier" in " ".join(outcome.out.split())
    report = world.folder / "run" / "report"
    for name in ("certificates.csv", "summary.csv", "certified_accuracy.csv"):
        assert {row["guarantee"] for row in rows(report / name)} == {"proved (per-input noise)"}
    chosen = [row["index"] for row in rows(report / "optimization.csv") if row["chosen"] == "1"]
    assert chosen == ["0", "1", "2", "3", "4", "5"]
    plain = cli("run", world.spec(name="plain"), "--out", "plain")
    assert plain.code == 0
    both = cli("compare", "run", "plain")
    assert both.code == 0
    assert "one noise for all inputs instead of a noise for each input" in " ".join(both.out.split())
    for kind in ("json", "tsv", "csv"):
        exported = cli("export", "run", "--format", kind, "--out", f"export-{kind}")
        assert exported.code == 0
        assert any("per-input" in file.name + file.read_text() for file in (world.folder / f"export-{kind}").iterdir())


def test_the_plan_shows_it(world, cli) -> None:
    outcome = cli("run", optimized(world), "--dry-run")
    assert outcome.code == 0
    assert "before that: tuning up to 5 x 60 for every input, to choose sigma: one for all inputs" in outcome.out
    assert not (world.folder / "runs").exists()


def test_other_settings_need_another_directory(world, cli, refused) -> None:
    spec = optimized(world)
    assert cli("run", spec, "--out", "run").code == 0
    refused(["run", spec, "--out", "run", "--set", "optimize.n=70"], ["optimize.n: stored 60, now 70", "--fresh"])
    refused(["run", spec, "--out", "run", "--set", "certification.alpha=0.01"], ["optimize.alpha: stored 0.001"])
    assert cli("run", spec, "--out", "run", "--set", "optimize.n=70", "--fresh").code == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"over": {"sigmaa": [0.1, 1]}}, ["optimize.over.sigmaa", "did you mean 'sigma'"]),
        ({"over": {"sigma": [1, 0.1]}}, ["optimize.over.sigma", "lowest < highest"]),
        ({"over": {"sigma": [0.3, 1]}}, ["optimize.over.sigma", "outside [0.3, 1]"]),
        ({"alpha_share": 1.5}, ["optimize.alpha_share", "less than 1"]),
        ({"mode": "d-opt"}, ["optimize.mode", "'c-opt' or 'i-opt'"]),
    ],
    ids=str,
)
def test_bad_settings_are_refused(world, refused, changes: dict[str, Any], words: list[str]) -> None:
    refused(["run", str(world.spec(optimize={**OPTIMIZE, **changes}))], words)


def test_without_noise_there_is_nothing_to_optimise(world, refused) -> None:
    spec = optimized(world, defenses__0__noise=...)
    refused(["run", spec], ["defenses.0", "'g' has no noise to optimise"])


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["c-opt", "i-opt"])
def test_killed_at_random_moments(mode: str, world, tmp_path: Path, start, results) -> None:
    spec = optimized(world, mode, certification__n=4000, dataset__limit=20)
    begun = time.monotonic()
    process = start("-q", "run", spec, "--out", "whole")
    assert process.wait(timeout=120) == 0
    seconds = time.monotonic() - begun
    moments, killed = random.Random(SEED), 0
    for _ in range(4):
        process = start("-q", "run", spec, "--out", "killed")
        while not (world.folder / "killed" / "run.sqlite").exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, seconds / 3))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        killed += process.returncode == -signal.SIGKILL
    assert killed > 0
    process = start("-q", "run", spec, "--out", "killed")
    assert process.wait(timeout=120) == 0
    assert results(world.folder / "killed") == results(world.folder / "whole")
    tables = [(world.folder / run / "report" / "optimization.csv").read_bytes() for run in ("killed", "whole")]
    assert tables[0] == tables[1]
