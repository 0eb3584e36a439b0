"""Claims of a confidence bound, checked exactly: no simulation, every outcome of a small experiment is enumerated."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np

from robustbench_rs.api import Bound
from robustbench_rs.testing.result import Check

LEVELS = (0.001, 0.05)
DRAWS = 50


def _covers(bound: Bound) -> str | None:
    """P(p_lower > p) <= alpha for every p: at each p just below a possible limit, in rational arithmetic."""
    successes = np.arange(DRAWS + 1)
    counts = np.stack([successes, DRAWS - successes], axis=1)
    for alpha in LEVELS:
        limits = bound.limits(counts, np.zeros(DRAWS + 1, dtype=np.int64), alpha).p_lower
        for k in np.flatnonzero(limits > 0):
            p = Fraction(float(limits[k]))
            above = sum(_probability(int(j), p) for j in np.flatnonzero(limits >= limits[k]))
            if above > Fraction(alpha):
                return f"p_lower for {k} of {DRAWS} is above {float(p)} with probability {float(above)} > {alpha}"
    return None


def _probability(k: int, p: Fraction) -> Fraction:
    return math.comb(DRAWS, k) * p**k * (1 - p) ** (DRAWS - k)


def _covers_jointly(bound: Bound) -> str | None:
    """P(p_lower > pA or p_upper < pB) <= alpha for three classes, over all outcomes of 12 draws."""
    n = 12
    counts = np.array([c for c in itertools.product(range(n + 1), repeat=3) if sum(c) == n])
    ways = np.array([math.factorial(n) / math.prod(math.factorial(int(k)) for k in c) for c in counts])
    for alpha in (0.05, 0.2):
        limits = bound.limits(counts, np.zeros(len(counts), dtype=np.int64), alpha)
        for top, share in itertools.product(np.linspace(0.05, 0.95, 19), (0.5, 0.7, 1.0)):
            classes = np.array([top, (1 - top) * share, (1 - top) * (1 - share)])
            missed = (limits.p_lower > classes[0]) | (limits.p_upper < classes[1:].max() - 1e-12)
            failure = float(np.sum((ways * np.prod(classes**counts, axis=1))[missed]))
            if failure > alpha * (1 + 1e-9):
                return (
                    f"for class probabilities {classes.round(3)} the limits fail with probability {failure} > {alpha}"
                )
    return None


def _sensible(bound: Bound) -> str | None:
    counts = np.array([[90, 6, 4], [100, 0, 0], [0, 60, 40], [34, 33, 33]])
    limits = bound.limits(counts, np.zeros(4, dtype=np.int64), 0.01)
    for name, values in (("p_lower", limits.p_lower), ("p_upper", limits.p_upper)):
        if values.shape != (4,) or not np.all((values >= 0) & (values <= 1)):
            return f"{name} is not four probabilities: {values}"
    return None


def _stricter(bound: Bound) -> str | None:
    counts, first = np.array([[900, 60, 40]]), np.zeros(1, dtype=np.int64)
    lower = [float(bound.limits(counts, first, alpha).p_lower[0]) for alpha in (1e-6, 1e-3, 0.1)]
    return None if lower == sorted(lower) else f"p_lower does not grow with alpha: {lower}"


def _budget(bound: Bound) -> str | None:
    for alpha in LEVELS:
        shares = bound.budget(alpha)
        if not shares or min(shares.values()) < 0 or math.fsum(shares.values()) > alpha * (1 + 1e-12):
            return f"the shares of alpha = {alpha} are {shares}"
    return None


CHECKS: dict[str, Check[Bound]] = {
    "limits are probabilities": _sensible,
    "lower limit covers": _covers,
    "limits cover jointly": _covers_jointly,
    "smaller alpha, lower limit": _stricter,
    "budget sums to at most alpha": _budget,
}
