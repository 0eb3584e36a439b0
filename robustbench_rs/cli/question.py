"""What the calculator is asked: a noise, a norm, a dimension, a solver."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robustbench_rs.api import Choice, Noise, Tables
from robustbench_rs.api.report import norm_name
from robustbench_rs.errors import InputError
from robustbench_rs.evaluation.solving import Asked, Refused, Solved, solve
from robustbench_rs.plugins import Registry


@dataclass(frozen=True)
class Question:
    """Noise, norm and dimension of which a radius is asked, and the solver to use."""

    noise: Choice[Noise]
    norm: float
    dim: int
    asked: Asked

    def answer(
        self, registry: Registry, p_lower: np.ndarray, p_upper: np.ndarray, tables: Tables | None = None
    ) -> tuple[list[Solved], list[Refused]]:
        """Radii for limits (m,). Raises :class:`InputError` with the reasons when no solver gives any."""
        noise = self.noise.make()
        solved, refused = solve(self.asked, registry, noise, self.norm, p_lower, p_upper, self.dim, tables)
        if not solved:
            reasons = "\n".join(f"  {item.asked}: {item.reason}" for item in refused) or "  no solver is installed"
            where = f"{noise.name} noise, norm {norm_name(self.norm)}, dimension {self.dim}"
            raise InputError(f"no radius for {where}:\n{reasons}")
        return solved, refused
