"""Tables of one solver: in memory, then in its storage, then made anew."""

from __future__ import annotations

from robustbench_rs.api import ProductNoise, Tables
from robustbench_rs_plugins.solvers.neyman_pearson.accounts import Accounts
from robustbench_rs_plugins.solvers.neyman_pearson.build import build
from robustbench_rs_plugins.solvers.neyman_pearson.content import key
from robustbench_rs_plugins.solvers.neyman_pearson.storage import (
    pack_curves,
    pack_table,
    unpack_curves,
    unpack_table,
)
from robustbench_rs_plugins.solvers.neyman_pearson.table import PairTable, Table

CURVES = "-curves"
"""Ending of the key of what only two-sided limits need."""


class Library:
    """Tables by content. The storage is handed in with each question: a solver's may be replaced."""

    def __init__(self) -> None:
        self._tables: dict[str, Table] = {}
        self._pairs: dict[str, PairTable] = {}

    def table(self, storage: Tables, noise: ProductNoise, norm: float, dim: int, tolerance: float) -> Table:
        """For pB = 1 - pA."""
        name = key(noise, norm, dim, tolerance)
        if name not in self._tables:
            found = unpack_table(storage.load(name))
            self._tables[name] = found or self._made(storage, name, noise, norm, dim, tolerance)
        return self._tables[name]

    def pairs(self, storage: Tables, noise: ProductNoise, norm: float, dim: int, tolerance: float) -> PairTable:
        """For any pB."""
        name = key(noise, norm, dim, tolerance)
        table = self.table(storage, noise, norm, dim, tolerance)
        if name not in self._pairs:
            curves = unpack_curves(storage.load(name + CURVES), len(table.rays))
            if curves is None:
                self._made(storage, name, noise, norm, dim, tolerance)
            else:
                self._pairs[name] = PairTable(table, curves)
        return self._pairs[name]

    def _made(self, storage: Tables, name: str, noise: ProductNoise, norm: float, dim: int, tolerance: float) -> Table:
        table, curves = build(Accounts(noise, norm, dim, tolerance), norm, dim)
        storage.save(name, pack_table(table))
        storage.save(name + CURVES, pack_curves(curves))
        self._pairs[name] = PairTable(table, curves)
        return table
