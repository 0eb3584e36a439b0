"""A new noise family in one file: from the documentation's text to a certified report, through the command line."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from statistics import NormalDist

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding-a-noise.md"
SMALL = (
    "dataset.limit=6",
    "certification.n=300",
    "certification.norms=[1, inf]",  # a table of searched directions for l2 takes half a minute
    "defenses.0.model.training.epochs=1",
    "report.formats=[csv, html]",
)


@pytest.mark.slow
def test_from_nothing_to_a_certified_report(tmp_path: Path) -> None:
    """The page's own commands, in an empty folder, made small: proved radii in l1, l2 and l-inf from a density."""
    text = PAGE.read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (setting,) = re.findall(r"robustbench-rs run quickstart -p my_noise\.py --set '(.*)'", text)
    (tmp_path / "my_noise.py").write_text(code, encoding="utf-8")
    arguments = ["run", "quickstart", "-p", "my_noise.py", "--set", setting, "--out", "out"]
    arguments += [word for small in SMALL for word in ("--set", small)]
    _run(arguments, tmp_path)
    with (tmp_path / "out" / "report" / "certificates.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {(row["noise"], row["sigma"]) for row in rows} == {("raised-cosine", "0.25")}
    assert sorted(row["norm"] for row in rows) == ["1"] * 6 + ["inf"] * 6
    assert {row["guarantee"] for row in rows} <= {"proved", ""}
    assert {row["norm"] for row in rows if float(row["radius"]) > 0} == {"1", "inf"}
    assert "raised-cosine" in (tmp_path / "out" / "report" / "report.html").read_text(encoding="utf-8")

    radius = "radius --noise raised-cosine --param sigma=0.25 --dim 64 --p-lower 0.9 --norm 2 --json -p my_noise.py"
    (found,) = json.loads(_run([*radius.split(), "--solver", "l2-differential"], tmp_path))["results"]
    assert found["guarantee"] == "proved"
    assert 0.19 < found["radius"] < 0.25 * NormalDist().inv_cdf(0.9)


def _run(arguments: list[str], folder: Path) -> str:
    main = "from robustbench_rs.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", main, *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
