"""Quantiles of the standard normal law, rounded to a chosen side.

``scipy.special.ndtri`` errs by less than 6e-16 relative to its *value* (not only to 1), also near p = 1/2, where the
value goes to 0: measured against 50-digit arithmetic. The margin of :mod:`rounding` is more than a hundred times that.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from robustbench_rs.statistics.rounding import down, up


def normal_quantile_down(p: np.ndarray | float) -> np.ndarray:
    """Phi^-1(p), never above the true value, relative error below 1e-12. ``p``: any shape, in [0, 1].

    ``p`` is taken as the exact value of the float; 0 and 1 give infinities. Raises ``ValueError`` outside [0, 1].
    """
    return down(ndtri(_probabilities(p)))


def normal_quantile_up(p: np.ndarray | float) -> np.ndarray:
    """Phi^-1(p), never below the true value; otherwise as :func:`normal_quantile_down`."""
    return up(ndtri(_probabilities(p)))


def normal_isf_down(q: np.ndarray | float) -> np.ndarray:
    """Phi^-1(1 - q) for a small ``q``, never above the true value: no precision is lost in 1 - q."""
    return -normal_quantile_up(q)


def _probabilities(p: np.ndarray | float) -> np.ndarray:
    p = np.asarray(p, dtype=np.float64)
    if not np.all((p >= 0) & (p <= 1)):
        raise ValueError("probabilities must lie in [0, 1]")
    return p
