"""One ray of a table while it is built: its rows so far, and the steps between them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

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
from robustbench_rs_plugins.solvers.neyman_pearson.rays import Ray
from robustbench_rs_plugins.solvers.neyman_pearson.staircase import Staircase

GAP_SHARE, UPPER_SHARE = 0.5, 0.8
"""Of the tolerance, for what radii and upper values lose between two rows."""


@dataclass(frozen=True, order=True)
class Interval:
    """Between two rows of strand number ``strand``; ``rank`` orders by what is lost, the most first."""

    rank: float
    strand: int
    first: float
    last: float


class Strand:
    """``enough``, ``barely``: as in :class:`Table`, for this ray alone, once :meth:`fill` has seen every interval."""

    def __init__(self, accounts: Accounts, ray: Ray, lattice: Lattice) -> None:
        self.ray = ray
        self._accounts = accounts
        self._lattice = lattice
        self._edges = p_grid(accounts, ray)
        self._rows: dict[float, Row] = {0.0: no_shift(self._edges)}

    @property
    def curves(self) -> Curves:
        return Curves.stack(self._edges, self._rows)

    @property
    def points(self) -> list[float]:
        """Radii of the rows that are a table's own, ascending."""
        return sorted(radius for radius, row in self._rows.items() if math.isfinite(row.refuted))

    def p_star(self, radius: float) -> float:
        return self._rows[radius].p_star

    def refuted(self, radius: float) -> float:
        return self._rows[radius].refuted

    def add(self, radius: float) -> None:
        self._rows[radius] = whole_row(self._accounts, self.ray, radius, self._edges)

    def add_steps(self) -> None:
        """The first row, and below it those that only serve as steps, as sharp as the first one must be."""
        radius = self._lattice.base / 2
        self.add(radius)
        while radius > self._lattice.smallest:
            radius /= 2
            self._rows[radius] = step_row(self._accounts, self.ray, radius, self._edges)

    def prepare(self) -> None:
        """Call when the rows at all powers of two are there."""
        last = self.points[-1]
        self._stairs = Staircase(self.curves, self._lattice)
        size = self._lattice.index(last) + 1
        self.enough, self.barely = np.full(size, NEVER), np.zeros(size)
        self.enough[-1], self.barely[0] = self.p_star(last), 0.5

    def fill(self, first: float, last: float) -> tuple[float, float]:
        """Steps between two rows: the pA that is enough anywhere there, and what is lost, as a multiple of what may be.

        A pA just below what ``last`` needs gets the last step below it; one just above what ``first`` refutes is
        refuted only at the first step that reaches it.
        """
        enough = self._stairs.enough(first, last, self.p_star(first))
        barely = self._stairs.not_enough(first, last, self._rows[last])
        start = self._lattice.index(first)
        self.enough[start : start + len(enough)] = enough
        self.barely[start + 1 : start + 1 + len(barely)] = barely
        # Where T may rise again the first failure counts, also one at `first`.
        short = int(np.count_nonzero(enough[1:] >= max(self.p_star(last), self.p_star(first))))
        late = int(np.count_nonzero(barely[:-1] <= min(self.refuted(first), self.refuted(last))))
        unit = self._lattice.unit_above(first) if len(enough) > 1 else 0.0
        return float(enough[-1]), max(short / GAP_SHARE, late / UPPER_SHARE) * unit / self._accounts.width(last)
