"""Upper tails of the families' standard variables at 40 digits and more, from the formulas of handbooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mpmath import atan, betainc, erfc, exp, gammainc, inf, mp, mpf, pi, sqrt

Tail = Callable[[mpf, mpf], mpf]
"""P(Z > z) for z >= 0, and the shape parameter."""


def _normal(z: mpf) -> mpf:
    return erfc(z / sqrt(2)) / 2


def _student(z: mpf, df: mpf) -> mpf:
    if z == 0:
        return mpf(1) / 2
    square = z * z / df
    if z < 1:
        return (1 - betainc(mpf(1) / 2, df / 2, 0, square / (1 + square), regularized=True)) / 2
    return betainc(df / 2, mpf(1) / 2, 0, 1 / (1 + square), regularized=True) / 2


def _exponential_mix(z: mpf, weight: mpf) -> mpf:
    if weight == 1:
        return exp(-z) / 2
    square = sqrt(1 - weight)
    return erfc(square * z + weight / (2 * square)) / erfc(weight / (2 * square)) / 2


TAILS: Mapping[str, Tail] = {
    "gaussian": lambda z, _: _normal(z),
    "laplace": lambda z, _: exp(-z) / 2,
    "uniform": lambda z, _: (1 - min(z, mpf(1))) / 2,
    "generalized-normal": lambda z, beta: gammainc(1 / beta, z**beta, inf, regularized=True) / 2,
    "logistic": lambda z, _: 1 / (1 + exp(z)),
    "hyperbolic-secant": lambda z, _: 2 / pi * atan(exp(-z)),
    "student-t": _student,
    "cauchy": lambda z, _: atan(1 / z) / pi if z else mpf(1) / 2,
    "pareto": lambda z, a: (1 + z) ** (-a) / 2,
    "triangular": lambda z, _: (1 - min(z, mpf(1))) ** 2 / 2,
    "gaussian-laplace-mixture": lambda z, weight: weight * exp(-z) / 2 + (1 - weight) * _normal(z),
    "exponential-mix": _exponential_mix,
}


def upper_tail(name: str, shape: float | None, z: float) -> mpf:
    """At the working precision of mpmath; z is taken as the exact value of the float."""
    return TAILS[name](mpf(z), mpf(0) if shape is None else mpf(shape))


def digits(number: int) -> object:
    """Context of that many decimal digits."""
    return mp.workdps(number)
