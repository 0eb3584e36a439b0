"""Radii (G(pA) - G(pB)) / 2 with a G that is odd about 1/2, rounded to a chosen side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from robustbench_rs.statistics.rounding import certified, down, up


@dataclass(frozen=True)
class OddPath:
    """G(p) = ``unit`` isf(1 - p) for p >= 1/2, and G(1 - p) = -G(p).

    ``isf`` maps tail masses in [0, 1/2] to values >= 0, and errs by less than ``margin``, relative. Most exact radii
    are of this form (F^-1 of a symmetric law), and all of the differential method (Yang et al. 2020).
    """

    unit: float
    isf: Callable[[np.ndarray], np.ndarray]
    margin: float

    def radius(self, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        """Never above (G(pA) - G(pB)) / 2, for limits (m,)."""
        gain = down(self._value(p_lower), self.margin) - up(self._value(p_upper), self.margin)
        return certified(down(self.unit / 2 * gain), p_lower, p_upper)

    def upper(self, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        """Never below it."""
        gain = up(self._value(p_lower), self.margin) - down(self._value(p_upper), self.margin)
        return certified(up(self.unit / 2 * gain), p_lower, p_upper)

    def _value(self, p: np.ndarray) -> np.ndarray:
        p = np.asarray(p, dtype=np.float64)
        return np.asarray(np.copysign(self.isf(np.minimum(p, 1.0 - p)), p - 0.5))
