"""Building a table: rows at powers of two, then halving where the steps between rows are not fine enough."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.special import ndtri

from robustbench_rs.statistics.tradeoff import Blend, Stretch
from robustbench_rs_plugins.solvers.neyman_pearson.accounts import Accounts
from robustbench_rs_plugins.solvers.neyman_pearson.curves import Curves
from robustbench_rs_plugins.solvers.neyman_pearson.lattice import Lattice
from robustbench_rs_plugins.solvers.neyman_pearson.rays import falls_along_rays, proved_worst
from robustbench_rs_plugins.solvers.neyman_pearson.root import LARGEST
from robustbench_rs_plugins.solvers.neyman_pearson.strand import Filled, Interval, Strand
from robustbench_rs_plugins.solvers.neyman_pearson.survey import TOP, Course, survey
from robustbench_rs_plugins.solvers.neyman_pearson.table import Table

STEP_SHARE = 0.125
"""Of the tolerance, for the distance of a table's radii."""
WORK = 15000.0
"""What the rows between powers of two may cost; few tables need a fifth of it. One that would need more is less fine
than wanted, which its upper values show."""
SMALL = 1e-3
"""Where there is not work enough for all, radii below (units of z) need only be right to the tolerance of this one."""
CLOSE = 0.995
"""Rays that need so much less than another one, in normal quantiles, do not matter."""


def build(accounts: Accounts, norm: float, dim: int) -> tuple[Table, tuple[Curves, ...]]:
    """A table for limits up to ``TOP`` (larger ones get its last radius); the curves for any pB, one set per ray."""
    known = proved_worst(accounts.law, norm, dim)
    lattice = Lattice.fine(accounts.floor, STEP_SHARE * accounts.tolerance)
    stretch, blend = Stretch(accounts.law), Blend(accounts.law)
    courses = [Course(ray) for ray in known] if known is not None else survey(accounts, norm, dim)
    strands = [Strand(accounts, course, lattice, stretch, blend) for course in courses]
    _open_ends(strands)
    for strand in strands:
        strand.prepare()
    _refine(strands, accounts)
    for strand in strands:
        strand.refute()
    falls = falls_along_rays(accounts.law)
    size = max(strand.places.stop for strand in strands)
    enough, barely = np.zeros((len(strands), size)), np.zeros((len(strands), size))
    for number, strand in enumerate(strands):
        # What is certified at a radius is certified below, if T is known to fall; else the first failure counts.
        here = strand.enough
        enough[number, strand.places] = np.minimum.accumulate(here[::-1])[::-1] if falls else here
        barely[number, strand.places] = strand.barely
    table = Table(
        lattice,
        proved=known is not None and accounts.proved,
        falls=falls,
        rays=tuple(strand.ray for strand in strands),
        enough=np.maximum.accumulate(np.max(enough, axis=0)),
        barely=np.maximum.accumulate(np.max(barely, axis=0)),
        worst=np.argmax(enough, axis=0).astype(np.uint16),
    )
    return table, tuple(strand.curves for strand in strands)


def _open_ends(strands: Sequence[Strand]) -> None:
    """Rows at powers of two up to the first radius at which some ray does not certify ``TOP``."""
    growing = [strand for strand in strands if strand.open]
    while growing and max(strand.p_star(strand.points[-1]) for strand in growing) < TOP:
        for strand in growing:
            strand.add(2 * strand.points[-1])
        if growing[0].points[-1] >= LARGEST:
            break


def _refine(strands: Sequence[Strand], accounts: Accounts) -> None:
    """Halve the interval that loses most, until none loses more than it may, or there was too much work.

    Where a ray needs less than another one, it does not matter what it loses; with some room, since the worst ray for
    pB = 1 - pA need not be so for smaller pB.
    """
    waiting: list[Interval] = []
    most = accounts.work + WORK

    def judge(number: int, first: float, last: float, filled: Filled) -> None:
        if filled.lost > 1.0 and strands[number].p_star(first) < TOP and matters(filled):
            urgent = filled.lost * accounts.width(first) / max(accounts.width(first), accounts.tolerance * SMALL)
            heapq.heappush(waiting, Interval(-urgent, number, first, last, filled.steps))

    def matters(filled: Filled) -> bool:
        needed = np.max([strand.quantiles(filled.places) for strand in strands], axis=0)
        return bool(np.any(ndtri(np.minimum(filled.enough, 1.0)) >= CLOSE * needed))

    begun = [
        (number, *ends, strand.fill(*ends, math.inf, steps=True))
        for number, strand in enumerate(strands)
        for ends in pairwise(strand.points)
    ]
    for each in begun:
        judge(*each)
    while waiting and accounts.work < most:
        worst = heapq.heappop(waiting)
        middle = worst.first + (worst.last - worst.first) / 2
        strands[worst.strand].add(middle)
        missed = strands[worst.strand].missed(middle)
        for ends in ((worst.first, middle), (middle, worst.last)):
            judge(worst.strand, *ends, strands[worst.strand].fill(*ends, missed, worst.steps))
