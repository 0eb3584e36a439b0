"""A one-dimensional law known only by its log density: distribution function, quantiles, moments, sampler."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property

import numpy as np

from robustbench_rs.statistics.inverse_table import InverseTable
from robustbench_rs.statistics.quadrature import Panels, gauss, integrate

LogDensity = Callable[[np.ndarray], np.ndarray]

NEAR, FAR, FARTHEST = -60, 60, 500
"""Octaves [2^j, 2^(j+1)] about 0 that are looked at first, and how far the tails are followed when they are heavy."""
CUT_MASS = 2.0**-53
MAX_U_ERROR = 2.0**-25
SAFETY = 4.0
EPSILON = 2.0**-52
BLOCK = 1 << 14


class TabulatedLaw:
    """The law on ``support`` with density proportional to exp(``log_density``), integrated once, here.

    Densities may have jumps, kinks, zeros, a pole or cusp at 0 and tails of any power above about 0.12; peaks narrower
    than 1/100 of their distance from 0 may be overlooked. Raises ``ValueError`` when the density cannot be normalised,
    is NaN somewhere, or when more than 2^-53 of its mass lies beyond 2^500. Nothing
    is assumed of the shape. Tail mass beyond the table counts as zero, and as part of ``u_error``.

    ``u_error`` bounds \\|cdf(z) - F(z)\\| and \\|F(quantile(p)) - p\\|: four times the sum of the differences of two
    quadrature resolutions, the cut tails, and rounding.
    """

    def __init__(self, log_density: LogDensity, support: tuple[float, float] = (-math.inf, math.inf)) -> None:
        if not support[0] < support[1]:
            raise ValueError(f"the support ({support[0]}, {support[1]}) is empty")
        self._log_density = log_density
        self.support = (float(support[0]), float(support[1]))
        self._shift = 0.0
        self._shift = self._largest_log_density()
        self._panels, self._cut = self._integrated()
        mass = self._panels.mass
        self._total = math.fsum(mass)
        self._below = np.concatenate([[0.0], np.cumsum(mass)]) / self._total
        self._above = np.append(np.cumsum(mass[::-1])[::-1], 0.0) / self._total
        self.u_error = self._stated_error()
        if not self.u_error <= MAX_U_ERROR:
            raise ValueError(f"the density is known only to {self.u_error:.1e}: a pole must lie at 0, tails must end")

    def cdf(self, z: np.ndarray) -> np.ndarray:
        """P(Z <= z), any shape; accurate in the lower tail."""
        return self._by_block(lambda part: self._one_side(part, upper=False), z)

    def sf(self, z: np.ndarray) -> np.ndarray:
        """P(Z > z), any shape; accurate in the upper tail."""
        return self._by_block(lambda part: self._one_side(part, upper=True), z)

    def quantile(self, p: np.ndarray) -> np.ndarray:
        """Inverse of ``cdf``, any shape; the ends of the support for 0 and 1. Raises ``ValueError`` outside [0, 1]."""
        return self._inverted(p, swapped=False)

    def isf(self, p: np.ndarray) -> np.ndarray:
        """Inverse of ``sf``, that is ``quantile(1 - p)`` without loss of precision for a small ``p``."""
        return self._inverted(p, swapped=True)

    @cached_property
    def std(self) -> float:
        """Standard deviation; infinite when the second moment diverges."""
        mean = self._moment(lambda z: z, odd=True)
        variance = self._moment(lambda z: np.square(z - mean), odd=False) if math.isfinite(mean) else math.inf
        return math.sqrt(variance)

    @cached_property
    def table(self) -> InverseTable:
        """The sampler's table, built and verified once."""
        return InverseTable.build(self.quantile, self.isf, self.cdf, self.sf, self.density)

    @property
    def sampler_error(self) -> float:
        """What ``table`` gives for u is a quantile of some u' with \\|u' - u\\| at most this; below 2^-25."""
        return self.table.error + self.u_error

    @property
    def log_normaliser(self) -> float:
        """Log of the integral of exp(log_density) over the support."""
        return math.log(self._total) + self._shift

    def density(self, z: np.ndarray) -> np.ndarray:
        """The normalised density, any shape; 0 outside the support."""
        z = np.asarray(z, dtype=np.float64)
        inside = (z >= self.support[0]) & (z <= self.support[1]) & np.isfinite(z)
        values = np.zeros(z.shape)
        values[inside] = self._values(z[inside]) / self._total
        return values

    def _values(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", under="ignore"):
            return np.exp(self._log(z) - self._shift)

    def _log(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            log = np.asarray(self._log_density(z), dtype=np.float64)
        if log.shape != z.shape:
            raise ValueError(f"log_density returned shape {log.shape} for z of shape {z.shape}")
        bad = np.isnan(log) | (log == math.inf)
        if np.any(bad):
            raise ValueError(
                f"log_density is {log[bad].flat[0]} at z = {z[bad].flat[0]:.6g} (a pole may lie at 0 only)"
            )
        return log

    def _largest_log_density(self) -> float:
        edges = self._edges(FAR)
        largest = float(np.max(self._log((edges[:-1] + edges[1:]) / 2)))
        if largest == -math.inf:
            raise ValueError(f"log_density is -inf in the whole support {self.support}")
        return largest

    def _edges(self, far: int) -> np.ndarray:
        """First panels: quarters of octaves about 0 within the support, and 64 equal ones where it is finite."""
        low, high = self.support
        octaves = np.ldexp(1.0, np.arange(NEAR, far))
        quarters = np.append(np.concatenate([octaves * part for part in (1.0, 1.25, 1.5, 1.75)]), np.ldexp(1.0, far))
        points = np.concatenate([-quarters, [0.0], quarters])
        if math.isfinite(low) and math.isfinite(high):
            points = np.concatenate([points, np.linspace(low, high, 65)])
        ends = [end for end in self.support if math.isfinite(end)]
        return np.unique(np.concatenate([points[(points > low) & (points < high)], ends]))

    def _integrated(self) -> tuple[Panels, float]:
        """Panels, and the share of the mass beyond them."""
        for far in (FAR, FARTHEST):
            panels = integrate(self._values, self._edges(far))
            total = math.fsum(panels.mass)
            if not 0 < total < math.inf:
                raise ValueError("the density cannot be normalised")
            rest = sum(_beyond(panels.edges, panels.mass, side) for side in self._open_sides())
            if rest <= CUT_MASS / 16 * total and not (far == FARTHEST and self._overflows()):
                return panels, rest / total
        raise ValueError(
            "the tails are too heavy: more than 2^-53 of the mass lies beyond 2^500, or log_density overflows"
        )

    def _overflows(self) -> bool:
        """The log density breaks down to -inf somewhere between FAR and FARTHEST: its formula overflows there."""
        far, farthest = (np.array([side * math.ldexp(1.0, j) for side in self._open_sides()]) for j in (FAR, FARTHEST))
        return bool(np.any(np.isfinite(self._log(far)) & np.isneginf(self._log(farthest))))

    def _open_sides(self) -> list[int]:
        return [side for side, end in zip((-1, 1), self.support, strict=True) if math.isinf(end)]

    def _stated_error(self) -> float:
        edges, share = self._panels.edges, self._panels.mass / self._total
        middles = (edges[:-1] + edges[1:]) / 2
        log = self._log(middles)
        spacing = np.max(np.spacing(np.abs(middles)) * self.density(middles))
        rounding = EPSILON * math.fsum(
            share * np.where(np.isfinite(log), np.abs(log) + np.abs(log - self._shift) + 16.0, 0.0)
        )
        return SAFETY * (math.fsum(self._panels.error) / self._total + self._cut + float(spacing) + rounding)

    def _moment(self, power: Callable[[np.ndarray], np.ndarray], odd: bool) -> float:
        """Expectation of ``power``, an odd or even power about the centre; inf where the tails make it diverge."""

        def integrand(z: np.ndarray) -> np.ndarray:
            values = self._values(z)
            return np.asarray(np.multiply(power(z), values, out=np.zeros_like(z), where=values > 0))

        edges = self._panels.edges
        with np.errstate(over="ignore"):
            parts = gauss(integrand, edges[:-1], edges[1:])
        rest = [(side if odd else 1) * _beyond(edges, np.abs(parts), side) for side in self._open_sides()]
        if not all(math.isfinite(value) for value in rest):
            return math.inf
        return (math.fsum(parts) + sum(rest)) / self._total

    def _by_block(self, function: Callable[[np.ndarray], np.ndarray], values: np.ndarray) -> np.ndarray:
        flat = np.asarray(values, dtype=np.float64).ravel()
        blocks = [function(flat[start : start + BLOCK]) for start in range(0, len(flat), BLOCK)]
        return np.concatenate(blocks).reshape(np.shape(values)) if blocks else np.zeros(np.shape(values))

    def _inverted(self, p: np.ndarray, swapped: bool) -> np.ndarray:
        p = np.asarray(p, dtype=np.float64)
        if not np.all((p >= 0) & (p <= 1)):
            raise ValueError("probabilities must lie in [0, 1]")
        far = p > 0.5
        mass = np.where(far, 1.0 - p, p)
        z = self._by_block(lambda part: self._inverse(part, upper=swapped), mass)
        if np.any(far):
            z = np.where(far, self._by_block(lambda part: self._inverse(part, upper=not swapped), mass), z)
        first, last = self.support[::-1] if swapped else self.support
        return np.where(p == 0, first, np.where(p == 1, last, z))

    def _one_side(self, z: np.ndarray, upper: bool) -> np.ndarray:
        edges = self._panels.edges
        z = np.clip(z, edges[0], edges[-1])
        i = np.clip(np.searchsorted(edges, z, side="right") - 1, 0, len(edges) - 2)
        below = self._below[i] + gauss(self._values, edges[i], z) / self._total
        above = self._above[i + 1] + gauss(self._values, z, edges[i + 1]) / self._total
        here, there = (above, below) if upper else (below, above)
        return np.clip(np.where(here <= 0.5, here, 1.0 - there), 0.0, 1.0)

    def _inverse(self, mass: np.ndarray, upper: bool) -> np.ndarray:
        """z with lower (upper) tail ``mass``, by Newton's method in one panel, halving where it leaves the bracket."""
        edges = self._panels.edges
        if upper:
            i = np.clip(len(edges) - 1 - np.searchsorted(self._above[::-1], mass, side="left"), 0, len(edges) - 2)
            left = self._panels.mass[i] - (mass - self._above[i + 1]) * self._total
        else:
            i = np.clip(np.searchsorted(self._below, mass, side="left") - 1, 0, len(edges) - 2)
            left = (mass - self._below[i]) * self._total
        start, low, high = edges[i], edges[i].copy(), edges[i + 1].copy()
        z = low + (high - low) * np.clip(left / np.maximum(self._panels.mass[i], 1e-300), 0.0, 1.0)
        for _ in range(200):
            excess = gauss(self._values, start, z) - left
            low, high = np.where(excess <= 0, z, low), np.where(excess >= 0, z, high)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                step = z - excess / self._values(z)
            inside = (step > low) & (step < high)
            new = np.where(inside, step, (low + high) / 2)
            if np.all((np.abs(new - z) <= 2 * np.spacing(np.abs(z))) | (high <= low)):
                break
            z = new
        return np.asarray(z)


def _beyond(edges: np.ndarray, parts: np.ndarray, side: int) -> float:
    """What lies beyond the last edge on a side, from the ratio of the last two octaves; inf where they do not fall."""
    middles = side * (edges[:-1] + edges[1:]) / 2
    end = abs(float(edges[0 if side < 0 else -1]))
    last = math.fsum(parts[middles > end / 2])
    previous = math.fsum(parts[(middles > end / 4) & (middles < end / 2)])
    if last == 0:
        return 0.0
    return last * last / (previous - last) if last < previous * (1 - 1e-6) else math.inf
