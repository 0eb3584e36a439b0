"""Directories, disks and published logs that cannot serve: a clear refusal, and earlier results intact."""

from __future__ import annotations

import json
import os
import sqlite3
import textwrap
from pathlib import Path
from typing import Any

import pytest

from robustbench_rs.cli import main


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its content."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def dump(run: Path) -> list[str]:
    """The whole content of a results file; its bytes may differ, because opening it changes the journal mode."""
    connection = sqlite3.connect(run / "run.sqlite")
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


OTHER: dict[str, tuple[dict[str, Any], list[str]]] = {
    "seed": ({"seed": 1}, ["seed"]),
    "data set": ({"dataset": {"name": "digits", "split": "train", "limit": 6}}, ["dataset.split", "'test'", "'train'"]),
    "model": (
        {"defenses__0__model": {"name": "mlp", "training": {"name": "noise-augmentation", "epochs": 2}}},
        ["epochs", "stored 1", "now 2"],
    ),
    "fewer draws": ({"certification__n": 50}, ["certification.n", "stored 60", "now 50"]),
    "fewer inputs": ({"dataset__limit": 3}, ["dataset", "no longer chosen"]),
    "noise level": ({"defenses__0__noise__sigma": 0.5}, ["sigma"]),
    "name of the defense": ({"defenses__0__name": "h"}, ["'g'"]),
}


@pytest.mark.parametrize("kind", OTHER)
def test_the_directory_of_another_evaluation(kind: str, world, finished, refused) -> None:
    changes, words = OTHER[kind]
    before = snapshot(finished / "report"), dump(finished)
    refused(["run", world.spec(**changes), "--out", finished], [*words, str(finished), "--fresh", "another --out"])
    assert (snapshot(finished / "report"), dump(finished)) == before


def test_fresh_moves_and_never_deletes(world, finished, cli) -> None:
    before = snapshot(finished)
    assert cli("run", world.spec(seed=1), "--out", finished, "--fresh").code == 0
    assert snapshot(finished.with_name("finished.1")) == before
    assert cli("run", world.spec(seed=2), "--out", finished, "--fresh").code == 0
    assert snapshot(finished.with_name("finished.1")) == before
    assert (finished.with_name("finished.2") / "run.sqlite").is_file()


def test_a_results_file_that_is_none(world, finished, refused) -> None:
    (finished / "run.sqlite").write_bytes(b"not a database at all, but long enough to look at" * 10)
    before = snapshot(finished)
    for command in (["run", world.spec(), "--out", finished], ["report", finished], ["compare", finished]):
        refused(command, ["run.sqlite", "no results file"])
    assert snapshot(finished) == before


