"""A radius solver. Change the theorem to yours: what it supports, and the radius it gives."""

from __future__ import annotations

import numpy as np

from robustbench_rs.api import Noise, Radii, Solver, hookimpl


class Example(Solver):
    """A radius in l2 is a radius in every l_p with p <= 2, because ||x||_2 <= ||x||_p."""

    name = "example"
    # Parameters, if any, stand in a nested `class Params(Params)` and arrive as self.params.

    def refusal(self, noise: Noise, norm: float, dim: int) -> str | None:
        """Why there is no radius for this noise, norm and dimension; None when there is one."""
        if norm > 2:
            return "only norms up to 2 follow from l2"
        return None if noise.closed_form(2, dim) is not None else f"{noise.name} noise has no closed form in l2"

    def radii(self, noise: Noise, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> Radii:
        """Radii (m,) for limits (m,), rounded down; 0 where nothing can be certified."""
        form = noise.closed_form(2, dim)
        if form is None or norm > 2:
            raise ValueError(self.refusal(noise, norm, dim))
        certified = p_lower > p_upper
        radius = np.zeros_like(p_lower)
        radius[certified] = form.radius(p_lower[certified], p_upper[certified])
        return Radii(radius, form.guarantee)


@hookimpl
def robustbench_rs_solvers() -> list[type[Example]]:
    """The solvers of this file."""
    return [Example]
