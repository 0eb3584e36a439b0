"""Tables of radii: lookups by search, never by interpolation. How they are made: :mod:`build`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robustbench_rs_plugins.solvers.neyman_pearson.curves import Curves
from robustbench_rs_plugins.solvers.neyman_pearson.lattice import Lattice
from robustbench_rs_plugins.solvers.neyman_pearson.rays import Ray
from robustbench_rs_plugins.solvers.neyman_pearson.two_sided import TwoSided


@dataclass(frozen=True)
class Found:
    """In units of z, (m,): ``radius`` rounded down; ``upper``, infinite where unknown; ``ray``, the worst's number."""

    radius: np.ndarray
    upper: np.ndarray
    ray: np.ndarray


@dataclass(frozen=True, eq=False)
class Table:
    """For pB = 1 - pA. Per lattice radius (n,): every pA above ``enough`` is certified there, none up to ``barely`` is,
    both ascending; ``worst``: the ray that needs most. ``rays`` are those looked at.

    ``falls``: T is known to fall along rays, so that what is certified at a radius is certified below.
    """

    lattice: Lattice
    proved: bool
    falls: bool
    rays: tuple[Ray, ...]
    enough: np.ndarray
    barely: np.ndarray
    worst: np.ndarray

    def find(self, top: np.ndarray) -> Found:
        """For pA = ``top`` (m,), above 1/2."""
        place = np.maximum(np.searchsorted(self.enough, top, side="left") - 1, 0)
        beyond = np.searchsorted(self.barely, top, side="left")
        known = beyond < len(self.barely)
        upper = np.where(known, self.lattice.radius(np.where(known, beyond, 0)), np.inf)
        return Found(self.lattice.radius(place), upper, self.worst[np.minimum(place + 1, len(self.worst) - 1)])


class PairTable:
    """For any pB, from one set of curves per ray."""

    def __init__(self, table: Table, curves: tuple[Curves, ...]) -> None:
        self.curves = curves
        self._table = table
        self._strands = [TwoSided(each, table.lattice, falls=table.falls) for each in curves]

    def find(self, top: np.ndarray, rest: np.ndarray) -> Found:
        """For pA = ``top`` and 1 - pB = ``rest`` >= pA (m,), of sum above 1."""
        radius, upper = np.full(top.shape, np.inf), np.full(top.shape, np.inf)
        worst = np.zeros(top.shape, dtype=np.intp)
        for number, strand in enumerate(self._strands):
            here = np.flatnonzero(~strand.certified(radius, top, rest))
            found = strand.radius(top[here], rest[here])
            less = found < radius[here]
            radius[here[less]], worst[here[less]] = found[less], number
            here = np.flatnonzero(np.isinf(upper) | strand.refuted(upper, top, rest))
            upper[here] = np.minimum(upper[here], strand.upper(top[here], rest[here]))
        # Infinite where no strand ends it: the table does.
        radius = np.minimum(radius, self._table.lattice.radius(np.array(len(self._table.enough) - 1)))
        # What holds for every pB up to 1 - pA holds for this one, and may have been found with less loss.
        radius = np.maximum(radius, np.where(top > 0.5, self._table.find(top).radius, 0.0))
        return Found(radius, upper, worst)