def test_a_truncated_results_file(world, finished) -> None:
    whole = (finished / "run.sqlite").read_bytes()
    (finished / "run.sqlite").write_bytes(whole[: len(whole) // 2])
    commands = (["run", world.spec(), "--out", finished], ["report", finished])
    assert all(main(["-q", *map(str, command)]) in (1, 2) for command in commands)
    assert (finished / "run.sqlite").read_bytes() == whole[: len(whole) // 2]


def test_a_results_file_of_a_later_version(world, finished, refused) -> None:
    connection = sqlite3.connect(finished / "run.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    refused(["run", world.spec(), "--out", finished], ["run.sqlite", "format 99"])
    refused(["report", finished], ["run.sqlite", "format 99"])


def test_out_that_is_a_file(world, refused) -> None:
    world.write("taken", "precious")
    refused(["run", world.spec(), "--out", "taken"], ["taken"])
    refused(["run", world.spec(), "--out", "taken/below"], ["taken"])
    assert (world.folder / "taken").read_text() == "precious"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a place where nobody can write: /proc of Linux")
def test_out_where_nobody_can_write(world, refused, finished) -> None:
    refused(["run", world.spec(), "--out", "/proc/runs"], ["/proc/runs", "--out"])
    refused(["merge", finished, "--out", "/proc/merged"], ["/proc/merged"])
    refused(["compare", finished, "--out", "/proc/compared"], ["/proc/compared", "--out"])
    refused(["export", finished, "--format", "csv", "--out", "/proc/exported"], ["/proc/exported", "--out"])
    refused(["plugins", "new", "noise", "mine", "--out", "/proc"], ["/proc"])


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_out_without_permission(world, refused) -> None:
    folder = world.folder / "locked"
    folder.mkdir(mode=0o500)
    refused(["run", world.spec(), "--out", folder / "run"], [str(folder)])


def test_a_cache_that_cannot_be_written(world, refused) -> None:
    world.write("taken", "precious")
    refused(["run", world.spec(), "--cache", "taken"], ["cache", "taken", "--cache"])


LIMIT = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "


@pytest.mark.slow
@pytest.mark.parametrize("room", [0, 20_000, 60_000])
def test_a_disk_that_fills_up(room: int, world, finished, results, start, cli) -> None:
    """Files may grow by little (a full disk, as a limit of the process): the run fails and says so; then it goes on."""
    before = results(finished)
    spec = world.spec(dataset__limit=60, report__formats=["csv", "html"])
    size = (finished / "run.sqlite").stat().st_size + room
    prefix = LIMIT + f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size})); "
    process = start("run", spec, "--out", finished, prefix=prefix)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, ""), err
    assert err.startswith("Error: ")
    assert "Traceback" not in err
    assert "internal error" not in err
    after = results(finished)
    assert after[1] == before[1]
    drawn = {row[:4]: row[4] for row in after[0]}
    assert all(drawn[row[:4]] >= row[4] for row in before[0])
    assert cli("run", spec, "--out", finished).code == 0


LOGS: dict[str, tuple[str | bytes, list[str]]] = {
    "an empty file": ("", ["log.tsv"]),
    "another header": ("a\tb\tc\n1\t2\t3\n", ["log.tsv"]),
    "a missing column": ("idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t1\t1\t0.5\n", ["log.tsv:2"]),
    "a radius that is no number": (
        "idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t1\t1\tmuch\t1\t0:00:01\n",
        ["log.tsv:2", "'much'"],
    ),
    "a negative radius": ("idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t1\t1\t-0.5\t1\t0:00:01\n", ["log.tsv:2"]),
    "an index twice": (
        "idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t1\t1\t0.5\t1\t1\n0\t1\t1\t0.5\t1\t1\n",
        ["log.tsv:3"],
    ),
    "no text": (bytes(range(256)) * 4, ["log.tsv"]),
}


@pytest.mark.parametrize("kind", LOGS)
@pytest.mark.parametrize("command", ["compare", "import"])
def test_a_log_that_is_none(kind: str, command: str, world, refused) -> None:
    text, words = LOGS[kind]
    world.write("log.tsv", text)
    refused([command, "log.tsv"], words)
    assert not (world.folder / "runs").exists()


GOOD_LOG = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n" + "".join(f"{i}\t1\t1\t0.3\t1\t0:00:01\n" for i in range(9))

PLACES: dict[str, tuple[list[str], list[str]]] = {
    "compare: no such source": (["compare", "absent"], ["absent", "no such run or log"]),
    "compare: an empty directory": (["compare", "."], ["no run", "run.sqlite"]),
    "compare: the same log twice": (["compare", "log.tsv", "./log.tsv"], ["log.tsv", "twice"]),
    "compare: radii": (["compare", "log.tsv", "--radii", "0:1"], ["--radii", "start:stop:step"]),
    "compare: radii without end": (["compare", "log.tsv", "--radii", "0:1:0"], ["--radii"]),
    "compare: no such metadata": (["compare", "log.tsv", "--log-meta", "absent.yaml"], ["absent.yaml"]),
    "compare: metadata of another form": (["compare", "log.tsv", "--log-meta", "meta.yaml"], ["meta.yaml:1", "'sigm'"]),
    "report: no run": (["report", "."], ["no run", "run.sqlite"]),
    "report: no such directory": (["report", "absent"], ["absent", "no run"]),
    "export: no run": (["export", ".", "--format", "csv"], ["no run"]),
    "import: no such log": (["import", "absent.tsv"], ["absent.tsv"]),
    "merge: no run": (["merge", ".", "--out", "merged"], ["no run"]),
}


