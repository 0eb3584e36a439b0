"""Radii of independent noise by likelihood-ratio accounting: the solver ``neyman-pearson``."""

from __future__ import annotations

from robustbench_rs.api import Solver, hookimpl
from robustbench_rs_plugins.solvers.neyman_pearson.solver import NeymanPearsonSolver


@hookimpl
def robustbench_rs_solvers() -> list[type[Solver]]:
    return [NeymanPearsonSolver]
