"""Stopped at any moment, a run goes on where it was and ends as if nothing had happened."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

SEED = 20_190_208
KILLS = 4
CHANGES = {
    "dataset__limit": 20,
    "defenses__0__noise__sigma": [0.25, 0.5],
    "defenses__0__model": {"name": "mlp", "training": {"name": "noise-augmentation", "epochs": 6}},
    "certification__n": 2000,
    "certification__norms": [1, 2, "inf"],
}


def wait_for(condition, process: subprocess.Popen[str], seconds: float = 60) -> None:
    """Until the condition holds or the process ends."""
    end = time.monotonic() + seconds
    while not condition() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)


def sampling_begun(run: Path) -> bool:
    """A chunk is on its way once the run's database has been written to in earnest."""
    wal = run / "run.sqlite-wal"
    return wal.exists() and wal.stat().st_size > 0


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for a run that nobody disturbs."""
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")


@pytest.mark.slow
def test_killed_at_random_moments(world, tmp_path: Path, start, results) -> None:
    """With caches of their own, so that training is interrupted too."""
    spec = world.spec(**CHANGES)
    begun = time.monotonic()
    finish(start("--cache", tmp_path / "first-cache", "-q", "run", spec, "--out", "whole"))
    seconds = time.monotonic() - begun
    moments = random.Random(SEED)
    arguments = ["--cache", tmp_path / "second-cache", "-q", "run", spec, "--out", "killed"]
    killed = 0
    for _ in range(KILLS):
        process = start(*arguments)
        wait_for((tmp_path / "second-cache").exists, process)
        time.sleep(moments.uniform(0, seconds / 2))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        killed += process.returncode == -signal.SIGKILL
    assert killed > 0
    finish(start(*arguments))
    assert results(world.folder / "killed") == results(world.folder / "whole")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")]
)
def test_stopped_politely(number: int, code: int, word: str, world, start, results) -> None:
    spec = world.spec(**{**CHANGES, "certification__n": 20_000})
    process = start("run", spec, "--out", "stopped")
    wait_for(lambda: sampling_begun(world.folder / "stopped"), process)
    time.sleep(0.3)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, ""), err
    assert err == f"{word}: finished chunks are saved; the same command resumes\n"
    for out in ("stopped", "whole"):
        finish(start("run", spec, "--out", out))
    assert results(world.folder / "stopped") == results(world.folder / "whole")


@pytest.mark.slow
def test_a_directory_in_use_names_the_process(world, cli, start) -> None:
    spec = world.spec(**{**CHANGES, "certification__n": 10_000_000})
    process = start("run", spec, "--out", "busy")
    try:
        wait_for(lambda: sampling_begun(world.folder / "busy"), process)
        outcome = cli("run", spec, "--out", "busy")
        assert (outcome.code, outcome.out) == (2, "")
        assert re.search(rf"busy is in use by process {process.pid}\b", outcome.err)
    finally:
        process.kill()
        process.communicate(timeout=60)
    assert cli("run", world.spec(**CHANGES), "--set", "certification.n=10", "--out", "elsewhere").code == 0


@pytest.mark.slow
def test_the_lock_of_a_killed_process_blocks_nobody(world, cli, start) -> None:
    spec = world.spec(**CHANGES)
    process = start("run", spec, "--out", "left")
    wait_for(lambda: sampling_begun(world.folder / "left"), process)
    process.kill()
    process.communicate(timeout=60)
    assert (world.folder / "left").exists()
    assert cli("run", spec, "--out", "left").code == 0


def test_a_reader_that_has_seen_enough_is_no_failure(start) -> None:
    process = start("schema")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()
    assert (process.wait(timeout=60), err) == (0, "")


def test_interrupted_before_anything_was_done(world, cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from robustbench_rs import evaluation

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluation, "describe_plan", interrupt)
    outcome = cli("run", world.spec(), "--dry-run")
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "interrupted\n")
