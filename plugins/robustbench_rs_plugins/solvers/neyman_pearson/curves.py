"""Trade-off curves along one ray, kept as numbers: lines below the pessimistic curve, chords above the optimistic one.

g(p) = T(1 - p), the probability left to a class that had p, is convex. A supporting line bounds it from below for every
p; a chord between two of its points from above. Both are kept per cell of one grid in p that all radii share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from robustbench_rs_plugins.solvers.neyman_pearson.accounts import Accounts, Curve
from robustbench_rs_plugins.solvers.neyman_pearson.rays import Ray

REACH = 6.0
"""The grid ends at Phi(+-6); beyond, the last cell goes on to 0 or 1."""
PROBES = (-2, 2, 6)
"""Octaves about the floor at whose radii the grid is adapted."""
HALVINGS = 12
MAX_CELLS = 2048
NARROWEST = 1e-6
ROUNDING = 2.0**-49
"""More than the rounding of a line, relative to its terms, and of its inverse."""
NOISE = 1e-14
"""About the rounding of a value of g; only a choice of lines depends on it."""
NO_BRIDGES = np.zeros((0, 5))
NEVER = 2.0
"""A probability that no class has."""


def p_grid(accounts: Accounts, ray: Ray, first: float = 0.0) -> np.ndarray:
    """Cell edges from 0 to 1, equidistant in normal quantiles, closer where curves of small shifts bend sharply, or of
    those of norm ``first`` if that is larger.

    A cell of width h there costs a Gaussian radius at most h^2 / 8 of itself.
    """
    tolerance = accounts.tolerance
    x = np.linspace(-REACH, REACH, 2 * round(REACH / np.sqrt(tolerance)) + 1)
    edges = np.concatenate([[0.0], ndtr(x), [1.0]])
    for radius in sorted({max(math.ldexp(accounts.floor, octaves), first) for octaves in PROBES}):
        edges = _refined(accounts.at(ray, radius), edges, tolerance / 2)
    return edges


def _refined(curve: Curve, edges: np.ndarray, share: float) -> np.ndarray:
    """Halve the cells in which the chord is off its parallel line by more than ``share`` of what the shift takes."""
    for _ in range(HALVINGS):
        left, middle = curve.left(edges), (edges[:-1] + edges[1:]) / 2
        slope, intercept = _lines(curve, edges)
        above = (left[:-1] + left[1:]) / 2
        wide = (above - slope * middle - intercept > share * (middle - above)) & (np.diff(edges) > NARROWEST)
        if not np.any(wide) or len(edges) > MAX_CELLS:
            break
        edges = np.sort(np.append(edges, middle[wide]))
    return edges


class Row(NamedTuple):
    """What is kept of the shift of one norm: p_star from both sides, a line per cell, optimistic g at the edges."""

    p_star: float
    refuted: float
    slope: np.ndarray
    intercept: np.ndarray
    roof: np.ndarray


def no_shift(edges: np.ndarray) -> Row:
    """The row of radius 0."""
    ones = np.ones(len(edges) - 1)
    return Row(0.5, 0.5, ones, 0.0 * ones - 2 * ROUNDING, edges)


def step_row(accounts: Accounts, ray: Ray, radius: float, edges: np.ndarray) -> Row:
    """Of the shift of norm ``radius`` > 0, without its optimistic half."""
    curve = accounts.at(ray, radius)
    return Row(curve.p_star(), math.nan, *_lines(curve, edges), edges)


def whole_row(accounts: Accounts, ray: Ray, radius: float, edges: np.ndarray) -> Row:
    """Of the shift of norm ``radius`` > 0."""
    curve, optimistic = accounts.pair(ray, radius)
    roof = np.maximum.accumulate(optimistic.left(edges))
    return Row(curve.p_star(), optimistic.p_star(), *_lines(curve, edges), roof)


def _lines(curve: Curve, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A supporting line for each cell, with the slope of the cell's chord.

    Where the curve is straight, as where the likelihood ratio has an atom, a slope that is too small by a rounding
    error gives a line that touches at the other end of the straight piece. So slopes just beside are tried too.
    """
    width, middle = np.diff(edges), (edges[:-1] + edges[1:]) / 2
    chord = np.maximum(np.diff(curve.left(edges)) / width, 0.0)
    best_slope, best = np.zeros(len(chord)), np.zeros(len(chord))  # g >= 0 is a line too
    for beside in (0.0, 1.0, -1.0):
        slope = np.maximum(chord + beside * (NOISE / width + NOISE * chord), 0.0)
        rising = slope > 0
        intercept = np.full(len(slope), -np.inf)
        intercept[rising] = curve.intercepts(np.log(slope[rising]))
        intercept -= ROUNDING * (slope + np.abs(intercept))
        better = slope * middle + intercept > best_slope * middle + best
        best_slope, best = np.where(better, slope, best_slope), np.where(better, intercept, best)
    return best_slope, best


