"""Limits (pA, pB) along one ray: a binary search over its rows, then steps and interpolation in the interval left."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from robustbench_rs_plugins.solvers.neyman_pearson.bends import allowance, lines_at
from robustbench_rs_plugins.solvers.neyman_pearson.curves import Curves
from robustbench_rs_plugins.solvers.neyman_pearson.lattice import Lattice
from robustbench_rs_plugins.solvers.neyman_pearson.question import ROUNDING
from robustbench_rs_plugins.solvers.neyman_pearson.staircase import Staircase

BETWEEN = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Lines tried: from the one that is best at the first row to the one that is best at the next."""
CLOSE = 1 / 16
"""Rows at a smaller share of their radius apart are left to interpolation."""
INSIDE = 1.0 - 1e-9
"""A root is not trusted to the last digits."""


class TwoSided:
    """Certified at a shift: g(pA) + g(1 - pB) > 1. Between rows as in :mod:`staircase` and :mod:`bends`, for both.

    ``falls``: T is known to fall along the ray; else every row is looked at, and the first failure counts. Nothing is
    said of radii before the first row and beyond the last one.
    """

    def __init__(self, curves: Curves, lattice: Lattice, *, falls: bool) -> None:
        self._curves = curves
        self._falls = falls
        self._main = np.flatnonzero(np.isfinite(curves.refuted))
        self._ends = curves.radius[self._main]
        self._certain = 0 if self._ends[0] == 0 else -1
        self._before = float(lattice.radius(np.array(max(lattice.index(float(self._ends[0])) - 1, 0))))
        stairs = Staircase(curves, lattice)
        stepped = len(self._main) < len(curves.radius)
        halvings = [stairs.halvings(*interval) if stepped else [] for interval in pairwise(self._ends.tolist())]
        self._halvings = np.full((len(self._ends), max(map(len, halvings), default=0)), -1)
        for i, rows in enumerate(halvings):
            self._halvings[i, : len(rows)] = rows
        self._units = np.array([lattice.unit_above(radius) for radius in self._ends.tolist()])
        # Rows lie close only where steps do not do.
        self._bridged = np.isfinite(curves.bridges[:, 0])
        self._by_steps = np.append(~self._bridged | (np.diff(self._ends) > CLOSE * self._ends[:-1]), True)
        if np.any(self._bridged):
            self._next = np.stack([self._at_next_row(i) for i in range(len(self._main) - 1)])
            self._cell = np.stack([self._best_at_next_row(i) for i in range(len(self._main) - 1)])

    def radius(self, top: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """The largest radius found certified (m,): just before the first row where that is not, and infinite where the
        last one is."""
        found = self._last_certified(top, rest)
        place = np.maximum(found, 0)
        radius = self._interpolated(place, top, rest)
        here = np.flatnonzero(self._by_steps[place])
        radius[here] = np.maximum(radius[here], self._stepped_out(place[here], top[here], rest[here]))
        radius[found < 0] = self._before
        radius[found == len(self._main) - 1] = np.inf
        return radius

    def upper(self, top: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """The smallest radius found not certified (m,); infinite where there is none."""
        found = self._first_refuted(top, rest)
        place = np.clip(found, 1, len(self._main) - 1)
        radius = self._extrapolated(place, top, rest)
        here = np.flatnonzero(self._by_steps[place - 1])
        radius[here] = np.minimum(radius[here], self._stepped_in(place[here], top[here], rest[here]))
        radius[found == 0] = self._ends[0]
        radius[found == len(self._main)] = np.inf
        return radius

    def _stepped_out(self, place: np.ndarray, top: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """The longest sum of steps from a certified row that is certified."""
        at = self._main[place]
        radius = self._curves.radius[at]
        for row in self._halvings[place].T:
            moved = self._curves.left(row, top), self._curves.left(row, rest)
            good = (row >= 0) & self._certified(at, *moved)
            top, rest = np.where(good, moved[0], top), np.where(good, moved[1], rest)
            radius = radius + np.where(good, self._curves.radius[row], 0.0)
        return np.asarray(radius)

    def _stepped_in(self, place: np.ndarray, top: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """A refuted row, less the longest sum of steps that leaves it so."""
        at = self._main[place]
        left, other = self._curves.above(at, top), self._curves.above(at, rest)
        radius = self._curves.radius[at]
        for row in self._halvings[place - 1].T:
            before = self._curves.needed(row, left), self._curves.needed(row, other)
            good = (row >= 0) & (before[0] + before[1] <= 1.0 - ROUNDING)
            left, other = np.where(good, before[0], left), np.where(good, before[1], other)
            radius = radius - np.where(good, self._curves.radius[row], 0.0)
        return np.asarray(radius)

    def certified(self, radius: np.ndarray, top: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """Whether the first row at or beyond ``radius`` (m,), or the last one, is certified, so that :meth:`radius` is
        not less; if T falls."""
        place = np.minimum(np.searchsorted(self._ends, radius), len(self._ends) - 1)
        return np.asarray(self._falls & self._certified(self._main[place], top, rest))

    def refuted(self, radius: np.ndarray, top: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """Whether the first row at or beyond ``radius`` (m,) is refuted; if not, nothing shorter was found to be."""
        place = np.minimum(np.searchsorted(self._ends, radius), len(self._ends) - 1)
        return np.asarray(self._refuted(self._main[place], top, rest))

    def _at_next_row(self, i: int) -> np.ndarray:
        """Intercepts of lines below the next row's curve, with ``ratio`` times the slopes of the ``i``-th row's."""
        slopes = self._curves.bridges[i, 1] * self._curves.slope[self._main[i]]
        return lines_at(self._curves.row(int(self._main[i + 1])), slopes)

    def _best_at_next_row(self, i: int) -> np.ndarray:
        """For each cell the one of the ``i``-th row's lines that goes with the next row's line there."""
        own, other = (np.maximum.accumulate(self._curves.slope[at]) for at in self._main[i : i + 2])
        own = own * self._curves.bridges[i, 1]
        return np.minimum(np.searchsorted(own, other), len(own) - 1)

    def _interpolated(self, place: np.ndarray, top: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """With one line for each term, what is left falls along a parabola between two rows: its first zero."""
        found: np.ndarray = self._ends[place].copy()
        inside = np.flatnonzero(place < len(self._ends) - 1)
        inside = inside[self._bridged[place[inside]]]
        if not (self._falls and len(inside)):
            return found
        place, limits = place[inside], (top[inside], rest[inside])
        width = self._ends[place + 1] - self._ends[place]
        bend, ratio, fixed, late, off = self._curves.bridges[place].T
        cells = [self._curves.cell(p) for p in limits]
        share = np.zeros(len(place))
        for part in BETWEEN:
            start, end = np.full(len(place), -1.0 - ROUNDING), np.full(len(place), -1.0 - ROUNDING)
            dip = np.zeros(len(place))
            for p, cell in zip(limits, cells, strict=True):
                line = np.rint(cell + part * (self._cell[place, cell] - cell)).astype(np.intp)
                slope = self._curves.slope[self._main[place], line]
                start += slope * p + self._curves.intercept[self._main[place], line]
                end += ratio * slope * p + self._next[place, line]
                dip += allowance(bend, fixed > 0, slope) / 2 * width**2
            behind = late * np.maximum(start - end, 0.0) + 2.0 * off
            share = np.maximum(share, _first_zero(start - behind, end - behind, dip))
        unit = self._units[place]
        found[inside] += np.minimum(np.floor(share * INSIDE * width / unit), np.rint(width / unit) - 1) * unit
        return found

    def _extrapolated(self, place: np.ndarray, top: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """What the worst classifiers of a refuted row keep before it, from what they keep at the row after it."""
        found: np.ndarray = self._ends[place].copy()
        inside = np.flatnonzero(place < len(self._ends) - 1)
        if not (math.isfinite(self._curves.bend) and len(inside)):
            return found
        place, top, rest = place[inside], top[inside], rest[inside]
        at, after = self._main[place], self._main[place + 1]
        here = self._curves.above(at, top) + self._curves.above(at, rest) - 1.0 + ROUNDING
        later = self._curves.left(after, top) + self._curves.left(after, rest) - 1.0 - ROUNDING
        apart = self._ends[place + 1] - self._ends[place]
        rise = np.maximum((here - later) / apart + self._curves.bend * apart, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            away = -2.0 * here / (rise + np.sqrt(rise**2 - 4.0 * self._curves.bend * np.minimum(here, 0.0)))
        unit = self._units[place - 1]
        before = self._ends[place] - self._ends[place - 1]
        steps = np.floor(np.where(here < 0, away, 0.0) * INSIDE / unit)
        found[inside] -= np.minimum(steps, np.rint(before / unit) - 1) * unit
        return found

    def _certified(self, at: np.ndarray | int, top: np.ndarray, rest: np.ndarray) -> np.ndarray:
        return np.asarray(self._curves.left(at, top) + self._curves.left(at, rest) > 1.0 + ROUNDING)

    def _refuted(self, at: np.ndarray | int, top: np.ndarray, rest: np.ndarray) -> np.ndarray:
        return np.asarray(self._curves.above(at, top) + self._curves.above(at, rest) <= 1.0 - ROUNDING)

    def _last_certified(self, top: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """Places among the main rows, -1 where even the first one is not."""
        if self._falls:
            return self._last(lambda row: self._certified(row, top, rest), len(top))
        failed = np.full(top.shape, len(self._main))
        for row in range(len(self._main) - 1, self._certain, -1):
            failed = np.where(self._certified(self._main[row], top, rest), failed, row)
        return failed - 1

    def _first_refuted(self, top: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """Places among the main rows, their number where none refutes."""
        return self._last(lambda row: ~self._refuted(row, top, rest), len(top)) + 1

    def _last(self, holds: Callable[[np.ndarray], np.ndarray], inputs: int) -> np.ndarray:
        """The places (``inputs``,) among the main rows of the last row of which something ``holds``; -1 for none."""
        low, high = np.full(inputs, self._certain), np.full(inputs, len(self._main))
        while np.any(high - low > 1):
            middle = (low + high) // 2
            good = (middle == low) | holds(self._main[np.maximum(middle, 0)])
            low, high = np.where(good, middle, low), np.where(good, high, middle)
        return low


def _first_zero(start: np.ndarray, end: np.ndarray, dip: np.ndarray) -> np.ndarray:
    """Of (1 - w) start + w end - dip w (1 - w) in w, at most 1; 0 where ``start`` is not positive."""
    fall = start - end + dip
    root = np.sqrt(np.maximum(fall**2 - 4.0 * dip * start, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        first = np.where(fall**2 < 4.0 * dip * start, 1.0, 2.0 * start / (fall + root))
    first = np.where((fall <= 0) & (end > 0), 1.0, first)
    return np.asarray(np.where(start > 0, np.clip(np.nan_to_num(first), 0.0, 1.0), 0.0))
