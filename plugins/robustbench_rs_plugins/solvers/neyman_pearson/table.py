"""A table of radii for every pair of limits: lookups by search, never by interpolation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from robustbench_rs_plugins.solvers.neyman_pearson.curves import Curves
from robustbench_rs_plugins.solvers.neyman_pearson.lattice import Lattice
from robustbench_rs_plugins.solvers.neyman_pearson.rays import Ray
from robustbench_rs_plugins.solvers.neyman_pearson.two_sided import TwoSided


@dataclass(frozen=True)
class Found:
    """In units of z, (m,): ``radius`` rounded down, ``upper`` (infinite where unknown), ``ray``: the worst one."""

    radius: np.ndarray
    upper: np.ndarray
    ray: np.ndarray


@dataclass(frozen=True, eq=False)
class Table:
    """Per lattice radius (n,): every pA above ``enough`` is certified there (pB = 1 - pA), none up to ``barely`` is;
    both ascend. ``worst``: which ray decides. ``curves``: one per ray, for two-sided limits.

    ``falls``: T is known to fall along rays, so that what is certified at a radius is certified below.
    """

    lattice: Lattice
    proved: bool
    falls: bool
    rays: tuple[Ray, ...]
    curves: tuple[Curves, ...]
    enough: np.ndarray
    barely: np.ndarray
    worst: np.ndarray

    def one_sided(self, top: np.ndarray) -> Found:
        """For pA = ``top`` (m,) and pB = 1 - pA."""
        place = np.maximum(np.searchsorted(self.enough, top, side="left") - 1, 0)
        beyond = np.searchsorted(self.barely, top, side="left")
        known = beyond < len(self.barely)
        upper = np.where(known, self.lattice.radius(np.where(known, beyond, 0)), np.inf)
        return Found(self.lattice.radius(place), upper, self.worst[np.minimum(place + 1, len(self.worst) - 1)])

    def two_sided(self, top: np.ndarray, rest: np.ndarray) -> Found:
        """For pA = ``top`` and 1 - pB = ``rest`` >= pA (m,)."""
        radii = np.stack([strand.radius(top, rest) for strand in self._strands])
        upper = np.min([strand.upper(top, rest) for strand in self._strands], axis=0)
        return Found(radii.min(axis=0), upper, radii.argmin(axis=0))

    @cached_property
    def _strands(self) -> list[TwoSided]:
        return [TwoSided(curves, self.lattice, self.falls) for curves in self.curves]
