"""Exact inference on binomial counts: one-sided Clopper-Pearson limits, and tests of one half.

Every limit is moved outward by 1e-12 relative (a lower limit down, the complement of an upper limit down), far more
than the error of :mod:`binomial_tail`, so that it never lies on the wrong side of the true limit.
"""

from __future__ import annotations

import numpy as np

from robustbench_rs.statistics.binomial_tail import log_upper_tail, tail_root

OUTWARD = 1e-12

Number = np.ndarray | int | float


def lower_limit(k: Number, n: Number, alpha: Number) -> np.ndarray:
    """One-sided lower Clopper-Pearson limit of a probability: P(L > p) <= ``alpha`` (Clopper and Pearson 1934).

    ``k`` successes of ``n`` draws, broadcast; 0 for k = 0. Never above BetaInv(alpha; k, n - k + 1), with a relative
    error below 1e-11, of its complement too. Raises ``ValueError`` unless 0 <= k <= n and 0 < alpha < 1.
    """
    k, n, alpha = _checked(k, n, alpha)
    return _limits(k, n, alpha)[0]


def upper_limit(k: Number, n: Number, alpha: Number) -> np.ndarray:
    """One-sided upper Clopper-Pearson limit, BetaInv(1 - alpha; k + 1, n - k), never below it; 1 for k = n."""
    k, n, alpha = _checked(k, n, alpha)
    return _limits(n - k, n, alpha)[1]


def largest_limit(n: int, alpha: float, runner_up: bool = False) -> float:
    """The largest attainable lower limit, alpha^(1/n); a runner-up bound takes half of alpha."""
    return float(lower_limit(n, n, alpha / 2 if runner_up else alpha))


def accuracy_interval(successes: Number, n: Number, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Two-sided Clopper-Pearson interval (lower, upper) of a fraction, (1 - confidence) / 2 on each side."""
    alpha = (1.0 - confidence) / 2
    return lower_limit(successes, n, alpha), upper_limit(successes, n, alpha)


def top_two_p_value(n_top: Number, n_second: Number) -> np.ndarray:
    """Two-sided exact binomial test that the two counts come from equal probabilities, rounded up.

    The test of PREDICT (Cohen et al. 2019; Hung and Fithian 2019, "Rank verification for exponential families"), which
    needs no correction for having chosen the top two. Counts are broadcast; 1 where they are equal.
    """
    top, second = np.broadcast_arrays(np.asarray(n_top, dtype=np.float64), np.asarray(n_second, dtype=np.float64))
    if not np.all((top >= 0) & (second >= 0)):
        raise ValueError("counts must not be negative")
    k, n = np.maximum(top, second), top + second
    decided = k > n - k
    with np.errstate(under="ignore"):
        sweep = 2.0 * 0.5**n
    inner = decided & (k < n)
    half = np.full(n.shape, 0.5)
    tail, _ = log_upper_tail(np.where(inner, k, 2.0), np.where(inner, n, 3.0), half, half)
    value = np.where(inner, 2.0 * np.exp(tail), sweep)
    return np.where(decided, np.minimum(value * (1.0 + OUTWARD), 1.0), 1.0)


def mcnemar_p_value(only_first: Number, only_second: Number) -> np.ndarray:
    """Exact two-sided McNemar test from the two discordant counts of paired outcomes (McNemar 1947)."""
    return top_two_p_value(only_first, only_second)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down adjusted p-values (m,) (Holm 1979): the family-wise error holds under any dependence."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _checked(k: Number, n: Number, alpha: Number) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    k, n, alpha = np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in (k, n, alpha)))
    if not np.all((k >= 0) & (k <= n)):
        raise ValueError("counts must lie between 0 and the number of draws")
    if not np.all((alpha > 0) & (alpha < 1)):
        raise ValueError("alpha must lie strictly between 0 and 1")
    return k, n, alpha


def _limits(k: np.ndarray, n: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(L, 1 - L) of the lower limit for k successes; L is rounded down, 1 - L (an upper limit) up."""
    p, q = np.zeros(k.shape), np.ones(k.shape)
    whole = (k == n) & (n > 0)
    share = np.log(alpha[whole]) / n[whole]
    p[whole], q[whole] = np.exp(share), -np.expm1(share)
    for part, exchanged in (((k > 0) & (k < n) & (alpha <= 0.5), False), ((k > 0) & (k < n) & (alpha > 0.5), True)):
        if np.any(part):
            p[part], q[part] = _inner(k[part], n[part], alpha[part], exchanged)
    # The subtraction from 1 may round to the wrong side by half a float, hence nextafter.
    lower = np.where(p <= 0.5, p * (1.0 - OUTWARD), np.nextafter(1.0 - q * (1.0 + OUTWARD), 0.0))
    upper = np.where(q <= 0.5, q * (1.0 + OUTWARD), np.nextafter(1.0 - p * (1.0 - OUTWARD), 1.0))
    return np.where(k > 0, lower, 0.0), np.where(k > 0, upper, 1.0)


def _inner(k: np.ndarray, n: np.ndarray, alpha: np.ndarray, exchanged: bool) -> tuple[np.ndarray, np.ndarray]:
    """(p, 1 - p) at which P(Bin(n, p) >= k) = alpha; for alpha > 1/2 by the tail of the failures, n - k + 1 or more."""
    if not exchanged:
        return tail_root(k, n, alpha)
    failures, level = n - k + 1.0, 1.0 - alpha
    share = np.log(level) / n
    every = failures == n
    q, p = tail_root(np.where(every, n - 1.0, failures), n, level)
    return np.where(every, -np.expm1(share), p), np.where(every, np.exp(share), q)
