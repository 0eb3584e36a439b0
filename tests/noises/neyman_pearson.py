"""Brute force: the exact certificate of a shift, by Neyman and Pearson's lemma on cells.

Space is cut into boxes whose masses under the noise (P) and under the shifted noise (Q) are products of differences of
the cdf. ``merged`` takes a box as one atom: less informative, so the worst case looks better than it is. ``split``
takes it as two atoms at its extreme likelihood ratios with both masses kept: more informative, so the worst case looks
worse than it is. The truth lies between. The two unbounded cells are taken at the ratios near their edge, which is
exact for Laplace and neglects a mass below 1e-14 for a Gaussian cut at 8 sigma. Nothing here knows a closed form.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from robustbench_rs.api import ProductNoise


@dataclass(frozen=True)
class Atoms:
    """Masses under P and Q."""

    p: np.ndarray
    q: np.ndarray

    def lowest(self, mass: float) -> float:
        """Smallest Q-mass of a (randomised) region of P-mass ``mass``."""
        order = np.argsort(self.q / np.where(self.p > 0, self.p, np.nan))  # NaN, that is P-mass 0, comes last
        p, q = self.p[order], self.q[order]
        before = np.cumsum(p) - p
        share = np.clip((mass - before) / np.where(p > 0, p, np.inf), 0.0, 1.0)
        return float(np.sum(share * q))

    def certified(self, p_lower: float, p_upper: float | None = None) -> bool:
        """The class keeps its lead over every other region, for every base classifier with these limits."""
        top = self.lowest(p_lower)
        other = 0.5 if p_upper is None else float(np.sum(self.q)) - self.lowest(1 - p_upper)
        return top > other


@dataclass(frozen=True)
class Axis:
    """One coordinate's cells: masses, and the extreme likelihood ratios in each."""

    p: np.ndarray
    q: np.ndarray
    low: np.ndarray
    high: np.ndarray


def axis(noise: ProductNoise, shift: float, inner: np.ndarray) -> Axis:
    """Cells of one coordinate with edges at ``inner``, at the shifted ones, and at infinity (input units)."""
    edges = np.unique(np.concatenate([inner, inner + shift]))
    z, moved = edges / noise.scale, (edges - shift) / noise.scale
    p = np.diff(noise.cdf(z), prepend=0.0, append=1.0)
    q = np.diff(noise.cdf(moved), prepend=0.0, append=1.0)
    inside = np.concatenate([[edges[0] - 1], (edges[:-1] + edges[1:]) / 2, [edges[-1] + 1]])
    near = np.stack([np.concatenate([[edges[0] - 1], edges]), np.concatenate([edges, [edges[-1] + 1]])])
    near = near + (inside - near) * 1e-9  # the ratio inside the cell, also where a density jumps at the edge
    with np.errstate(invalid="ignore"):
        log = noise.log_density((near - shift) / noise.scale) - noise.log_density(near / noise.scale)
    with np.errstate(over="ignore"):
        ratio = np.exp(np.nan_to_num(log, nan=0.0, posinf=np.inf, neginf=-np.inf))
    return Axis(p, q, ratio.min(axis=0), ratio.max(axis=0))


def merged(axes: list[Axis]) -> Atoms:
    """One atom per box."""
    return Atoms(_outer([a.p for a in axes]), _outer([a.q for a in axes]))


def split(axes: list[Axis]) -> Atoms:
    """Two atoms per box, at its extreme ratios; where they are equal (or a mass vanishes) one atom is exact."""
    p, q = _outer([a.p for a in axes]), _outer([a.q for a in axes])
    low, high = _outer([a.low for a in axes]), _outer([a.high for a in axes])
    wide = (p > 0) & (q > 0) & (high > low * (1 + 1e-6)) & np.isfinite(high)
    low, high = np.where(wide, low, 0.0), np.where(wide, high, 1.0)
    above = np.where(wide, np.clip((q - low * p) / (high - low), 0.0, p), 0.0)
    below = p - above
    return Atoms(np.concatenate([below, above]), np.concatenate([np.where(wide, low * below, q), high * above]))


def _outer(parts: list[np.ndarray]) -> np.ndarray:
    return reduce(lambda a, b: np.multiply.outer(a, b).ravel(), parts)
