"""The soundness check of ``benchmarks/``, loaded by path: CI runs a slice of it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))


@pytest.fixture(scope="session")
def soundness() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_soundness", BENCHMARKS / "soundness.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
