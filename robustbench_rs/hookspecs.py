"""Every hook of robustbench_rs, on one page.

A plugin implements one or more of them with ``@hookimpl`` (``from robustbench_rs.api import hookimpl``) and returns
classes, not instances. Hooks are called once, when plugins are loaded; they must be cheap and import nothing heavy.
"""

from __future__ import annotations

import pluggy

from robustbench_rs.api import Bound, Dataset, Executor, Model, Noise, Reporter, Solver, Training

hookspec = pluggy.HookspecMarker("robustbench_rs")


@hookspec
def robustbench_rs_noises() -> list[type[Noise]]:  # type: ignore[empty-body]
    """Noise families: what is added to the input, or done to it."""


@hookspec
def robustbench_rs_solvers() -> list[type[Solver]]:  # type: ignore[empty-body]
    """Radius solvers: from (pA, pB) to a radius, with its guarantee."""


@hookspec
def robustbench_rs_bounds() -> list[type[Bound]]:  # type: ignore[empty-body]
    """Confidence bounds: from class counts to (pA, pB)."""


@hookspec
def robustbench_rs_models() -> list[type[Model]]:  # type: ignore[empty-body]
    """Base classifiers."""


@hookspec
def robustbench_rs_datasets() -> list[type[Dataset]]:  # type: ignore[empty-body]
    """Data sets of images with labels."""


@hookspec
def robustbench_rs_trainings() -> list[type[Training]]:  # type: ignore[empty-body]
    """Ways to train a base classifier."""


@hookspec
def robustbench_rs_executors() -> list[type[Executor]]:  # type: ignore[empty-body]
    """Where and how sampling runs: devices, processes, machines."""


@hookspec
def robustbench_rs_reporters() -> list[type[Reporter]]:  # type: ignore[empty-body]
    """Renderers of a finished report."""
