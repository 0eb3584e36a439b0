"""Confidence intervals of accuracies, each computed once: the curves of a report ask for the same counts many times."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from robustbench_rs.statistics.binomial import accuracy_interval

CONFIDENCE = 0.95


def accuracy_limits(counts: np.ndarray, n_inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper 95 per cent Clopper-Pearson limits (g,) of ``counts`` (g,) of ``n_inputs``."""
    lower, upper = _table(n_inputs)
    missing = np.unique(counts[np.isnan(lower[counts])])
    if len(missing):
        lower[missing], upper[missing] = accuracy_interval(missing, n_inputs, CONFIDENCE)
    return lower[counts], upper[counts]


@lru_cache(maxsize=8)
def _table(n_inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Limits of every count so far, NaN elsewhere; both (n_inputs + 1,)."""
    return np.full(n_inputs + 1, np.nan), np.full(n_inputs + 1, np.nan)
