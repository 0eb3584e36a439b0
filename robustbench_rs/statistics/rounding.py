"""Outward rounding: a certified number is only ever rounded to its safe side (radii down)."""

from __future__ import annotations

import numpy as np

MARGIN = 1e-13
"""Relative. The special functions and few-step formulas that are rounded with it were measured against 50-digit
arithmetic to err by less than 2e-15 (``benchmarks/accuracy.py``, ``tests/statistics``)."""


def down(x: np.ndarray, margin: float = MARGIN) -> np.ndarray:
    """``x`` moved towards minus infinity by ``margin`` relative; 0 and infinities stay."""
    x = np.asarray(x, dtype=np.float64)
    return np.asarray(x * (1.0 - np.copysign(margin, x)))


def up(x: np.ndarray, margin: float = MARGIN) -> np.ndarray:
    """``x`` moved towards plus infinity by ``margin`` relative; 0 and infinities stay."""
    x = np.asarray(x, dtype=np.float64)
    return np.asarray(x * (1.0 + np.copysign(margin, x)))


def certified(radius: np.ndarray, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
    """``radius``, never below 0, and 0 where ``p_lower`` <= ``p_upper`` (pA <= 1/2 if that is 1 - ``p_lower``)."""
    return np.where(np.asarray(p_lower) > np.asarray(p_upper), np.maximum(radius, 0.0), 0.0)