@pytest.mark.parametrize("kind", PLACES)
def test_sources_that_are_not_there(kind: str, world, refused) -> None:
    arguments, words = PLACES[kind]
    world.write("log.tsv", GOOD_LOG)
    world.write("meta.yaml", "log: {sigm: 0.25}\n")
    refused(arguments, words)


DERIVED: dict[str, tuple[list[str], list[str]]] = {
    "alpha": (["--alpha", "2"], ["alpha", "less than 1"]),
    "norm": (["--norm", "0.5"], ["--norm", "at least 1"]),
    "solver": (["--solver", "closed-from"], ["did you mean 'closed-form'?"]),
    "format": (["--format", "htlm"], ["did you mean 'html'?"]),
}


@pytest.mark.parametrize("kind", DERIVED)
def test_a_report_that_cannot_be_made(kind: str, finished, refused) -> None:
    arguments, words = DERIVED[kind]
    before = snapshot(finished)
    refused(["report", finished, *arguments], words)
    assert snapshot(finished) == before


def test_import_into_a_run_and_merge_into_a_run(world, finished, refused) -> None:
    before = snapshot(finished)
    world.write("log.tsv", GOOD_LOG)
    refused(["import", "log.tsv", "--out", finished], [str(finished), "already holds a run"])
    refused(["merge", finished, "--out", finished], [str(finished), "already holds a run"])
    assert snapshot(finished) == before


def test_merge_of_different_evaluations(world, finished, cli, refused) -> None:
    assert cli("run", world.spec(seed=5), "--out", "other").code == 0
    refused(["merge", finished, "other", "--out", "merged"], ["other", "not of one evaluation", "seed"])
    assert not (world.folder / "merged" / "run.sqlite").exists()


def test_export_to_parquet_without_pyarrow(finished, refused, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refused(["export", finished, "--format", "parquet"], ["pyarrow", "robustbench-rs[parquet]"])


def test_plugins_new_never_overwrites(world, refused, cli) -> None:
    world.write("my_noise.py", "precious")
    refused(["plugins", "new", "noise", "my-noise"], ["my_noise.py", "exists"])
    assert (world.folder / "my_noise.py").read_text() == "precious"
    assert cli("plugins", "new", "noise", "mine", "--package").code == 0
    refused(["plugins", "new", "solver", "mine", "--package"], ["robustbench-rs-mine", "exists"])
    for name in ("Mine", "../up", "auto", "my_noise", ""):
        refused(["plugins", "new", "noise", name], ["no plugin name"])


def test_an_unexpected_exception_is_said_to_be_a_bug(world, cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from robustbench_rs import evaluation

    def explode(*_: object) -> None:
        raise AssertionError("the roof is open")

    monkeypatch.setattr(evaluation, "describe_plan", explode)
    outcome = cli("run", world.spec(), "--dry-run")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.splitlines() == [
        "internal error: AssertionError: the roof is open; please report this; run with -v for the traceback"
    ]
    outcome = cli("run", world.spec(), "--dry-run", "-v")
    assert "Traceback" in outcome.err
    assert "explode" in outcome.err


def test_json_of_a_failing_command_is_no_half_document(world, cli) -> None:
    outcome = cli("radius", "--noise", "gaussian", "--norm", 2, "--dim", 3, "--p-lower", 0.9, "--json")
    assert (outcome.code, outcome.out) == (2, "")
    assert textwrap.shorten(outcome.err, 500)
    with pytest.raises(json.JSONDecodeError):
        json.loads(outcome.out)
