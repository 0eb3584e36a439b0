"""What a candidate is worth: the radii that its tuning draws prove, as the objective counts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robustbench_rs.api import Bound, Noise, Tables
from robustbench_rs.api.report import norm_name
from robustbench_rs.errors import InputError
from robustbench_rs.evaluation.certify import bound_classes
from robustbench_rs.evaluation.solving import STRENGTH, Asked, solve
from robustbench_rs.plugins import Registry
from robustbench_rs.spec import Objective

NO_RADIUS = ""
"""Label of a candidate for which no solver has a radius."""


@dataclass(frozen=True)
class Judge:
    """Judges counts of the tuning draws.

    ``level``: failure probability per input and candidate. Draws of a candidate are made after it was named and used
    for nothing else, so the radii of all candidates of an input hold jointly at the sum of their levels (union bound).
    """

    objective: Objective
    solver: Asked
    norm: float
    bound: Bound
    level: float
    registry: Registry
    dim: int
    tables: Tables

    def label(self, noise: Noise) -> str:
        """Guarantee of the radii. Raises :class:`InputError` when no solver has any."""
        solved, refused = solve(self.solver, self.registry, noise, self.norm, *_EXAMPLE, self.dim, self.tables)
        if not solved:
            reasons = "; ".join(item.reason for item in refused)
            raise InputError(f"optimize: no radius in norm {norm_name(self.norm)} for the starting noise: {reasons}")
        return solved[0].guarantee

    def gains(self, noise: Noise, counts: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, str]:
        """Each input's part (m,) of the objective and the radii's guarantee, from ``counts`` (m, K).

        ``classes`` (m,): the ones that should win. They must not come from these draws.
        """
        bounded = bound_classes(classes, counts, self.bound, self.level)
        limits = bounded.p_lower, bounded.p_upper
        solved, _ = solve(self.solver, self.registry, noise, self.norm, *limits, self.dim, self.tables)
        if not solved:
            return np.zeros(len(classes)), NO_RADIUS
        radius = np.where(bounded.abstained, 0.0, solved[0].radius)
        if self.objective.radii is None:
            return radius, solved[0].guarantee
        reached = ~bounded.abstained[:, None] & (radius[:, None] >= np.array(self.objective.radii))
        return reached.mean(axis=1), solved[0].guarantee


def counts_for(label: str, starting: str) -> bool:
    """Whether a candidate with this label may win: one with a weaker guarantee than the starting noise may not.

    A searched value is an upper bound of a radius; against a proved lower bound it would win by being unproved.
    """
    order: Sequence[str] = STRENGTH
    return label in order and order.index(label) <= order.index(starting)


_EXAMPLE = (np.array([0.9]), np.array([0.1]))
