"""A sound Monte-Carlo certificate of one shift.

For any fixed kappa > 0, with m(kappa) = integral of min(kappa p, q) = kappa - E_P[(kappa - r)_+],

    Q(A) >= kappa pA - E_P[(kappa - r)_+]           = m(kappa) - kappa (1 - pA),
    Q(B) <= kappa pB + 1 - kappa + E_P[(kappa - r)_+] = 1 - m(kappa) + kappa pB.

m is estimated by m(kappa) = E_Q[min(kappa / r, 1)], whose variable lies in [0, 1] whatever kappa is; under P it would
lie in [0, kappa]. kappa and the shift are fixed before the draws that bound m.
"""

from __future__ import annotations

import numpy as np

from robustbench_rs_plugins.solvers.unicr.power import Power

LARGEST_LOG_KAPPA = 600.0
ROUNDING = 1e-9
"""More than what float64 can lose in sums of n values in [0, 1] and in log densities summed over d coordinates."""


def lower_mean(values: np.ndarray, delta: float) -> np.ndarray:
    """Lower confidence limits (k,) of the means of ``values`` (k, n) in [0, 1], each with probability 1 - ``delta``.

    Empirical Bernstein inequality (Maurer and Pontil 2009, Theorem 4): mean - sqrt(2 V ln(2/delta) / n)
    - 7 ln(2/delta) / (3 (n - 1)), V the sample variance. n >= 2.
    """
    n = values.shape[-1]
    log_term = np.log(2.0 / delta)
    slack = np.sqrt(2.0 * values.var(axis=-1, ddof=1) * log_term / n) + 7.0 * log_term / (3.0 * (n - 1))
    return np.asarray(values.mean(axis=-1) - slack)


def log_kappas(power: Power, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
    """ln kappa (2, k) for Q(A) and Q(B): the estimated Neyman-Pearson thresholds, where the two bounds are tight."""
    thresholds = np.stack([power.threshold(1.0 - p_lower), power.threshold(p_upper)])
    return np.asarray(np.clip(thresholds, -LARGEST_LOG_KAPPA, LARGEST_LOG_KAPPA))


def confirmed_margin(
    under_q: np.ndarray, log_kappa: np.ndarray, p_lower: np.ndarray, p_upper: np.ndarray, delta: float
) -> np.ndarray:
    """Lower limits (k,) of Q(A) - Q(B), for each input with probability at least 1 - ``delta``.

    ``under_q`` (n,): log ratios of draws of Q that neither the shift nor ``log_kappa`` (2, k) depends on. Where both
    kappas are one (pB = 1 - pA) so is the event; else each of the two limits spends delta / 2.
    """
    shared = log_kappa[0] == log_kappa[1]
    level = np.where(shared, delta, delta / 2)
    limits = [_limits(under_q, row, level) for row in log_kappa]
    kappa = np.exp(log_kappa)
    worst_top = limits[0] - kappa[0] * (1.0 - p_lower)
    best_other = 1.0 - limits[1] + kappa[1] * p_upper
    return np.asarray(worst_top - best_other - ROUNDING)


def _limits(under_q: np.ndarray, log_kappa: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Lower limits (k,) of m(kappa); one input at a time, so that memory stays at n numbers."""
    return np.array(
        [
            float(lower_mean(np.exp(np.minimum(one - under_q, 0.0)), delta))
            for one, delta in zip(log_kappa, level, strict=True)
        ]
    )
