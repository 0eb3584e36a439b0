"""Certified robustness by randomized smoothing: specs in, comparable reports out, everything else a plugin.

The public Python API. Names are imported when they are used, so that ``import robustbench_rs`` is instant and light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from robustbench_rs.python_api import compare, evaluate, load_run, noise
    from robustbench_rs.smoothing import Certificates, Predictions, SmoothedClassifier

__all__ = [
    "Certificates",
    "Predictions",
    "SmoothedClassifier",
    "compare",
    "evaluate",
    "load_run",
    "noise",
]

_SMOOTHING = {"Certificates", "Predictions", "SmoothedClassifier"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = "robustbench_rs.smoothing" if name in _SMOOTHING else "robustbench_rs.python_api"
    return getattr(import_module(module), name)
