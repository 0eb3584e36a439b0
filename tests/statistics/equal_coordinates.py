"""Brute force: the largest radius that one direction of k equal coordinates allows, by plain convolution.

Independent of the package: one coordinate's likelihood ratio on a fine grid, losses rounded to a lattice, k-fold sums
by FFT. Approximate (a few parts in a thousand), and above the truth for the ball, as other directions may be worse.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq

LogDensity = Callable[[np.ndarray], np.ndarray]


def equal_coordinates_radius(log_density: LogDensity, reach: float, k: int, p_lower: float) -> float:
    """l2 radius in units of z at which the Neyman-Pearson set of P-mass ``p_lower`` has Q-mass 1/2."""
    return float(brentq(lambda r: _needed(log_density, reach, k, r) - p_lower, 1e-3, reach / 2, xtol=1e-4))


def _needed(log_density: LogDensity, reach: float, k: int, radius: float) -> float:
    """P-mass of the set of smallest likelihood ratios whose Q-mass is 1/2."""
    shift = radius / np.sqrt(k)
    z = np.linspace(-reach, reach + shift, 60_001)
    with np.errstate(all="ignore"):
        p, q = np.exp(log_density(z)), np.exp(log_density(z - shift))
    p, q = p / p.sum(), q / q.sum()
    with np.errstate(all="ignore"):
        loss = np.clip(np.log(q) - np.log(p), -40.0, 40.0)
    size, step = 1 << 17, 80.0 / (1 << 14)
    index = np.rint(np.nan_to_num(loss) / step).astype(np.int64)
    totals = [np.fft.irfft(np.fft.rfft(np.bincount(index % size, mass, size)) ** k, size) for mass in (p, q)]
    order = np.roll(np.arange(size), size // 2)
    p_sum, q_sum = (np.cumsum(total[order]) for total in totals)
    return float(np.interp(0.5, np.maximum.accumulate(q_sum), p_sum))
