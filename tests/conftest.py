"""Shared fixtures. Real data is used where it is present, and its absence is a skip with a reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Set before anything imports torch, and inherited by every process that a test starts. Test models are tiny, and two
# OpenMP threads that share a core with another test's wait for each other a hundred times longer than they work.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder with cifar10/, mnist/, published/ and reference_radii.csv."""
    folder = Path(os.environ.get("ROBUSTBENCH_RS_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data is absent: {folder} is no folder; set ROBUSTBENCH_RS_DATA to where it lies")
    return folder
