"""The benchmarks' 50-digit arithmetic and coverage simulation, loaded by path: CI runs a slice of them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def accuracy() -> ModuleType:
    return _load("accuracy")


@pytest.fixture(scope="session")
def coverage() -> ModuleType:
    return _load("coverage")