@dataclass(frozen=True, eq=False)
class Curves:
    """Rows along one ray: radii (n,) ascending, and the fields of :class:`Row`, stacked; ``edges`` (j + 1,).

    ``bend``: how sharply what a classifier keeps may bend; ``bridges`` (k - 1, 5), from each of the k rows that are a
    table's own to the next one (:mod:`bends`).
    """

    edges: np.ndarray
    radius: np.ndarray
    p_star: np.ndarray
    refuted: np.ndarray
    slope: np.ndarray
    intercept: np.ndarray
    roof: np.ndarray
    bend: float
    bridges: np.ndarray

    @classmethod
    def stack(
        cls, edges: np.ndarray, rows: Mapping[float, Row], bend: float = math.inf, bridges: np.ndarray = NO_BRIDGES
    ) -> Curves:
        ordered = sorted(rows.items())
        p_star, refuted, slope, intercept, roof = (
            np.array(column) for column in zip(*(row for _, row in ordered), strict=True)
        )
        return cls(edges, np.array(list(dict(ordered))), p_star, refuted, slope, intercept, roof, bend, bridges)

    def row(self, at: int) -> Row:
        return Row(*(getattr(self, name)[at] for name in Row._fields))

    def left(self, at: np.ndarray | int, p: np.ndarray) -> np.ndarray:
        """Lower bounds of g(p) at rows ``at``, broadcast."""
        cell = self.cell(p)
        return np.asarray(np.maximum(self.slope[at, cell] * p + self.intercept[at, cell], 0.0))

    def needed(self, at: np.ndarray | int, kept: np.ndarray) -> np.ndarray:
        """p such that every larger p has g(p) > ``kept``: upper bounds of the inverse of g at rows ``at``, broadcast.

        Above 1 where no p is known to be enough.
        """
        first = self._last_begun(at, kept)
        best = np.full(kept.shape, NEVER)
        for cell in (first, np.minimum(first + 1, len(self.edges) - 2)):  # any line is a bound; these are the best
            slope = self.slope[at, cell]
            with np.errstate(divide="ignore", invalid="ignore"):
                p = (kept - self.intercept[at, cell]) / slope
            best = np.where(slope > 0, np.minimum(best, p * (1.0 + ROUNDING) + ROUNDING), best)
        return np.where(kept >= NEVER, NEVER, np.maximum(best, kept))

    def above(self, at: np.ndarray | int, p: np.ndarray) -> np.ndarray:
        """Upper bounds of g(p) at rows ``at``, broadcast: chords of the optimistic curve."""
        cell = self.cell(p)
        start, end = self.edges[cell], self.edges[cell + 1]
        first, last = self.roof[at, cell], self.roof[at, cell + 1]
        chord = first + (last - first) * ((p - start) / (end - start))
        return np.asarray(np.minimum(chord * (1.0 + ROUNDING) + ROUNDING, 1.0))

    def _last_begun(self, at: np.ndarray | int, kept: np.ndarray) -> np.ndarray:
        """The last cell at whose begin no more than ``kept`` is left."""
        if isinstance(at, int):
            return np.maximum(np.searchsorted(self._begins[at], kept, side="right") - 1, 0)
        at = np.broadcast_to(at, kept.shape)
        low, high = np.zeros(kept.shape, dtype=np.intp), np.full(kept.shape, len(self.edges) - 2)
        for _ in range(len(self.edges).bit_length()):
            middle = (low + high + 1) // 2
            begun = self._begins[at, middle] <= kept
            low, high = np.where(begun, middle, low), np.where(begun, high, np.maximum(middle - 1, 0))
        return low

    @cached_property
    def _begins(self) -> np.ndarray:
        """What the lines leave at the begins of their cells (n, j), ascending."""
        begins: np.ndarray = np.maximum.accumulate(self.slope * self.edges[:-1] + self.intercept, axis=1)
        return begins

    def cell(self, p: np.ndarray) -> np.ndarray:
        """The number of the cell that holds p."""
        return np.clip(np.searchsorted(self.edges, p, side="right") - 1, 0, len(self.edges) - 2)


def not_enough(edges: np.ndarray, roof: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """p such that g(p) <= ``kept``: lower bounds of the inverse of g by its chords, any shape."""
    return np.asarray(np.maximum(np.interp(kept, roof, edges) * (1.0 - ROUNDING) - ROUNDING, 0.0))
