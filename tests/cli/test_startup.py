"""What needs no model starts without torch, and takes little more than importing numpy and pydantic does."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "matplotlib", "plotly", "sklearn", "PIL", "scipy.stats")
CODE = f"""
import json, sys
from robustbench_rs.cli import main
code = main(sys.argv[1:])
print(json.dumps([code, [name for name in {HEAVY!r} if name in sys.modules]]), file=sys.stderr)
"""
LOG = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t1\t1\t0.3\t1\t0:00:01\n20\t1\t1\t0.3\t1\t0:00:01\n"
RADIUS = ["radius", "--noise", "laplace", "--param", "scale=0.7071", "--norm", "1", "--dim", "3072", "--p-lower", "0.9"]
NEEDED = "import click, numpy, pluggy, pydantic, scipy.linalg, scipy.special, yaml"
LIMIT = 4.0
"""CPU seconds of a command over those of importing ``NEEDED``: 0.7 to 2.7, where torch alone would add more than 3. An
absolute limit would be one of the machine, whose speed was seen to change by a factor of three."""

COMMANDS: dict[str, list[str]] = {
    "version": ["--version"],
    "help": ["--help"],
    "plugins": ["plugins"],
    "plugins show": ["plugins", "show", "gaussian"],
    "specs": ["specs"],
    "schema": ["schema"],
    "validate": ["validate", "quickstart"],
    "radius": RADIUS,
    "radius --json": [*RADIUS, "--json"],
    "compare": ["compare", "log.tsv"],
    "compare a run": ["compare", "RUN", "log.tsv"],
    "dry run": ["run", "quickstart", "--dry-run"],
}


def start(arguments: list[str], folder: Path) -> tuple[float, int, list[str]]:
    """CPU seconds, exit code and heavy modules of a command in a fresh process."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ROBUSTBENCH", "COV"))}
    before = cpu_seconds()
    done = subprocess.run(
        [sys.executable, "-c", CODE, *arguments], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    code, heavy = json.loads(done.stderr.splitlines()[-1])
    return cpu_seconds() - before, code, heavy


def cpu_seconds() -> float:
    """Of all children so far."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def reference() -> float:
    """CPU seconds of importing what no command does without; the machine may have become slower since it last did."""
    before = cpu_seconds()
    subprocess.run([sys.executable, "-c", NEEDED], timeout=60, check=True)
    return cpu_seconds() - before


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_light_command_starts_fast_and_imports_nothing_heavy(
    kind: str, finished_master: Path, tmp_path: Path
) -> None:
    (tmp_path / "log.tsv").write_text(LOG)
    arguments = [str(finished_master) if word == "RUN" else word for word in COMMANDS[kind]]
    start(arguments, tmp_path)  # Compiles what was never imported before.
    seconds, code, heavy = start(arguments, tmp_path)
    assert (code, heavy) == (0, [])
    assert seconds < LIMIT * reference()


def test_the_probe_sees_what_is_imported(tmp_path: Path) -> None:
    _, code, heavy = start(["doctor"], tmp_path)
    assert code == 0
    assert "torch" in heavy
