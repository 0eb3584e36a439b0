"""One pair of limits, and whether it is certified against a shift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from robustbench_rs_plugins.solvers.neyman_pearson.accounts import Curve

ROUNDING = 2.0**-51
"""More than the rounding of a sum of two probabilities."""
NEARLY_ONE = 1.0 - 2.0**-40
"""Larger limits are taken as this one, which only makes radii smaller."""


def rest_of(p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
    """The larger of pA and 1 - pB, rounded down: no other class can have more than what pA leaves."""
    rest = 1.0 - p_upper
    rest = np.where(1.0 - rest < p_upper, np.nextafter(rest, 0.0), rest)
    return np.asarray(np.maximum(p_lower, rest))


@dataclass(frozen=True)
class Question:
    """``top`` = pA, ``rest`` = 1 - pB >= pA; equal where only pA is known.

    Certified against a shift when g(pA) + g(1 - pB) > 1, g(p) = T(1 - p) (:mod:`robustbench_rs.statistics.tradeoff`);
    where the two are equal this is pA > p_star.
    """

    top: float
    rest: float

    @property
    def start(self) -> float:
        """The margin without a shift."""
        return self._margin(self.top, self.rest) if self.rest > self.top else float(ndtri(min(self.top, NEARLY_ONE)))

    def margin(self, curve: Curve) -> float:
        """Positive only if certified; in normal quantiles, in which it is nearly linear in the radius."""
        if self.rest == self.top:
            top, needed = min(self.top, NEARLY_ONE), min(curve.p_star(), 1.0)
            value = float(ndtri(top) - ndtri(needed))
            return value if top > needed else min(value, 0.0)
        left, other = curve.left(np.minimum([self.top, self.rest], NEARLY_ONE)).tolist()
        value = self._margin(left, other)
        return value if left + other > 1.0 + ROUNDING else min(value, 0.0)

    def refuted(self, optimistic: Curve) -> bool:
        """An optimistic curve shows that the shift is not certified."""
        if self.rest == self.top:
            return self.top <= optimistic.p_star()
        return float(optimistic.left(np.array([self.top, self.rest])).sum()) <= 1.0 - ROUNDING

    @staticmethod
    def _margin(left: float, other: float) -> float:
        value = float(ndtri(min(max(left, 0.0), NEARLY_ONE)) + ndtri(min(max(other, 0.0), NEARLY_ONE)))
        return value if value == value else -np.inf
