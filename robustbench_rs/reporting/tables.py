"""Certified accuracy on the radius grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robustbench_rs.api.report import CertifiedAccuracy
from robustbench_rs.reporting.comparison import Group
from robustbench_rs.reporting.envelope import Envelope
from robustbench_rs.reporting.intervals import accuracy_limits
from robustbench_rs.reporting.levels import Level

Marks = dict[tuple[str, str], np.ndarray]
"""(data set, norm) -> highest count (g,) on the grid among comparable levels."""


def best_counts(groups: Sequence[Group], radii: np.ndarray) -> Marks:
    """What to mark as best: the highest count at each radius of groups with something to choose from."""
    return {
        (group[0].setting.dataset, group[0].setting.norm): np.max([level.counts(radii) for level in group], axis=0)
        for group in groups
        if len(group) > 1
    }


def accuracy_rows(row: Level | Envelope, radii: np.ndarray, best: np.ndarray | None = None) -> list[CertifiedAccuracy]:
    """One entry for each of ``radii`` (g,); ``best`` (g,) are the counts to mark, None to mark nothing.

    Certified accuracy at r: the fraction of *all* inputs that are correct, not abstained and have R >= r.
    """
    counts = row.counts(radii)
    lower, upper = accuracy_limits(counts, row.n_inputs)
    marked = (counts == best) & (counts > 0) if best is not None else np.zeros(len(radii), dtype=bool)
    return [
        CertifiedAccuracy(
            setting=row.setting,
            guarantee=row.guarantee(radius),
            radius=radius,
            certified_accuracy=count / row.n_inputs,
            lower=low,
            upper=high,
            n_inputs=row.n_inputs,
            best=mark,
        )
        for radius, count, low, high, mark in zip(
            radii.tolist(),
            counts.tolist(),
            lower.tolist(),
            upper.tolist(),
            marked.tolist(),
            strict=True,
        )
    ]
