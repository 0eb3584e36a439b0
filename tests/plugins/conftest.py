"""One-file plugins, written as a user would."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

RAISED_COSINE = '''
import numpy as np
from robustbench_rs.api import NoiseParams, ProductNoise, hookimpl

class RaisedCosine(ProductNoise):
    """Raised cosine on [-scale, scale]: density proportional to 1 + cos(pi x / scale)."""
    name = "raised-cosine"
    support = (-1.0, 1.0)
    symmetric = True
    unimodal = True
    log_concave = True

    class Params(NoiseParams):
        pass

    def log_density(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log1p(np.cos(np.pi * z))

@hookimpl
def robustbench_rs_noises():
    return [RaisedCosine]
'''

WriteFile = Callable[[str, str], Path]


@pytest.fixture
def write_file(tmp_path: Path) -> WriteFile:
    """Write a plugin file of that name and source; returns its path."""

    def write(name: str, source: str) -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        return path

    return write


@pytest.fixture
def raised_cosine(write_file: WriteFile) -> Path:
    return write_file("raised_cosine.py", RAISED_COSINE)
