"""What the pictures of a validation show: R(pA) of several noises at equal sigma, or how tight the brackets are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from robustbench_rs.api.validation import Bracket, Case, Validation
from robustbench_rs_plugins.reporters.validation_tables import NO_SIGMA, Level, sigma_text

TICKS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999, 0.999999)


@dataclass(frozen=True)
class Line:
    """One line: pA and values (m,). ``number`` is the same for the same noise and solver in every picture."""

    name: str
    guarantee: str
    number: int
    p_lower: np.ndarray
    value: np.ndarray


@dataclass(frozen=True)
class Panel:
    """One picture. ``axis``: what the values are. ``steps``: a value holds up to the next pA, else they are joined."""

    level: Level
    axis: str
    steps: bool
    lines: Sequence[Line]

    @property
    def ticks(self) -> list[float]:
        """Where the axis of pA is labelled."""
        top = max((float(line.p_lower[-1]) for line in self.lines), default=0.99)
        return [tick for tick in TICKS if tick <= top * (1 + 1e-12)]

    @property
    def tick_texts(self) -> list[str]:
        """Short: ``0.9999``, then ``1-1e-5``."""
        return [f"{tick:g}" if tick < 0.99995 else f"1-{1 - tick:.0e}".replace("e-0", "e-") for tick in self.ticks]


def panels(validation: Validation) -> list[Panel]:
    """Curves by norm, dimension and sigma where there are any, else the brackets' shares by norm and dimension."""
    cases = [curve.case for curve in validation.curves]
    if cases:
        levels = dict.fromkeys(Level(case.norm, case.dim, sigma_text(case)) for case in cases)
        return [Panel(level, "radius", True, list(_curves(validation, level))) for level in levels]
    levels = dict.fromkeys(Level(each.case.norm, each.case.dim) for each in validation.brackets)
    axis = "proved radius / what is known not to be exceeded"
    return [Panel(level, axis, False, list(_shares(validation, level))) for level in levels]


def _curves(validation: Validation, level: Level) -> Iterator[Line]:
    numbers: dict[tuple[str, str], int] = {}
    for curve in validation.curves:
        numbers.setdefault((curve.case.family, curve.solver), len(numbers))
    members = [curve for curve in validation.curves if level.holds(curve.case)]
    several = len({curve.solver for curve in members}) > 1
    unique = len({curve.case.family for curve in members}) == len({curve.case for curve in members})
    for curve in members:
        name = curve.case.family if unique and level.sigma != NO_SIGMA else curve.case.label
        told = f"{name}, {curve.solver}" if several else name
        number = numbers[curve.case.family, curve.solver]
        yield Line(told, curve.guarantee, number, curve.p_lower, curve.radius)


def _shares(validation: Validation, level: Level) -> Iterator[Line]:
    labels = list(dict.fromkeys(bracket.case.label for bracket in validation.brackets))
    found: dict[Case, list[Bracket]] = {}
    for bracket in validation.brackets:
        if level.holds(bracket.case) and bracket.ratio is not None:
            found.setdefault(bracket.case, []).append(bracket)
    for case, rows in found.items():
        ratios = np.array([row.ratio for row in rows], dtype=np.float64)
        yield Line(case.label, "proved", labels.index(case.label), np.array([row.p_lower for row in rows]), ratios)
