"""Limits (pA, pB) along one ray: a binary search over its rows, then over halvings of the interval that is left."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from robustbench_rs_plugins.solvers.neyman_pearson.curves import Curves
from robustbench_rs_plugins.solvers.neyman_pearson.lattice import Lattice
from robustbench_rs_plugins.solvers.neyman_pearson.question import ROUNDING
from robustbench_rs_plugins.solvers.neyman_pearson.staircase import Staircase


class TwoSided:
    """Certified at a shift: g(pA) + g(1 - pB) > 1. Steps between rows are those of :mod:`staircase`, for both terms.

    ``falls``: T is known to fall along the ray; else every row is looked at, and the first failure counts.
    """

    def __init__(self, curves: Curves, lattice: Lattice, *, falls: bool) -> None:
        self._curves = curves
        self._falls = falls
        self._main = np.flatnonzero(np.isfinite(curves.refuted))
        stairs = Staircase(curves, lattice)
        ends = curves.radius[self._main]
        halvings = [stairs.halvings(*interval) for interval in pairwise(ends.tolist())]
        self._halvings = np.full((len(ends), max(map(len, halvings), default=0)), -1)
        for i, rows in enumerate(halvings):
            self._halvings[i, : len(rows)] = rows

    def radius(self, top: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """The largest radius found certified (m,)."""
        place = self._last_certified(top, rest)
        at = self._main[place]
        radius = self._curves.radius[at].copy()
        for row in self._halvings[place].T:
            moved = self._curves.left(row, top), self._curves.left(row, rest)
            good = (row >= 0) & self._certified(at, *moved)
            top, rest = np.where(good, moved[0], top), np.where(good, moved[1], rest)
            radius += np.where(good, self._curves.radius[row], 0.0)
        return np.asarray(radius)

    def upper(self, top: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """The smallest radius found not certified (m,); infinite where there is none."""
        place = self._first_refuted(top, rest)
        known = place < len(self._main)
        place = np.where(known, place, 1)
        at = self._main[place]
        left, other = self._curves.above(at, top), self._curves.above(at, rest)
        radius = self._curves.radius[at].copy()
        for row in self._halvings[place - 1].T:
            before = self._curves.needed(row, left), self._curves.needed(row, other)
            good = (row >= 0) & (before[0] + before[1] <= 1.0 - ROUNDING)
            left, other = np.where(good, before[0], left), np.where(good, before[1], other)
            radius -= np.where(good, self._curves.radius[row], 0.0)
        return np.where(known, radius, np.inf)

    def _certified(self, at: np.ndarray | int, top: np.ndarray, rest: np.ndarray) -> np.ndarray:
        return np.asarray(self._curves.left(at, top) + self._curves.left(at, rest) > 1.0 + ROUNDING)

    def _refuted(self, at: np.ndarray | int, top: np.ndarray, rest: np.ndarray) -> np.ndarray:
        return np.asarray(self._curves.above(at, top) + self._curves.above(at, rest) <= 1.0 - ROUNDING)

    def _last_certified(self, top: np.ndarray, rest: np.ndarray) -> np.ndarray:
        rows = len(self._main)
        low, high = np.zeros(top.shape, dtype=np.intp), np.full(top.shape, rows)
        if not self._falls:
            for row in range(rows - 1, 0, -1):
                high = np.where(self._certified(self._main[row], top, rest), high, row)
            return high - 1
        while np.any(high - low > 1):
            middle = (low + high) // 2
            good = self._certified(self._main[middle], top, rest)
            low, high = np.where(good, middle, low), np.where(good, high, middle)
        return low

    def _first_refuted(self, top: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """Places among the main rows, their number where none refutes; at least 1."""
        low, high = np.zeros(top.shape, dtype=np.intp), np.full(top.shape, len(self._main))
        while np.any(high - low > 1):
            middle = (low + high) // 2
            bad = self._refuted(self._main[middle], top, rest)
            low, high = np.where(bad, low, middle), np.where(bad, middle, high)
        return high
