"""Shared fixtures. Real data is used where it is present, and its absence is a skip with a reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder with cifar10/, mnist/, published/ and reference_radii.csv."""
    folder = Path(os.environ.get("ROBUSTBENCH_RS_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data is absent: {folder} is no folder; set ROBUSTBENCH_RS_DATA to where it lies")
    return folder


@pytest.fixture(autouse=True)
def _few_threads() -> None:
    """Two threads at most: tests measure correctness, and runners are small."""
    import torch

    if torch.get_num_threads() > 2:
        torch.set_num_threads(2)
