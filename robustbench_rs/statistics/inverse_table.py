"""Inverse of a distribution function as a table of cubics, that any device can evaluate: the default sampler's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]

SMALLEST = 2.0**-60
"""Tail mass of the outermost knots; a float64 uniform in (0, 1) drawn on a grid never comes below."""
ABSOLUTE, RELATIVE, FLOOR = 2.0**-27, 2.0**-16, 2.0**-48
"""Wanted u-error: below the first everywhere, in the tails below the second's share of the tail mass or the third."""
MAX_KNOTS = 200_000
_CHECKS = np.array([0.125, 0.25, 0.5, 0.75, 0.875])


@dataclass(frozen=True, eq=False)
class InverseTable:
    """Monotone Hermite cubics z(w) on ``knots`` of the signed tail mass w: u below 1/2, u - 1 above (exact in float64).

    ``coefficients`` (4, K - 1): powers of w - knot, by interval. ``error``: twice the largest u-error found at five
    points of every interval.
    """

    knots: np.ndarray
    coefficients: np.ndarray
    error: float

    @classmethod
    def build(cls, quantile: Function, isf: Function, cdf: Function, sf: Function, density: Function) -> InverseTable:
        """Tabulate and verify, from exact functions. Raises ``ValueError`` when the u-error cannot be reached."""
        octaves = np.ldexp(1.0, np.arange(-60, -1))
        mass = np.unique(np.concatenate([octaves * part for part in (1.0, 1.25, 1.5, 1.75)] + [[0.5]]))
        lower = _Side(quantile, cdf, density).refined(mass)
        upper = _Side(lambda mass: -isf(mass), lambda z: sf(-z), lambda z: density(-z)).refined(mass)
        knots = np.concatenate([-upper.mass[::-1], lower.mass])
        straddle = np.array([[lower.z[0]], [0.0], [0.0], [0.0]])  # never looked up: w stays out of it
        coefficients = np.concatenate([_mirrored(upper), straddle, lower.coefficients()], axis=1)
        return cls(knots, coefficients, 2 * max(lower.error, upper.error) + SMALLEST)

    def at(self, u: np.ndarray) -> np.ndarray:
        """Quantiles of ``u`` in (0, 1), any shape, float64: in numpy what :mod:`robustbench_rs.api.inverse_cdf` does on
        a device."""
        w = np.where(u < 0.5, np.maximum(u, SMALLEST), np.minimum(u - 1.0, -SMALLEST))
        i = np.clip(np.searchsorted(self.knots, w) - 1, 0, len(self.knots) - 2)
        t, c = w - self.knots[i], self.coefficients
        return np.asarray(((c[3][i] * t + c[2][i]) * t + c[1][i]) * t + c[0][i])


class _Side:
    """One half of the law, as a function of its tail mass; ``z`` increases with the mass."""

    def __init__(self, quantile: Function, tail: Function, density: Function) -> None:
        self._quantile, self._tail, self._density = quantile, tail, density
        self.mass, self.z, self.slope = np.zeros(0), np.zeros(0), np.zeros(0)
        self.error = 0.0

    def refined(self, mass: np.ndarray) -> _Side:
        """Knots added in the middle of every interval whose u-error is too large."""
        z = self._quantile(mass)
        while True:
            self.mass, self.z = mass, z
            self.slope = self._slopes()
            errors = self._errors()
            bad = errors > np.clip(RELATIVE * mass[:-1], FLOOR, ABSOLUTE)
            if not np.any(bad):
                self.error = float(np.max(errors))
                return self
            new = (mass[:-1][bad] + mass[1:][bad]) / 2
            if len(mass) + len(new) > MAX_KNOTS:
                raise ValueError("the quantile function is too rough for a table")
            order = np.argsort(np.concatenate([mass, new]), kind="stable")
            mass = np.concatenate([mass, new])[order]
            z = np.concatenate([z, self._quantile(new)])[order]

    def coefficients(self) -> np.ndarray:
        """Cubics in mass - knot, (4, K - 1)."""
        width, rise = np.diff(self.mass), np.diff(self.z)
        first, last, mean = self.slope[:-1], self.slope[1:], rise / width
        square, cube = (3 * mean - 2 * first - last) / width, (first + last - 2 * mean) / width**2
        return np.stack([self.z[:-1], first, square, cube])

    def _slopes(self) -> np.ndarray:
        """1 / density, limited to three times the neighbouring secants, so that the cubics are monotone."""
        secant = np.diff(self.z) / np.diff(self.mass)
        limit = 3 * np.minimum(np.append(secant, np.inf), np.insert(secant, 0, np.inf))
        with np.errstate(divide="ignore"):
            return np.asarray(np.minimum(1.0 / self._density(self.z), limit))

    def _errors(self) -> np.ndarray:
        """Largest u-error of each interval; never more than its width, the cubics being monotone."""
        width = np.diff(self.mass)
        t = width * _CHECKS[:, np.newaxis]
        c = self.coefficients()
        z = ((c[3] * t + c[2]) * t + c[1]) * t + c[0]
        found = np.max(np.abs(self._tail(z) - (self.mass[:-1] + t)), axis=0)
        return np.asarray(np.minimum(found, width))


def _mirrored(side: _Side) -> np.ndarray:
    """The upper half's cubics, for w = -mass and ascending knots; the side's z is -z."""
    width = np.diff(side.mass)
    _, _, square, cube = side.coefficients()
    end, slope = side.z[1:], side.slope[1:]
    shifted = np.stack([-end, slope, -(square + 3 * cube * width), cube])
    return shifted[:, ::-1]
