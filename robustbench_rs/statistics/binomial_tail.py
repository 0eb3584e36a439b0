"""The upper tail of the binomial law and its inverse, to nearly full float64 precision.

``scipy.special.betaincinv`` errs by up to 2.5e-10 relative for n up to 1e7 (4e-11 at levels below 1e-3), and returns
NaN or values without a correct digit for levels below 1e-90 (measured, scipy 1.17). Here the binomial probability comes
from Loader's saddle-point expansion ("Fast and accurate computation of binomial probabilities", 2000), whose error does
not grow with n, and the tail from an integral over the log odds theta = ln(p / q), q = 1 - p:

    P(Bin(n, p) >= k) = k q b(k; n, p) integral over s > 0 of exp(-D(s)),   D(s) = k s + (n + 1) ln(q + p exp(-s)),

the derivative of the tail by theta being k q b(k; n, p) (DLMF 8.17.4). D is convex, so Gauss-Legendre quadrature up to
where D is large converges to full precision; and the log tail is concave in theta, so Newton's method converges from
anywhere.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv, expit, gammaln, logit

MAX_NEWTON_STEPS = 100
TINY = 1e-300
CUT = 45.0
"""The integral ends where D = 45: the rest is below 1e-19 of it."""
SETTLED = 1e-10
"""A Newton step in the log odds this small leaves an error of about its square times sqrt(n)."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(100)
_NODES, _WEIGHTS = (1.0 + _NODES) / 2, _WEIGHTS / 2


def log_upper_tail(k: np.ndarray, n: np.ndarray, p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ln P(Bin(n, p) >= k), and its derivative by ln(p / q), for 1 <= k < n.

    ``q`` = 1 - p, each with its own precision; all float64 of one shape. Meant for
    tails of at most about 1/2, that is for p up to about k / n.
    """
    integral = _integral(k, n, p, q)
    return np.log(k * q * integral) + _log_probability(k, n, p, q), 1.0 / integral


def tail_root(k: np.ndarray, n: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(p, 1 - p) with P(Bin(n, p) >= k) = alpha, for 1 <= k < n and 0 < alpha <= 1/2, float64 of one shape.

    Each of the two is correct to about 1e-14 relative, and the same to the last bit whatever stands beside it: files
    hold these numbers. Raises ``ArithmeticError`` when the iteration does not settle.
    """
    target = np.log(alpha)
    theta = logit(_start(k, n, alpha))
    moving = np.ones(theta.shape, dtype=bool)
    for _ in range(MAX_NEWTON_STEPS):
        value, slope = log_upper_tail(k, n, expit(theta), expit(-theta))
        step = (value - target) / slope
        theta = np.where(moving, theta - step, theta)
        moving &= ~(np.abs(step) <= SETTLED)
        if not np.any(moving):
            return expit(theta), expit(-theta)
    raise ArithmeticError("the binomial confidence limit did not converge")


def _start(k: np.ndarray, n: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """scipy's inverse where it is one, else the Chernoff bound k alpha^(1/k) / (e n), which lies below the root."""
    with np.errstate(all="ignore"):
        guess = betaincinv(k, n - k + 1.0, alpha)
    chernoff = np.maximum(k / n * np.exp(np.log(alpha) / k - 1.0), TINY)
    return np.where((guess >= chernoff) & (guess < 1.0), guess, chernoff)


def _integral(k: np.ndarray, n: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    end = _end(k, n, p, q)
    columns = (value[..., np.newaxis] for value in (k, n, p, q))
    # Not a product of matrices, whose rounding of a row may depend on the number of rows.
    return np.asarray(end * np.sum(np.exp(-_drop(end[..., np.newaxis] * _NODES, *columns)) * _WEIGHTS, axis=-1))


def _end(k: np.ndarray, n: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Where D reaches ``CUT``, to a factor of 1.01: bisection in ln s."""
    low, high = np.full(k.shape, -20.0), np.full(k.shape, 8.0)
    for _ in range(12):
        middle = (low + high) / 2
        above = _drop(np.exp(middle), k, n, p, q) > CUT
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.asarray(np.exp(high))


def _drop(s: np.ndarray, k: np.ndarray, n: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """D(s), written with the smaller of p and q so that its terms cancel least."""
    with np.errstate(over="ignore"):
        rising = -(n - k + 1.0) * s + (n + 1.0) * np.log1p(q * np.expm1(np.minimum(s, 700.0)))
    falling = k * s + (n + 1.0) * np.log1p(p * np.expm1(-s))
    return np.asarray(np.where(p <= 0.5, falling, rising))


def _log_probability(k: np.ndarray, n: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """ln P(Bin(n, p) = k) for 1 <= k < n (Loader 2000, equation 5)."""
    rest = n - k
    stirling = _stirling_error(n) - _stirling_error(k) - _stirling_error(rest)
    deviance = _deviance(k, n * p) + _deviance(rest, n * q)
    return np.asarray(stirling - deviance + 0.5 * np.log(n / (2.0 * np.pi * k * rest)))


def _stirling_error(n: np.ndarray) -> np.ndarray:
    """ln n! - ((n + 1/2) ln n - n + ln(2 pi) / 2)."""
    small = np.minimum(n, 15.0)
    exact = gammaln(small + 1.0) - ((small + 0.5) * np.log(small) - small + 0.5 * np.log(2.0 * np.pi))
    s = 1.0 / (n * n)
    series = (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - (1 / 1188 - 691 / 360360 * s) * s) * s) * s) * s) / n
    return np.asarray(np.where(n < 16, exact, series))


def _deviance(x: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """x ln(x / mean) + mean - x >= 0, without cancellation where x is near the mean."""
    v = (x - mean) / (x + mean)
    squared = np.minimum(v * v, 0.01)
    total = np.zeros_like(v)
    for j in range(12, 0, -1):
        total = (total + 1.0 / (2 * j + 1)) * squared
    near = (x - mean) * v + 2.0 * x * v * total
    return np.asarray(np.where(np.abs(v) < 0.1, near, x * np.log(x / mean) + mean - x))
