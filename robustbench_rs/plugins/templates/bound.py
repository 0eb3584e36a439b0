"""A confidence bound. Change the inequality to yours; it must hold for every n and every true probability."""

from __future__ import annotations

import numpy as np

from robustbench_rs.api import Bound, Limits, hookimpl

ROUNDING = 1e-12
"""Limits are moved outward by this much: float64 rounding must not make them too good."""


class Example(Bound):
    """Hoeffding's inequality: p >= k/n - sqrt(ln(1/alpha) / (2n)) with probability at least 1 - alpha."""

    name = "example"
    # Parameters, if any, stand in a nested `class Params(Params)` and arrive as self.params.

    def limits(self, counts: np.ndarray, classes: np.ndarray, alpha: float) -> Limits:
        """Limits for counts (m, K) of fresh draws and the chosen classes (m,), at joint level alpha."""
        n = counts.sum(axis=1)
        frequency = np.take_along_axis(counts, classes[:, None], axis=1)[:, 0] / n
        p_lower = np.maximum(frequency - np.sqrt(np.log(1 / alpha) / (2 * n)) - ROUNDING, 0.0)
        return Limits(p_lower, 1 - p_lower)

    def budget(self, alpha: float) -> dict[str, float]:
        """How alpha is spent."""
        return {"lower limit of the chosen class": alpha}


@hookimpl
def robustbench_rs_bounds() -> list[type[Example]]:
    """The bounds of this file."""
    return [Example]
