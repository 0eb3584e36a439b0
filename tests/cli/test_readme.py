"""What the README shows works: the noise family in one file, and the commands."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("robustbench-rs")
]
SMALLER = ["--set", "dataset.limit=5", "--set", "certification.n0=10", "--set", "defenses.0.model.training.epochs=1",
           "--set", "executor={name: local, batch_size: 256}"]  # fmt: skip

TAKE_MINUTES = ("validation-tightness", "unicr-digits")
"""Specs that are only validated here."""


def test_the_noise_of_one_file_goes_from_nothing_to_a_certified_report(world, cli, raised_cosine) -> None:
    (command,) = [line for line in COMMANDS if "raised-cosine" in line and " run " in line]
    world.write("my_noise.py", raised_cosine.read_text())
    arguments = shlex.split(command)[1:]
    assert arguments[0] == "run"
    outcome = cli(*arguments, "--set", "certification.n=500", *SMALLER)
    assert outcome.code == 0, outcome
    with (world.folder / "runs/raised-cosine/report/certificates.csv").open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["noise"] == "raised-cosine"]
    assert {row["norm"] for row in rows} == {"1", "2", "inf"}
    certified = [row for row in rows if row["abstained"] in ("False", "false", "0")]
    assert certified
    assert {row["guarantee"] for row in certified} == {"proved"}
    assert all(float(row["radius"]) > 0 for row in certified)
    assert (world.folder / "runs/raised-cosine/report/report.html").is_file()


@pytest.mark.slow
def test_the_commands_run_in_their_order(world, cli, raised_cosine) -> None:
    assert len(COMMANDS) >= 7
    world.write("my_noise.py", raised_cosine.read_text())
    for command in COMMANDS:
        arguments = shlex.split(command, comments=True)[1:]
        if arguments[0] == "run" and arguments[1] in TAKE_MINUTES:
            arguments[0] = "validate"
        elif arguments[0] == "run":
            arguments += SMALLER
            if "certification.n=20000" in arguments:
                arguments[arguments.index("certification.n=20000")] = "certification.n=600"
            else:
                arguments += ["--set", "certification.n=500"]
        outcome = cli(*arguments)
        assert outcome.code == 0, (command, outcome)
    assert (world.folder / "comparison/report/report.html").is_file()
