"""``compare`` starts quickly: nothing heavy is imported with the reporting, nor with the reporters."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "matplotlib", "plotly", "sklearn", "PIL", "scipy.stats", "pandas")


@pytest.mark.parametrize(
    "module",
    [
        "robustbench_rs.reporting",
        *(f"robustbench_rs_plugins.reporters.{n}" for n in ["csv", "markdown", "latex", "tsv", "figure"]),
    ],
)
def test_nothing_heavy_is_imported(module):
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
