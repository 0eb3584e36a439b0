"""What no radius of product noise can exceed: the distance at which a half-space loses its majority."""

from __future__ import annotations

import numpy as np

from robustbench_rs.statistics.coordinate import Coordinate
from robustbench_rs.statistics.rounding import up

KNOTS = 400
"""More limits than this are not inverted one by one."""


def half_space_upper(law: Coordinate, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
    """(F^-1(pA) - F^-1(pB)) / 2 in units of the scale, rounded up, for a symmetric unimodal law; valid in every l_p.

    The classes {z_1 <= F^-1(pA)} and {z_1 >= -F^-1(pB)} are equally likely after that shift along the first axis.
    """
    p_lower = np.asarray(p_lower, dtype=np.float64)
    rest = np.minimum(np.nextafter(1.0 - np.minimum(p_upper, 1.0 - p_lower), 2.0), 1.0)
    found = _quantile_above(law, np.concatenate([p_lower, rest]))
    return np.where(p_lower > p_upper, np.maximum(up(found[: len(p_lower)] + found[len(p_lower) :]) / 2, 0.0), 0.0)


def _quantile_above(law: Coordinate, p: np.ndarray) -> np.ndarray:
    """Upper bounds of F^-1(p): above the median the density falls, so that F^-1 is convex and below its chords."""
    points = np.unique(p)
    inner = points[(points > 0.5) & (points < 1.0)]
    if len(inner) > KNOTS:
        tails = np.geomspace(0.5, 1.0 - inner[-1], KNOTS)
        points = np.unique(np.concatenate([points[(points <= 0.5) | (points == 1.0)], 1.0 - tails, inner[-1:]]))
    values = law.quantile(np.minimum(points + law.quantile_error, 1.0))
    values = values + 1e-12 * np.abs(np.where(np.isfinite(values), values, 0.0))
    last = np.minimum(np.searchsorted(points, p, side="left"), len(points) - 1)
    below = np.interp(p, points[np.isfinite(values)], values[np.isfinite(values)])
    return np.where(points[last] == p, values[last], below)
