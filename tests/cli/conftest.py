"""The command line in process: exit code, stdout and stderr of one call, in an empty working directory."""

from __future__ import annotations

import copy
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from robustbench_rs.cli import main

SPEC: dict[str, Any] = {
    "name": "little",
    "dataset": {"name": "digits", "limit": 6},
    "defenses": [
        {
            "name": "g",
            "model": {"name": "mlp", "training": {"name": "noise-augmentation", "epochs": 1}},
            "noise": {"name": "gaussian", "sigma": 0.25},
        }
    ],
    "certification": {"n0": 10, "n": 60, "norms": [2]},
    "report": {"formats": ["csv"]},
    "executor": {"name": "local", "batch_size": 256},
}
SCRIPT = "import sys; from robustbench_rs.cli import main; sys.exit(main())"
"""What the installed script does."""

TABLES = ("certificates.csv", "certified_accuracy.csv")


@dataclass(frozen=True)
class Outcome:
    """What a user sees of one command."""

    code: int
    out: str
    err: str


def spec_with(changes: dict[str, Any]) -> dict[str, Any]:
    """SPEC with values at dotted key paths replaced; ``...`` deletes a key."""
    spec = copy.deepcopy(SPEC)
    for path, value in changes.items():
        *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        place: Any = spec
        for key in parents:
            place = place[key]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return spec


@dataclass(frozen=True)
class World:
    """A user's working directory."""

    folder: Path

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
        return path

    def spec(self, **changes: Any) -> str:
        """A spec file with changes at key paths (``__`` for the dot)."""
        fields = spec_with({path.replace("__", "."): value for path, value in changes.items()})
        return str(self.write("spec.yaml", yaml.safe_dump(fields)))

    def plugin(self, source: str, name: str = "my_plugin.py") -> str:
        return str(self.write(name, source))


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """So small models gain nothing from a second thread, and processes beside this one lose by it."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Equal trainings run once for all tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for variable in ("ROBUSTBENCH_RS_PLUGINS", "ROBUSTBENCH_RS_DATA"):
        monkeypatch.delenv(variable, raising=False)
    return World(folder)


Cli = Callable[..., Outcome]


@pytest.fixture
def cli(world: World, cache: Path, capfd: pytest.CaptureFixture[str]) -> Cli:
    """``cli("run", "quickstart")``, with a cache of the tests' own."""

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = main(["--cache", str(cache), *map(str, arguments)])
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


def refusal_problems(outcome: Outcome, code: int, words: Sequence[str]) -> list[str]:
    """What a refusal must be and is not: the exit code, one message that says what and where, nothing on stdout."""
    problems = []
    if outcome.code != code:
        problems.append(f"exit code {outcome.code}, not {code}")
    if outcome.out:
        problems.append("something on stdout")
    if "Traceback" in outcome.err or "internal error" in outcome.err:
        problems.append("a traceback or an internal error")
    if len(re.findall("^Error: ", outcome.err, re.MULTILINE)) != 1 or not outcome.err.startswith(
        ("Error: ", "Usage: ")
    ):
        problems.append("not exactly one message")
    if len(outcome.err) > 3000:
        problems.append("a very long message")
    return problems + [f"no {word!r}" for word in words if word not in outcome.err]


@pytest.fixture
def refused(cli: Cli) -> Callable[..., None]:
    """Assert that a command is refused as bad input (code 2) or fails as a run (code 1), clearly."""

    def check(arguments: Sequence[object], words: Sequence[str], code: int = 2) -> None:
        outcome = cli(*arguments)
        assert refusal_problems(outcome, code, words) == [], outcome

    return check


@pytest.fixture(scope="session")
def finished_master(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """A finished run of SPEC, made once."""
    folder = tmp_path_factory.mktemp("finished")
    spec = folder / "spec.yaml"
    spec.write_text(yaml.safe_dump(SPEC))
    assert main(["--cache", str(cache), "-q", "run", str(spec), "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture
def finished(finished_master: Path, world: World) -> Path:
    """A copy of the finished run, for tests that go on in it."""
    return Path(shutil.copytree(finished_master, world.folder / "finished"))


def counts_of(run: Path) -> list[tuple[Any, ...]]:
    """All counts of a run's directory."""
    connection = sqlite3.connect(run / "run.sqlite")
    try:
        return connection.execute("SELECT task, idx, stage, look, n, counts FROM counts ORDER BY 1, 2, 3, 4").fetchall()
    finally:
        connection.close()


def results_of(run: Path) -> tuple[list[tuple[Any, ...]], list[bytes]]:
    """What "byte-identical" means: the counts and the two tables that hold no time and no path."""
    return counts_of(run), [(run / "report" / name).read_bytes() for name in TABLES]


@pytest.fixture
def results() -> Callable[[Path], tuple[list[tuple[Any, ...]], list[bytes]]]:
    return results_of


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(world: World, cache: Path) -> Start:
    """Start the command line in a process of its own, in the working directory."""

    def begin(*arguments: object, prefix: str = "", **options: Any) -> subprocess.Popen[str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", prefix + SCRIPT, "--cache", str(cache), *map(str, arguments)]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **options
        )

    return begin


@pytest.fixture
def raised_cosine(tmp_path: Path) -> Path:
    """The noise family of the README, as a file; a test runs exactly what a reader would copy."""
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(# my_noise\.py\n.*?)```", readme, re.DOTALL)
    file = tmp_path / "my_noise.py"
    file.write_text(code)
    return file
