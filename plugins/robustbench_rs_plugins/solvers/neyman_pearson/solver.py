"""The solver: few limits one by one, many from a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from robustbench_rs.api import Guarantee, Noise, Params, ProductNoise, Radii, Solver
from robustbench_rs.api.solver import not_added
from robustbench_rs.statistics.rounding import certified, down, up
from robustbench_rs_plugins.solvers.neyman_pearson.accounts import Accounts, floor
from robustbench_rs_plugins.solvers.neyman_pearson.library import Library
from robustbench_rs_plugins.solvers.neyman_pearson.question import Question, rest_of
from robustbench_rs_plugins.solvers.neyman_pearson.rays import Ray, proved_worst
from robustbench_rs_plugins.solvers.neyman_pearson.single import answer

SINGLE, MANY = 1e-4, 1e-3
"""Default tolerances."""
FINEST_TABLE = 1e-4
LARGEST_DIM = 1 << 24
FEW_PROVED, FEW_SEARCHED = 8, 2
"""So many different limits are answered one by one. It does not depend on what is cached, so neither do the radii."""


@dataclass(frozen=True)
class _Solved:
    """Radii and upper values (m,) in units of z; the rays that end them."""

    radius: np.ndarray
    upper: np.ndarray
    rays: list[Ray]
    proved: bool
    tolerance: float
    table: bool


class NeymanPearsonSolver(Solver):
    """Likelihood-ratio accounting for noise with independent coordinates: any l_p norm, one- and two-sided limits.

    Exact up to ``tolerance`` for every shift that is looked at. ``proved`` where a theorem names the worst direction:
    symmetric unimodal noise in l-inf and in one dimension, symmetric log-concave noise in l1; else ``searched``.
    """

    name = "neyman-pearson"
    effort = 2

    class Params(Params):
        """``tolerance``: relative error of a radius, or of 1e-3 scale where that is larger (of 1e-3 scale d^(1/p - 1/2)
        in norms p > 2). By default 1e-4, and 1e-3 from a table, which is made for more than 8 different limits (2 where
        directions are searched) and is never finer than 1e-4."""

        tolerance: float | None = Field(default=None, ge=1e-6, le=0.1)

    def __init__(self, params: Params | None = None) -> None:
        super().__init__(params)
        self._library = Library()

    def refusal(self, noise: Noise, norm: float, dim: int) -> str | None:
        if (reason := not_added(noise)) is not None:
            return f"{reason}, and the method is about shifts of its density"
        if not isinstance(noise, ProductNoise):
            return f"the coordinates of {noise.name} noise are not independent, which likelihood-ratio accounting needs"
        if not norm >= 1:
            return f"l_p is a norm for p >= 1 only, not for p = {norm:g}"
        if dim > LARGEST_DIM:
            return f"it was not made for more than {LARGEST_DIM} dimensions"
        return noise.problem(dim)

    def label(self, noise: Noise, norm: float, dim: int) -> Guarantee:
        """``proved`` where a theorem names the worst direction and the ratio's extremes are proved."""
        if not isinstance(noise, ProductNoise) or proved_worst(noise, norm, dim) is None:
            return "searched"
        return "proved" if noise.log_concave or noise.score_turns is not None else "searched"

    def radii(self, noise: Noise, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> Radii:
        """Details: ``gap`` between radius and upper value (largest, relative), ``direction``, ``tolerance``, ``table``.

        Raises ``ValueError`` with the text of :meth:`refusal` where there is one.
        """
        if not isinstance(noise, ProductNoise) or self.refusal(noise, norm, dim) is not None:
            raise ValueError(self.refusal(noise, norm, dim))
        p_lower, p_upper = np.asarray(p_lower, dtype=np.float64), np.asarray(p_upper, dtype=np.float64)
        asked = p_lower > p_upper
        limits = np.stack([p_lower, rest_of(p_lower, p_upper)], axis=-1)[asked]
        pairs, where = np.unique(limits, axis=0, return_inverse=True)
        solved = self._solved(noise, norm, dim, pairs[:, 0], pairs[:, 1])
        radius, upper = np.zeros(p_lower.shape), np.zeros(p_lower.shape)
        radius[asked], upper[asked] = solved.radius[where.ravel()], solved.upper[where.ravel()]
        guarantee = self.label(noise, norm, dim) if solved.proved else "searched"
        radius = certified(down(noise.scale * radius), p_lower, p_upper)
        return Radii(radius, guarantee, up(noise.scale * upper), _details(solved, floor(norm, dim)))

    def _solved(self, noise: ProductNoise, norm: float, dim: int, top: np.ndarray, rest: np.ndarray) -> _Solved:
        few = FEW_SEARCHED if proved_worst(noise, norm, dim) is None else FEW_PROVED
        solve = self._one_by_one if len(top) <= few else self._from_table
        return solve(noise, norm, dim, top, rest)

    def _one_by_one(self, noise: ProductNoise, norm: float, dim: int, top: np.ndarray, rest: np.ndarray) -> _Solved:
        tolerance = self._tolerance or SINGLE
        proved = proved_worst(noise, norm, dim) is not None
        answers = []
        for question in map(Question, top.tolist(), rest.tolist()):
            accounts = Accounts(noise, norm, dim, tolerance)
            answers.append(answer(question, accounts, norm, dim))
            proved = proved and accounts.proved
        radius, upper = (np.array([getattr(each, name) for each in answers]) for name in ("radius", "upper"))
        # Larger limits have larger radii: a smaller value found for them holds for these too.
        larger = (top[:, np.newaxis] <= top) & (rest[:, np.newaxis] <= rest)
        radius, upper = (np.min(np.where(larger, x, np.inf), axis=1, initial=np.inf) for x in (radius, upper))
        return _Solved(radius, upper, [each.ray for each in answers], proved, tolerance, table=False)

    def _from_table(self, noise: ProductNoise, norm: float, dim: int, top: np.ndarray, rest: np.ndarray) -> _Solved:
        tolerance = max(self._tolerance or MANY, FINEST_TABLE)
        table = self._library.table(self.tables, noise, norm, dim, tolerance)
        found = table.find(top)
        sided = rest > top
        if np.any(sided):
            pairs = self._library.pairs(self.tables, noise, norm, dim, tolerance).find(top[sided], rest[sided])
            found.radius[sided], found.upper[sided], found.ray[sided] = pairs.radius, pairs.upper, pairs.ray
        rays = [table.rays[i] for i in np.unique(found.ray).tolist()]
        return _Solved(found.radius, found.upper, rays, table.proved, tolerance, table=True)

    @property
    def _tolerance(self) -> float | None:
        tolerance: float | None = getattr(self.params, "tolerance")  # noqa: B009
        return tolerance


def _details(solved: _Solved, floor: float) -> dict[str, object]:
    with np.errstate(invalid="ignore"):
        gaps = (solved.upper - solved.radius) / np.maximum(solved.radius, floor)
    known = gaps[np.isfinite(gaps)]
    return {
        "gap": float(known.max()) if len(known) else None,
        "direction": "; ".join(dict.fromkeys(map(str, solved.rays))) or None,
        "tolerance": solved.tolerance,
        "table": solved.table,
    }
