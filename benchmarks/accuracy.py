"""Gaussian l2 radius and Clopper-Pearson limits against 50-digit arithmetic: never above, and how far below.

    python benchmarks/accuracy.py [--samples 2000] [--seed 0]

The reference values share no code with the project: Newton's method on mpmath's error function, and on binomial tails
that are summed term by term in 220-bit integers.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np

from robustbench_rs.api import NoiseParams
from robustbench_rs.statistics.binomial import lower_limit, upper_limit
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.solvers.closed_form import ClosedFormSolver

BITS = 220
WORST = 1e-11
mpmath.mp.dps = 60
Real: Any = mpmath.mpf


def normal_quantile(p: float) -> Any:
    """Phi^-1(p) to 50 digits, by Newton's method on the tail."""
    if p == 0.5:
        return Real(0)
    if p < 0.5:
        return -_normal_isf(Real(p))
    return _normal_isf(1 - Real(p))


def _normal_isf(tail: Any) -> Any:
    x = mpmath.sqrt(-2 * mpmath.log(tail)) if tail < 0.1 else Real(0)
    for _ in range(200):
        step = mpmath.log(mpmath.erfc(x / mpmath.sqrt(2)) / 2 / tail) * mpmath.ncdf(-x) / mpmath.npdf(x)
        x += step
        if abs(step) <= abs(x) * Real(10) ** -54:
            return x
    raise ArithmeticError("no convergence")


def binomial_tail(k: int, n: int, p: Any) -> tuple[Any, Any]:
    """P(Bin(n, p) >= k) and P(Bin(n, p) = k), to 50 digits."""
    log = mpmath.loggamma(n + 1) - mpmath.loggamma(k + 1) - mpmath.loggamma(n - k + 1)
    first = mpmath.exp(log + k * mpmath.log(p) + (n - k) * mpmath.log(1 - p))
    odds = int(mpmath.floor(p / (1 - p) * Real(2) ** BITS))
    term = total = 1 << BITS
    for j in range(k, n):
        term = ((term * (n - j) // (j + 1)) * odds) >> BITS
        total += term
        if term == 0:
            break
    return first * Real(total) / Real(1 << BITS), first


def binomial_limit(k: int, n: int, alpha: float, near: float) -> Any:
    """The p with P(Bin(n, p) >= k) = alpha to 50 digits, by Newton's method in ln p from ``near``."""
    if k == n:
        return mpmath.exp(mpmath.log(Real(alpha)) / n)
    p = Real(near)
    for _ in range(50):
        tail, first = binomial_tail(k, n, p)
        step = mpmath.log(tail / Real(alpha)) * tail / (k * first)
        p *= mpmath.exp(-step)
        if abs(step) < Real(10) ** -27:  # the next step would be about its square
            return p
    raise ArithmeticError("no convergence")


def probabilities(rng: np.random.Generator) -> Iterator[float]:
    """pA over [0.5 + 1e-9, 1 - 1e-12], dense at both ends."""
    yield from (0.5 + 1e-9, 1 - 1e-12)
    while True:
        near_half, near_one = (
            0.5 + 10 ** rng.uniform(-9, math.log10(0.49)),
            1 - 10 ** rng.uniform(-12, math.log10(0.49)),
        )
        yield from (float(near_half), float(near_one))


def experiments(rng: np.random.Generator) -> Iterator[tuple[int, int, float]]:
    """(k, n, alpha) with n up to 1e7: k anywhere, near 0, near n, and n itself; alpha down to 1e-300."""
    extremes = [(k, n, a) for n in (1, 2, 1000, 10**7) for k in (0, 1, n // 2, n - 1, n) for a in (1e-12, 1e-3, 0.05)]
    yield from extremes
    yield from [(1, 14, 1e-300), (7, 10**7, 1e-300), (667, 1319, 5e-4)]
    while True:
        n = int(10 ** rng.uniform(0, 7))
        few = min(n, int(10 ** rng.uniform(0, 7)))
        k = (int(rng.integers(0, n + 1)), few, n - few, n)[rng.integers(4)]
        lowest = (-3, -12, -60)[rng.integers(3)]
        yield k, n, float(10 ** rng.uniform(lowest, -0.01))


def radius_error(p: float) -> float:
    """Relative error of the Gaussian l2 radius, negative if it is above the truth (which it must never be)."""
    solver, noise = ClosedFormSolver(), Gaussian(NoiseParams(sigma=1.0))
    radius = solver.radii(noise, 2.0, 1, np.array([p]), np.array([1.0 - p])).radius[0]
    truth = normal_quantile(p)
    return float((truth - Real(float(radius))) / truth)


def lower_error(k: int, n: int, alpha: float) -> float:
    """Relative error of the lower limit, negative if above."""
    limit = float(lower_limit(k, n, alpha))
    if k == 0:
        return -limit
    truth = binomial_limit(k, n, alpha, limit)
    return float((truth - Real(limit)) / truth)


def upper_error(k: int, n: int, alpha: float) -> float:
    """Relative error of the upper limit, negative if below; U(k) = 1 - L(n - k)."""
    limit = float(upper_limit(k, n, alpha))
    if k == n:
        return limit - 1.0
    truth = 1 - binomial_limit(n - k, n, alpha, float(lower_limit(n - k, n, alpha)))
    return float((Real(limit) - truth) / truth)


def worst(error: Callable[..., float], cases: Sequence[tuple[float, ...]]) -> tuple[float, float]:
    """Smallest and largest signed relative error over the cases."""
    errors = [error(*case) for case in cases]
    return min(errors), max(errors)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    rng = np.random.default_rng(chosen.seed)
    some = [(p,) for p, _ in zip(probabilities(rng), range(chosen.samples), strict=False)]
    counts = [case for case, _ in zip(experiments(rng), range(chosen.samples), strict=False)]
    print(f"{'quantity':24} {'cases':>7} {'never above':>12} {'worst relative error':>21}")
    table: tuple[tuple[str, Callable[..., float], Sequence[tuple[float, ...]]], ...] = (
        ("Gaussian l2 radius", radius_error, some),
        ("Clopper-Pearson lower", lower_error, counts),
        ("Clopper-Pearson upper", upper_error, counts),
    )
    for name, error, cases in table:
        low, high = worst(error, cases)
        print(f"{name:24} {len(cases):7} {'yes' if low >= 0 else 'NO':>12} {max(high, -low):21.2e}", flush=True)


if __name__ == "__main__":
    main()
