"""Hand-made results, small enough to be checked by eye."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from robustbench_rs.results import Measured, Source

Factory = Callable[..., Measured]


def make_measured(radius: Sequence[float], correct: Sequence[bool] | None = None, **changes: Any) -> Measured:
    """A Gaussian l2 level: label 1 everywhere, predicted 1 where ``correct``, else 0; nothing abstained."""
    size = len(radius)
    right = np.ones(size, dtype=bool) if correct is None else np.asarray(correct, dtype=bool)
    sigma = changes.get("sigma", 0.5)
    values: dict[str, Any] = {
        "defense": "base",
        "dataset": "toy",
        "data_digest": "",
        "noise": "gaussian",
        "noise_params": json.dumps({"sigma": sigma}, separators=(",", ":")),
        "sigma": sigma,
        "norm": 2.0,
        "solver": "auto",
        "n0": 10,
        "n": 100,
        "alpha": 0.001,
        "bound": "clopper-pearson",
        "indices": np.arange(size),
        "labels": np.ones(size, dtype=np.int64),
        "predictions": right.astype(np.int64),
        "abstained": np.zeros(size, dtype=bool),
        "radius": np.asarray(radius, dtype=np.float64),
        "guarantee": ["proved"] * size,
        "solver_used": ["closed-form"] * size,
    }
    return Measured(**{**values, **changes})


def make_source(*measured: Measured, name: str = "run", **changes: Any) -> Source:
    return Source(**{"name": name, "kind": "run", "measured": measured, **changes})


@pytest.fixture(scope="session")
def measured() -> Factory:
    return make_measured


@pytest.fixture(scope="session")
def source() -> Callable[..., Source]:
    return make_source
