"""The certified-accuracy curves as plain JSON for the page's script; colours and themes are decided there."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from robustbench_rs.api import Report
from robustbench_rs.api.report import Curve, Setting
from robustbench_rs_plugins.reporters.page.numbers import norm_label
from robustbench_rs_plugins.reporters.page.settings import Catalogue, Shown

RADIUS_DIGITS = 7
ACCURACY_DIGITS = 5
MANY_CURVES = 6
"""Above so many curves in one picture, confidence bands start hidden."""


def floor_to(values: np.ndarray, digits: int) -> np.ndarray:
    """``values`` (m,) rounded down to ``digits`` decimal places; no entry ends above what it was."""
    scale = 10.0**digits
    steps = np.floor(np.asarray(values, dtype=np.float64) * scale)
    steps = np.where(steps / scale > values, steps - 1, steps)
    floored: np.ndarray = steps / scale
    return floored


def chart_data(report: Report, catalogue: Catalogue) -> dict[str, Any]:
    """Everything that the curves' script needs: the curves, which norms each data set has, the norms' names."""
    marks = _marks(report)
    return {
        "curves": [_curve(curve, catalogue[curve.setting], marks[curve.setting]) for curve in report.curves],
        "groups": [[group.dataset, group.norm] for group in catalogue.groups],
        "norms": {norm: norm_label(norm) for norm in catalogue.norms},
    }


def bands_start_shown(report: Report, catalogue: Catalogue) -> bool:
    """Whether the pictures are sparse enough to begin with the bands."""
    drawn = [catalogue[curve.setting] for curve in report.curves]
    return max((sum(group.holds(each) for each in drawn) for group in catalogue.groups), default=0) <= MANY_CURVES


def _marks(report: Report) -> defaultdict[Setting, list[tuple[float, float]]]:
    """The table's values, which the picture repeats as symbols."""
    marks: defaultdict[Setting, list[tuple[float, float]]] = defaultdict(list)
    for row in report.certified_accuracy:
        marks[row.setting].append((row.radius, row.certified_accuracy))
    return marks


def _curve(curve: Curve, shown: Shown, marks: list[tuple[float, float]]) -> dict[str, Any]:
    grid = np.array(sorted(mark for mark in marks if mark[1] > 0), dtype=np.float64).reshape(-1, 2)
    return {
        "name": shown.name + (" (post hoc)" if shown.post_hoc else ""),
        "guarantee": shown.guarantee,
        "dataset": shown.dataset,
        "norm": shown.norm,
        "solver": shown.solver,
        "color": shown.style.color,
        "symbol": shown.style.symbol,
        "dash": shown.style.dash,
        "radius": floor_to(curve.radius, RADIUS_DIGITS).tolist(),
        "accuracy": np.round(np.asarray(curve.accuracy, dtype=np.float64), ACCURACY_DIGITS).tolist(),
        "lower": floor_to(curve.lower, ACCURACY_DIGITS).tolist(),
        "upper": (-floor_to(-np.asarray(curve.upper, dtype=np.float64), ACCURACY_DIGITS)).tolist(),
        "gridRadius": floor_to(grid[:, 0], RADIUS_DIGITS).tolist(),
        "gridAccuracy": np.round(grid[:, 1], ACCURACY_DIGITS).tolist(),
    }
