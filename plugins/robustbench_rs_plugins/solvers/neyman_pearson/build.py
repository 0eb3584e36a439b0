"""Building a table: rows at powers of two, then halving where the steps between rows are not fine enough."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from robustbench_rs_plugins.solvers.neyman_pearson.accounts import Accounts
from robustbench_rs_plugins.solvers.neyman_pearson.curves import NEVER, Curves, Row, p_grid, row
from robustbench_rs_plugins.solvers.neyman_pearson.lattice import Lattice
from robustbench_rs_plugins.solvers.neyman_pearson.rays import Ray, falls_along_rays, proved_worst
from robustbench_rs_plugins.solvers.neyman_pearson.root import LARGEST
from robustbench_rs_plugins.solvers.neyman_pearson.staircase import Staircase
from robustbench_rs_plugins.solvers.neyman_pearson.survey import TOP, survey
from robustbench_rs_plugins.solvers.neyman_pearson.table import Table

STEP_SHARE = 0.125
GAP_SHARE, UPPER_SHARE = 0.5, 0.8
"""Of the tolerance: for the distance of a table's radii, and for what radii and upper values lose between two rows."""

MAX_ROWS = 3000
"""Per ray. Beyond, the table is less fine than wanted, which its upper values show."""


def build(accounts: Accounts, norm: float, dim: int) -> Table:
    """A table for every pair of limits, up to pA = ``TOP``; larger ones get its last radius."""
    known = proved_worst(accounts.law, norm, dim)
    lattice = Lattice.fine(accounts.floor, STEP_SHARE * accounts.tolerance)
    strands = [_Strand(accounts, ray, p_grid(accounts, ray)) for ray in known or survey(accounts, norm, dim)]
    end = _powers(strands, lattice)
    size = lattice.index(end) + 1
    falls = falls_along_rays(accounts.law)
    enough, barely, worst = np.zeros(size), np.zeros(size), np.zeros(size, dtype=np.uint8)
    for number, strand in enumerate(strands):
        needed, refuted = _steps(strand, lattice, size, enough)
        # What is certified at a radius is certified below, if T is known to fall; else the first failure counts.
        needed = np.minimum.accumulate(needed[::-1])[::-1] if falls else np.maximum.accumulate(needed)
        worst = np.where(needed > enough, number, worst).astype(np.uint8)
        enough, barely = np.maximum(enough, needed), np.maximum(barely, refuted)
    return Table(
        lattice,
        proved=known is not None and accounts.proved,
        falls=falls,
        rays=tuple(strand.ray for strand in strands),
        curves=tuple(strand.curves(strand.rows) for strand in strands),
        enough=enough,
        barely=np.maximum.accumulate(barely),
        worst=worst,
    )


@dataclass
class _Strand:
    """One ray and its rows so far, by radius."""

    accounts: Accounts
    ray: Ray
    edges: np.ndarray

    def __post_init__(self) -> None:
        self.rows: dict[float, Row] = {0.0: row(self.accounts, self.ray, 0.0, self.edges)}

    def add(self, radius: float) -> Row:
        self.rows[radius] = row(self.accounts, self.ray, radius, self.edges)
        return self.rows[radius]

    def curves(self, rows: dict[float, Row]) -> Curves:
        return Curves.stack(self.edges, rows)


def _powers(strands: list[_Strand], lattice: Lattice) -> float:
    """Rows at all powers of two up to the first radius at which some ray does not certify ``TOP``: that is returned."""
    radius = lattice.smallest
    while True:
        largest = max(strand.add(radius).p_star for strand in strands)
        if largest >= TOP or radius > LARGEST:
            return radius
        radius *= 2


def _steps(strand: _Strand, lattice: Lattice, size: int, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Along one ray: above which pA each lattice radius is certified, and up to which it is not.

    The interval that falls short most is halved first, until none does, or there are ``MAX_ROWS``. ``others``: what the
    rays before need; where this one needs less anyway nothing is halved.
    """
    stairs = Staircase(strand.curves(strand.rows), lattice)
    enough, barely = np.full(size, NEVER), np.zeros(size)
    points = sorted(strand.rows)
    waiting: list[tuple[float, float, float]] = []

    def fill(first: float, last: float) -> None:
        needed = stairs.enough(first, last, strand.rows[first].p_star)
        refuted = stairs.not_enough(first, last, strand.rows[last])
        start = lattice.index(first)
        enough[start : start + len(needed)] = needed
        barely[start + 1 : start + 1 + len(refuted)] = refuted
        if len(needed) > 1 and needed[-1] >= others[start] and strand.rows[first].p_star < TOP:
            heapq.heappush(
                waiting, (-_lost(strand, lattice.unit_above(first), first, last, needed, refuted), first, last)
            )

    for first, last in pairwise(points):
        fill(first, last)
    while waiting and -waiting[0][0] > 1.0 and len(strand.rows) < MAX_ROWS:
        _, first, last = heapq.heappop(waiting)
        middle = first + (last - first) / 2
        strand.add(middle)
        fill(first, middle)
        fill(middle, last)
    enough[-1], barely[0] = strand.rows[points[-1]].p_star, 0.5
    return enough, barely


def _lost(strand: _Strand, unit: float, first: float, last: float, needed: np.ndarray, refuted: np.ndarray) -> float:
    """How far steps fall short of the next row, as a multiple of what they may.

    A pA just below what ``last`` needs gets the last step below it; one just above what ``first`` refutes is refuted
    only at the first step that reaches it.
    """
    short = int(np.count_nonzero(needed[1:] >= strand.rows[last].p_star))
    late = int(np.count_nonzero(refuted[:-1] <= strand.rows[first].refuted))
    return max(short / GAP_SHARE, late / UPPER_SHARE) * unit / strand.accounts.width(last)
