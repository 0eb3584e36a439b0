"""PixelDP: certificates from differential privacy (Lecuyer et al. 2019, "Certified robustness to adversarial examples
with differential privacy"). A baseline: valid, and far from tight."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from robustbench_rs.api import Noise, ProductNoise, Radii, Solver, hookimpl
from robustbench_rs.statistics.rounding import certified, down

LARGEST_DELTA = 0.4
"""The proof of the Gaussian mechanism (Dwork and Roth 2014, Theorem A.1) needs sqrt(2 ln(1.25 / delta)) >= 3/2."""
GRID, ROUNDS = 33, 8
ROUNDING = 1e-12
"""Relative; more than the formulas below lose where they do not cancel."""


class PixelDPSolver(Solver):
    """Gaussian noise in l2, by (epsilon, delta)-privacy; Laplace noise in l1, by pure privacy.

    A mechanism that is (b, delta)-private for inputs within R keeps the class if pA > exp(2b) pB + (1 + exp(b)) delta
    (Lecuyer et al., Proposition 1).
    """

    name = "pixeldp"
    effort = 0

    def refusal(self, noise: Noise, norm: float, dim: int) -> str | None:
        if noise.name == "gaussian":
            return None if norm <= 2 else "for gaussian noise it is about l2, which covers norms up to 2 only"
        if noise.name == "laplace":
            return None if norm == 1 or dim == 1 else "for laplace noise it is about l1 only"
        return f"it is about gaussian noise in l2 and laplace noise in l1, not about {noise.name} noise"

    def radii(self, noise: Noise, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> Radii:
        """Raises ``ValueError`` with the text of :meth:`refusal`."""
        reason = self.refusal(noise, norm, dim)
        if reason is not None or not isinstance(noise, ProductNoise):
            raise ValueError(reason or f"{noise.name} noise has no scale here")
        top, other = np.asarray(p_lower, dtype=np.float64), np.minimum(p_upper, 1.0 - p_lower)
        with np.errstate(divide="ignore", invalid="ignore"):
            laplace = noise.name == "laplace"
            unit = np.log(top / other) / 2 if laplace else _largest(_gaussian_radius(top, other), top, other)
        size = noise.scale if laplace else float(noise.sigma or 0.0)
        radius = down(size * np.nan_to_num(unit, nan=0.0, posinf=np.inf), ROUNDING)
        source = "Lecuyer et al. 2019, Proposition 1, with the " + ("Laplace" if laplace else "Gaussian") + " mechanism"
        return Radii(certified(radius, p_lower, p_upper), "proved", None, {"source": source})


def _gaussian_radius(top: np.ndarray, other: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """R / sigma = b / sqrt(2 ln(1.25 / delta)) for b (.., m), or 0; delta = (pA - exp(2b) pB) / (1 + exp(b))."""

    def radius(b: np.ndarray) -> np.ndarray:
        spare = top * (1 - 1e-15) - np.exp(2 * b) * other * (1 + 1e-15)
        delta = spare / (1 + np.exp(b)) * (1 - 1e-14)
        usable = (delta > 0) & (delta <= LARGEST_DELTA) & (b > 0) & (b < 1)
        values = b / np.sqrt(2 * np.log(1.25 / np.where(usable, delta, 0.1)))
        return np.where(usable, values, 0.0)

    return radius


def _largest(radius: Callable[[np.ndarray], np.ndarray], top: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The largest value found for 0 < b < min(1, ln(pA / pB) / 2); every b gives a valid radius."""
    low, high = np.zeros(top.shape), np.minimum(1.0, np.log(np.maximum(top, other) / other) / 2)
    high = np.where(np.isnan(high), 0.0, high)
    share, best = np.linspace(0.0, 1.0, GRID)[:, np.newaxis], np.zeros(top.shape)
    for _ in range(ROUNDS):
        b = low + share * (high - low)
        values = radius(b)
        at = np.argmax(values, axis=0)
        best = np.maximum(best, values[at, np.arange(len(top))])
        step, middle = (high - low) / (GRID - 1), np.take_along_axis(b, at[np.newaxis], axis=0)[0]
        low, high = np.maximum(middle - step, low), np.minimum(middle + step, high)
    return best


@hookimpl
def robustbench_rs_solvers() -> list[type[Solver]]:
    return [PixelDPSolver]
