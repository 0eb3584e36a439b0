"""A new noise family in one file: from the documentation's text to a certified report, through the command line."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding-a-noise.md"
SMALL = ("dataset.limit=6", "certification.n=300", "defenses.0.model.training.epochs=1", "report.formats=[csv, html]")


@pytest.mark.slow
def test_from_nothing_to_a_certified_report(tmp_path: Path) -> None:
    """The page's own command, in an empty folder, made small."""
    text = PAGE.read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (setting,) = re.findall(r"robustbench-rs run quickstart -p my_noise\.py --set '(.*)'", text)
    (tmp_path / "my_noise.py").write_text(code, encoding="utf-8")
    arguments = ["run", "quickstart", "-p", "my_noise.py", "--set", setting, "--out", "out"]
    arguments += [word for small in SMALL for word in ("--set", small)]
    main = "from robustbench_rs.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", main, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out" / "report" / "certificates.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {(row["noise"], row["norm"], row["sigma"]) for row in rows} == {("raised-cosine", "1", "0.25")}
    assert len(rows) == 6
    assert {row["guarantee"] for row in rows} <= {"proved", ""}
    assert "raised-cosine" in (tmp_path / "out" / "report" / "report.html").read_text(encoding="utf-8")
