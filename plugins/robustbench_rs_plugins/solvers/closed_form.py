"""Radii by formula, where the noise family contributes a theorem."""

from __future__ import annotations

import math

import numpy as np

from robustbench_rs.api import Noise, Radii, Solver, hookimpl
from robustbench_rs.statistics.rounding import certified

OFFERED = (1.0, 2.0, math.inf)


class ClosedFormSolver(Solver):
    """The noise family's own closed-form radius; refuses where it has none."""

    name = "closed-form"
    effort = 0

    def refusal(self, noise: Noise, norm: float, dim: int) -> str | None:
        if (problem := noise.problem(dim)) is not None:
            return problem
        if noise.closed_form(norm, dim) is not None:
            return None
        known = ", ".join(_norm(other) for other in OFFERED if noise.closed_form(other, dim) is not None)
        hint = f"its closed forms in {dim} dimensions: {known}" if known else "this family has no closed form at all"
        return f"no closed form is known for {noise.name} noise and {_norm(norm)} in {dim} dimensions; {hint}"

    def radii(self, noise: Noise, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> Radii:
        """Raises ``ValueError`` with the text of :meth:`refusal` where there is no closed form."""
        form = noise.closed_form(norm, dim)
        if form is None:
            raise ValueError(self.refusal(noise, norm, dim))
        with np.errstate(invalid="ignore"):  # inf - inf where both limits are 0 or 1, which is no certificate
            radius = certified(form.radius(p_lower, p_upper), p_lower, p_upper)
            upper = None if form.upper is None else certified(form.upper(p_lower, p_upper), p_lower, p_upper)
        return Radii(radius, form.guarantee, upper, {"source": form.source, "exact": form.exact})


def _norm(norm: float) -> str:
    return "l-inf" if math.isinf(norm) else f"l{norm:g}"


@hookimpl
def robustbench_rs_solvers() -> list[type[Solver]]:
    return [ClosedFormSolver]
