"""UniCR's two-phase optimisation (extra ``unicr``): radii for any noise with a density and a sampler, as estimates."""

from __future__ import annotations

from robustbench_rs.api import Solver, hookimpl
from robustbench_rs_plugins.solvers.unicr.settings import UnicrParams
from robustbench_rs_plugins.solvers.unicr.solver import UnicrSolver

__all__ = ["UnicrParams", "UnicrSolver", "robustbench_rs_solvers"]


@hookimpl
def robustbench_rs_solvers() -> list[type[Solver]]:
    return [UnicrSolver]
