"""Quotients of gamma functions that keep their precision where both are huge."""

from __future__ import annotations

import math

LARGE = 16.0


def log_gamma_ratio(a: float, step: float) -> float:
    """ln Gamma(a + step) - ln Gamma(a), for a > 0 and a + step > 0; infinite where a + step <= 0.

    A difference of two ``lgamma`` errs by 1e-10 at a = 150,000. By Stirling's series (DLMF 5.11.1) the large terms
    cancel on paper; the error is below 3e-16 (50 + abs(step) ln(a + 2)).
    """
    b = a + step
    if b <= 0:
        return math.inf
    if min(a, b) < LARGE:
        return math.lgamma(b) - math.lgamma(a)
    return (
        (a - 0.5) * math.log1p(step / a) + step * (math.log(b) - 1.0) + (stirling_remainder(b) - stirling_remainder(a))
    )


def stirling_remainder(x: float) -> float:
    """ln Gamma(x) - ((x - 1/2) ln x - x + ln(2 pi) / 2), x >= 16, to 1e-18."""
    s = 1.0 / (x * x)
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - (1 / 1188 - 691 / 360360 * s) * s) * s) * s) * s) / x
