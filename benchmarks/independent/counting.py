"""What a check found, family by family."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from independent.questions import Limits, margin

SHOWN = 20


@dataclass(frozen=True)
class Key:
    """A row of the table."""

    family: str
    norm: str
    solver: str


@dataclass
class Tally:
    """``closest``: the largest share of the limits' margin that a certified shift used up; above 1 it is refuted."""

    cases: int = 0
    shifts: int = 0
    closest: float = -math.inf
    violations: int = 0
    shown: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.cases += other.cases
        self.shifts += other.shifts
        self.closest = max(self.closest, other.closest)
        self.violations += other.violations
        self.shown = (self.shown + other.shown)[:SHOWN]


Tallies = dict[Key, Tally]


def merge(into: Tallies, more: Mapping[Key, Tally]) -> None:
    """Add up what two parts of a check found."""
    for key, tally in more.items():
        into.setdefault(key, Tally()).add(tally)


def judged(limits: Limits, left: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of the margin used up (m,), and which certificates are refuted.

    ``left``, ``other``: what explicit regions leave of pA and of 1 - pB after the shift, rounded up. Certified means
    that the sum of the least possible two is above 1.
    """
    used = 1.0 - margin(left, other) / limits.margin()
    return used, np.asarray(left + other <= 1.0)


def norm_name(norm: float) -> str:
    """1, 2, 3, inf, or "other" for what lies between."""
    return f"{norm:g}" if norm in (1, 2, 3) or math.isinf(norm) else "other"


def table(tallies: Mapping[Key, Tally], by: Iterable[str]) -> str:
    """One line per family and norm (or solver), and the sum."""
    columns = list(by)
    rows: dict[tuple[str, ...], Tally] = {}
    for key, tally in tallies.items():
        rows.setdefault(tuple(getattr(key, column) for column in columns), Tally()).add(tally)
    total = Tally()
    for tally in tallies.values():
        total.add(tally)
    head = (
        "".join(f"{column:26}" for column in columns) + f"{'cases':>10} {'shifts':>9} {'closest':>9} {'violations':>11}"
    )
    lines = [head, *(_line(names, rows[names]) for names in sorted(rows))]
    return "\n".join([*lines, _line(("all", *("" for _ in columns[1:])), total)])


def _line(names: tuple[str, ...], tally: Tally) -> str:
    left = "".join(f"{name:26}" for name in names)
    return f"{left}{tally.cases:10,} {tally.shifts:9,} {tally.closest:9.6f} {tally.violations:11,}"
