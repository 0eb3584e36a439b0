"""One ray of a table while it is built: its rows so far, and the steps between them."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from robustbench_rs.statistics.tradeoff import Blend, Stretch
from robustbench_rs_plugins.solvers.neyman_pearson import bends
from robustbench_rs_plugins.solvers.neyman_pearson.accounts import Accounts
from robustbench_rs_plugins.solvers.neyman_pearson.curves import (
    NEVER,
    Curves,
    Row,
    no_shift,
    p_grid,
    step_row,
    whole_row,
)
from robustbench_rs_plugins.solvers.neyman_pearson.lattice import Lattice
from robustbench_rs_plugins.solvers.neyman_pearson.question import NEARLY_ONE
from robustbench_rs_plugins.solvers.neyman_pearson.staircase import Staircase
from robustbench_rs_plugins.solvers.neyman_pearson.survey import Course

LINE_SHARE, STAIR_SHARE = 0.65, 0.8
"""Of the tolerance, for what radii lose between two rows by interpolation, and radii and upper values by steps."""
BETTER = 3.0
"""Interpolation loses so many times less at least in half an interval; four times in the limit."""
BLEND_WORK = 1.7
"""What a curve of :mod:`robustbench_rs.statistics.tradeoff.blend` costs."""
LOOKS = 9
"""Places of an interval at which rays are compared."""
WORTHWHILE = 2.0
"""Steps that lose so many times more than interpolation are not tried in shorter intervals: what they lose falls less
there."""


@dataclass(frozen=True, order=True)
class Interval:
    """Between two rows of strand number ``strand``; ``rank`` orders by what is lost, the most first. ``steps``: to be
    tried between them."""

    rank: float
    strand: int
    first: float
    last: float
    steps: bool


class Interpolated(NamedTuple):
    """The pA that are enough, by interpolation; by how many places the bend puts the one in the middle off."""

    enough: np.ndarray
    short: int


class Filled(NamedTuple):
    """Some ``places`` of an interval and the pA that are ``enough`` there; what is ``lost``, as a multiple of what may
    be; whether ``steps`` may be of use in its halves."""

    places: np.ndarray
    enough: np.ndarray
    lost: float
    steps: bool


class Strand:
    """``enough``, ``barely``: as in :class:`Table`, for this ray alone at ``places``, once :meth:`fill` has seen every
    interval.

    ``points``: radii of the rows that are a table's own, ascending; they begin at 0 or where the ray begins to matter.
    """

    def __init__(self, accounts: Accounts, course: Course, lattice: Lattice, stretch: Stretch, blend: Blend) -> None:
        self.ray = course.ray
        self.points: list[float] = []
        self._quantiles: list[float] = []
        self.open = math.isinf(course.last)
        self._accounts = accounts
        self._lattice = lattice
        self._blend = blend
        self._edges = p_grid(accounts, self.ray, course.first)
        self._rows: dict[float, Row] = {}
        self._bridges = bends.Bridges(accounts.law, self.ray, stretch, blend)
        self._spans: dict[tuple[float, float], bends.Bridge] = {}
        # Steps serve near 0, where there is nothing else, and where they lose little.
        self._stepped = course.first < lattice.base / 2 or not self._bridges.known or accounts.law.log_concave
        self._start(course)

    def _start(self, course: Course) -> None:
        """The first rows: at both ends, where there are any, and at powers of two; and those that only serve as steps,
        as sharp as the row after them must be."""
        first, last = (_octaves(course) if self._stepped else course)[1:]
        if first < self._lattice.base / 2:
            self.points, self._quantiles, self._rows[0.0] = [0.0], [0.0], no_shift(self._edges)
            first = self._lattice.base / 2
        self.add(first)
        if self._stepped:
            step = first
            while step > self._lattice.smallest:
                step /= 2
                self._rows[step] = step_row(self._accounts, self.ray, step, self._edges)
        while math.isfinite(last) and self.points[-1] < last:
            self.add(min(_power_above(self.points[-1]), last))

    @property
    def curves(self) -> Curves:
        bridges = [self._bridge(*interval) for interval in pairwise(self.points)]
        return Curves.stack(self._edges, self._rows, self._bridges.bend, np.array(bridges, dtype=np.float64))

    def p_star(self, radius: float) -> float:
        return self._rows[radius].p_star

    @property
    def places(self) -> slice:
        """Those that are looked at here."""
        first = self._lattice.index(self.points[0])
        return slice(first, first + len(self.enough))

    def quantiles(self, places: np.ndarray) -> np.ndarray:
        """About the normal quantiles of p_star (n,) at ``places``; -inf at those that are not looked at here.

        Between rows far apart what is known to be enough may tell more than the rows.
        """
        here = places - self.places.start
        known = ndtri(np.minimum(self.enough[np.clip(here, 0, len(self.enough) - 1)], 1.0))
        between = np.interp(self._lattice.radius(places), self.points, self._quantiles)
        return np.where((here >= 0) & (here < len(self.enough)), np.minimum(between, known), -np.inf)

    def add(self, radius: float) -> None:
        self._rows[radius] = whole_row(self._accounts, self.ray, radius, self._edges)
        place = bisect_left(self.points, radius)
        self.points.insert(place, radius)
        self._quantiles.insert(place, float(ndtri(min(self.p_star(radius), NEARLY_ONE))))

    def prepare(self) -> None:
        """Call when the first rows are there."""
        if self._stepped:
            self._stairs = Staircase(Curves.stack(self._edges, self._rows), self._lattice)
        size = self._place(self.points[-1]) + 1
        self.enough, self.barely = np.full(size, NEVER), np.zeros(size)
        self.enough[-1], self.barely[0] = self.p_star(self.points[-1]), self._rows[self.points[0]].refuted

    def missed(self, radius: float) -> float:
        """What the radius of the pA that a row, just added, needs was short by, as a multiple of what it may be."""
        place = self._place(radius)
        known = np.flatnonzero(self.enough[:place] < self.p_star(radius))
        return self._lost(place - 1 - int(known[-1] if len(known) else 0), LINE_SHARE, radius, radius)

    def fill(self, first: float, last: float, before: float, steps: bool) -> Filled:
        """Fill the places between two rows.

        By steps: a pA just below what ``last`` needs gets the last step below it; one just above what ``first``
        refutes is refuted only at the first step that reaches it. Interpolation loses most in the middle: it is judged
        by what was :meth:`missed` ``before`` there, in an interval of twice the length.
        """
        start, stop = self._place(first), self._place(last)
        enough, barely, lost = np.full(stop - start, NEVER), np.zeros(stop - start), math.inf
        enough[0], barely[-1] = self.p_star(first), self._rows[last].refuted
        if steps and self._stepped:
            enough, barely, lost = self._steps(first, last)
        by_steps = lost
        bridge = self._bridge(first, last)
        if math.isfinite(bridge.bend):
            between = self._interpolated(first, last, bridge, len(enough))
            lost = min(lost, max(before / BETTER, self._lost(between.short, LINE_SHARE, first, last)))
            enough = np.minimum(enough, between.enough)
        np.minimum(self.enough[start:stop], enough, out=self.enough[start:stop])
        np.maximum(self.barely[start + 1 : stop + 1], barely, out=self.barely[start + 1 : stop + 1])
        some = np.unique(np.linspace(start, stop - 1, LOOKS).astype(np.intp))
        lost = lost if len(enough) > 1 else 0.0
        return Filled(some + self.places.start, self.enough[some], lost, by_steps <= WORTHWHILE * lost)

    def _bridge(self, first: float, last: float) -> bends.Bridge:
        if (first, last) not in self._spans:
            row = self._rows[first]
            cell = int(np.searchsorted(self._edges, row.p_star, side="right")) - 1
            slope = float(row.slope[min(cell, len(row.slope) - 1)])
            fall = slope * (self.p_star(last) - row.p_star)
            allowed = fall * self._accounts.width(last) / (last - first)
            before = self._blend.curves
            self._spans[first, last] = self._bridges.between(first, last, slope, fall, allowed)
            self._accounts.work += BLEND_WORK * (self._blend.curves - before)
        return self._spans[first, last]

    def _interpolated(self, first: float, last: float, bridge: bends.Bridge, places: int) -> Interpolated:
        share, middle = np.arange(places) / places, places // 2
        rows, width = (self._rows[first], self._rows[last]), last - first
        found = bends.enough(*rows, share, bridge, width)
        straight = bends.enough(*rows, share[middle : middle + 1], bridge._replace(bend=0.0, late=0.0, off=0.0), width)
        return Interpolated(found, middle - int(np.searchsorted(found[:middle], straight[0], side="left")))

    def _steps(self, first: float, last: float) -> tuple[np.ndarray, np.ndarray, float]:
        enough = self._stairs.enough(first, last, self.p_star(first))
        barely = self._stairs.not_enough(first, last, self._rows[last])
        # Where T may rise again the first failure counts, also one at `first`.
        short = int(np.count_nonzero(enough[1:] >= max(self.p_star(last), self.p_star(first))))
        late = int(np.count_nonzero(barely[:-1] <= min(self._rows[first].refuted, self._rows[last].refuted)))
        return enough, barely, self._lost(max(short, late), STAIR_SHARE, first, last)

    def refute(self) -> None:
        """Call when all rows are there: upper values between them by extrapolation, from either side."""
        if not math.isfinite(self._bridges.bend):
            return
        rows = [radius for radius in self.points if radius > 0]  # radius 0 has no optimistic curve
        for i in range(1, len(rows)):
            for at, beyond in ((i, i + 1), (i - 1, i - 2)):
                if 0 <= beyond < len(rows):
                    self._refute(rows[i - 1], rows[i], rows[at], rows[beyond])

    def _refute(self, first: float, last: float, at: float, beyond: float) -> None:
        start, stop = self._lattice.index(first) + 1, self._lattice.index(last) + 1
        away = np.abs(self._lattice.radius(np.arange(start, stop)) - at)
        apart = abs(beyond - at)
        missed = self._bridges.bend / 2 * away * (apart + away)
        found = bends.not_enough(self._edges, self._rows[at], self._rows[beyond], away / apart, missed)
        here = self.barely[self._place(first) + 1 : self._place(last) + 1]
        np.maximum(here, found, out=here)

    def _place(self, radius: float) -> int:
        """Of a lattice radius, from the first of ``places``."""
        return self._lattice.index(radius) - self._lattice.index(self.points[0])

    def _lost(self, places: int, share: float, first: float, last: float) -> float:
        """So many places between two rows, as a multiple of this share of the tolerance at the farther one."""
        return places * self._lattice.unit_above(first) / (share * self._accounts.width(last))


def _octaves(course: Course) -> Course:
    """The same, or more, from and to powers of two: steps fill no other intervals."""
    first, last = course.first, course.last
    if math.isfinite(last) and math.frexp(last)[0] > 0.5:
        last = _power_above(last)
    return Course(course.ray, _power_above(first) / 2 if first > 0 else first, last)


def _power_above(radius: float) -> float:
    """The next power of two."""
    return math.ldexp(1.0, math.frexp(radius)[1])
