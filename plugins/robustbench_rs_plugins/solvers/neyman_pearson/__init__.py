"""Likelihood-ratio accounting: radii for any product noise and any l_p norm.

rays -> trade-off curves (robustbench_rs.statistics.tradeoff) -> one radius (single) or a table of them (build)
"""

from __future__ import annotations

from robustbench_rs.api import Solver, hookimpl
from robustbench_rs_plugins.solvers.neyman_pearson.solver import NeymanPearsonSolver

__all__ = ["NeymanPearsonSolver", "robustbench_rs_solvers"]


@hookimpl
def robustbench_rs_solvers() -> list[type[Solver]]:
    return [NeymanPearsonSolver]
