"""Certified accuracy as a step function of the radius."""

from __future__ import annotations

import numpy as np

from robustbench_rs.api.report import Curve
from robustbench_rs.reporting.envelope import Envelope
from robustbench_rs.reporting.intervals import accuracy_limits
from robustbench_rs.reporting.levels import Level

MAX_POINTS = 1_000


def curve_of(row: Level | Envelope, end: float, max_points: int = MAX_POINTS) -> Curve:
    """The curve of a level or an envelope, drawn to ``end`` where that lies beyond its last step.

    Thinned to about ``max_points`` by leaving steps out. What is left is nowhere above the true curve (the value of a
    step holds from the step kept before it), and the upper confidence limit nowhere below the true one.
    """
    radius = np.unique(np.concatenate([[0.0], row.sorted_reach]))
    kept = _thin(len(radius), max_points)
    counts = row.counts(radius)
    lower, _ = accuracy_limits(counts[kept], row.n_inputs)
    # The highest count between two kept steps is that of the first step after the kept one.
    highest = counts[np.concatenate([[0], kept[:-1] + 1])]
    _, upper = accuracy_limits(highest, row.n_inputs)
    curve = Curve(row.setting, radius[kept], counts[kept] / row.n_inputs, lower, upper)
    return _extended(curve, end, row.n_inputs)


def _thin(size: int, max_points: int) -> np.ndarray:
    """Positions to keep: evenly spread, the first and the last among them."""
    if size <= max_points:
        return np.arange(size)
    kept: np.ndarray = np.unique(np.linspace(0, size - 1, max_points).round().astype(np.int64))
    return kept


def _extended(curve: Curve, end: float, n_inputs: int) -> Curve:
    if end <= curve.radius[-1]:
        return curve
    lower, upper = accuracy_limits(np.array([0]), n_inputs)
    return Curve(
        curve.setting,
        np.append(curve.radius, end),
        np.append(curve.accuracy, 0.0),
        np.append(curve.lower, lower),
        np.append(curve.upper, upper),
    )
