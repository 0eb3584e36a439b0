"""The solver: single radii at full precision, many from a table that is built once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from robustbench_rs.api import Guarantee, Noise, Params, ProductNoise, Radii, Solver
from robustbench_rs.statistics.rounding import certified, down, up
from robustbench_rs_plugins.solvers.neyman_pearson import storing
from robustbench_rs_plugins.solvers.neyman_pearson.accounts import Accounts
from robustbench_rs_plugins.solvers.neyman_pearson.build import build
from robustbench_rs_plugins.solvers.neyman_pearson.question import Question, rest_of
from robustbench_rs_plugins.solvers.neyman_pearson.rays import Ray, proved_worst
from robustbench_rs_plugins.solvers.neyman_pearson.single import answer
from robustbench_rs_plugins.solvers.neyman_pearson.table import Table

SINGLE, TABLE = 1e-4, 1e-3
"""Relative tolerances, of max(radius, 1e-3 scale), where none is asked for."""
FEW = 4
"""So many different pairs of limits are answered one by one."""
LARGEST_DIM = 1 << 24


@dataclass(frozen=True)
class _Found:
    """In units of z, (m,)."""

    radius: np.ndarray
    upper: np.ndarray
    worst: list[Ray]
    proved: bool
    from_table: bool


class NeymanPearsonSolver(Solver):
    """Independent coordinates, every l_p: the exact worst case over classifiers of each shift, and the worst shift.

    ``proved`` where a theorem names the worst shift (l1 of symmetric log-concave noise, l-inf of symmetric unimodal
    noise, one dimension); elsewhere the worst of the directions searched. ``upper``: the smallest radius at which some
    shift was shown not to be certified.
    """

    name = "neyman-pearson"
    effort = 2

    class Params(Params):
        """``tolerance``: relative, of the larger of the radius and 1e-3 scale; by default 1e-4 for up to four different
        pairs of limits, answered one by one, and 1e-3 for more, answered from a table."""

        tolerance: float | None = Field(default=None, ge=1e-6, le=0.01)

    def refusal(self, noise: Noise, norm: float, dim: int) -> str | None:
        if not isinstance(noise, ProductNoise):
            return f"it needs independent coordinates, which {noise.name} noise has not"
        if norm < 1:
            return f"l_{norm:g} is no norm"
        if dim > LARGEST_DIM:
            return f"it was not made for more than {LARGEST_DIM} dimensions"
        return noise.problem(dim)

    def label(self, noise: Noise, norm: float, dim: int) -> Guarantee:
        if not isinstance(noise, ProductNoise) or proved_worst(noise, norm, dim) is None:
            return "searched"
        return "proved" if noise.log_concave or noise.score_turns is not None else "searched"

    def radii(self, noise: Noise, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> Radii:
        """Raises ``ValueError`` with the text of :meth:`refusal`."""
        if (reason := self.refusal(noise, norm, dim)) is not None or not isinstance(noise, ProductNoise):
            raise ValueError(reason)
        asked = np.flatnonzero(p_lower > p_upper)
        radius, upper = np.zeros(len(p_lower)), np.zeros(len(p_lower))
        details: dict[str, object] = {}
        label = self.label(noise, norm, dim)
        if len(asked):
            pairs, back = np.unique(np.stack([p_lower[asked], p_upper[asked]]), axis=1, return_inverse=True)
            found = self._solved(noise, norm, dim, *pairs)
            radius[asked] = down(noise.scale * found.radius)[back.ravel()]
            upper[asked] = up(noise.scale * found.upper)[back.ravel()]
            details = self._details(found)
            label = label if found.proved else "searched"
        return Radii(certified(radius, p_lower, p_upper), label, certified(upper, p_lower, p_upper), details)

    def _solved(self, noise: ProductNoise, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> _Found:
        """For different pairs (m,), pA > pB."""
        top, rest = np.asarray(p_lower), rest_of(p_lower, p_upper)
        tolerance = self._tolerance(TABLE)
        if len(top) > FEW:
            return self._looked_up(self._table(noise, norm, dim, tolerance), top, rest)
        tolerance = self._tolerance(SINGLE)
        accounts = Accounts(noise, norm, dim, tolerance)
        answers = [
            answer(Question(a, b), accounts, norm, dim) for a, b in zip(top.tolist(), rest.tolist(), strict=True)
        ]
        radius, upper = np.array([each.radius for each in answers]), np.array([each.upper for each in answers])
        return _Found(radius, upper, [each.ray for each in answers], accounts.proved, from_table=False)

    def _looked_up(self, table: Table, top: np.ndarray, rest: np.ndarray) -> _Found:
        radius, upper = np.zeros(len(top)), np.zeros(len(top))
        worst = np.zeros(len(top), dtype=np.int64)
        one_sided = rest == top
        for chosen, find in ((one_sided, True), (~one_sided, False)):
            if np.any(chosen):
                found = table.one_sided(top[chosen]) if find else table.two_sided(top[chosen], rest[chosen])
                radius[chosen], upper[chosen], worst[chosen] = found.radius, found.upper, found.ray
        return _Found(radius, upper, [table.rays[i] for i in worst.tolist()], table.proved, from_table=True)

    def _table(self, noise: ProductNoise, norm: float, dim: int, tolerance: float) -> Table:
        key = storing.key(noise, norm, dim, tolerance)
        saved = self.tables.load(key)
        table = None if saved is None else storing.from_arrays(saved)
        if table is None:
            table = build(Accounts(noise, norm, dim, tolerance), norm, dim)
            self.tables.save(key, storing.to_arrays(table))
        return table

    def _tolerance(self, otherwise: float) -> float:
        assert isinstance(self.params, self.Params)
        return otherwise if self.params.tolerance is None else self.params.tolerance

    def _details(self, found: _Found) -> dict[str, object]:
        with np.errstate(invalid="ignore", divide="ignore"):
            gaps = (found.upper - found.radius) / found.radius
        known = gaps[np.isfinite(gaps)]
        largest = int(np.argmax(found.radius))
        return {
            "gap": float(known.max()) if len(known) else None,
            "direction": str(found.worst[largest]),
            "tolerance": self._tolerance(TABLE if found.from_table else SINGLE),
            "table": found.from_table,
        }
