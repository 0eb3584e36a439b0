"""Tables of a validation as texts: what all text formats and the page show. Radii are rounded down, upper values up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from robustbench_rs.api.report import Report
from robustbench_rs.api.shown import EQUAL, MISSING, shown_down, shown_ratio, shown_up
from robustbench_rs.api.validation import BestNoise, Bracket, Case, Refusal, SolverRadius, Validation

NO_SIGMA = "none"
"""The level of noise without a standard deviation."""

WHY = {
    "tightness": "The bracket of the true radius: the largest proved one, what it is known not to exceed, and the "
    "first as a share of the second; then every solver's radius, as a multiple (\u00d7) of the closed form if there is "
    "one.",
    "optimality": "The largest radius of the strongest label, and what the true radius is known not to exceed.",
}


@dataclass(frozen=True)
class Cell:
    """``text`` with the label of the radius that it is, and a remark on it."""

    text: str
    guarantee: str = ""
    note: str = ""
    best: bool = False

    @property
    def plain(self) -> str:
        """All of it in one line: ``0.45301 proved, 0.9999 of closed form``."""
        told = f"{self.text} {self.guarantee}".strip()
        return f"{told}, {self.note}" if self.note else told


@dataclass(frozen=True)
class Level:
    """What one table or picture is about. ``sigma``: None for noises of any level."""

    norm: str
    dim: int
    sigma: str | None = None

    @property
    def title(self) -> str:
        level = f", \u03c3 = {self.sigma}" if self.sigma is not None else ""
        return f"norm {self.norm}, d = {self.dim}{level}"

    def holds(self, case: Case) -> bool:
        return (case.norm, case.dim) == (self.norm, self.dim) and self.sigma in (None, sigma_text(case))


@dataclass(frozen=True)
class Table:
    """``header``: the first column names the rows, of which each begins with its name."""

    level: Level
    title: str
    header: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]


def sigma_text(case: Case) -> str:
    """The standard deviation as a level: ``0.5``, or that there is none."""
    return NO_SIGMA if case.sigma is None else f"{case.sigma:.6g}"


def levels_of(validation: Validation) -> list[Level]:
    """The tables of a validation: by norm and dimension; for optimality by standard deviation too."""
    cases = [bracket.case for bracket in validation.brackets]
    if validation.kind == "tightness":
        return list(dict.fromkeys(Level(case.norm, case.dim) for case in cases))
    return list(dict.fromkeys(Level(case.norm, case.dim, sigma_text(case)) for case in cases))


def tables(validation: Validation) -> list[Table]:
    """The best noises where any were compared, then the radii: one table for each level."""
    best = best_table(validation)
    return [*([best] if best is not None else []), *radius_tables(validation)]


def radius_tables(validation: Validation) -> list[Table]:
    """One table for each level."""
    make: Callable[[Validation, Level], Table] = _tightness if validation.kind == "tightness" else _optimality
    return [make(validation, level) for level in levels_of(validation)]


def _tightness(validation: Validation, level: Level) -> Table:
    rows = [row for row in validation.radii if level.holds(row.case)]
    solvers = list(dict.fromkeys(row.solver for row in rows))
    found = {(row.case, row.p_lower, row.solver): row for row in rows}
    lines = []
    for bracket in (each for each in validation.brackets if level.holds(each.case)):
        radii = [_radius(found.get((bracket.case, bracket.p_lower, solver))) for solver in solvers]
        bounds = [_lower(bracket), _upper(bracket), Cell(shown_ratio(bracket.ratio))]
        lines.append((bracket.case.label, [Cell(repr(bracket.p_lower)), *bounds, *radii]))
    header = ("noise", "pA", "proved, at least", "at most", "share", *solvers)
    return Table(level, f"Radii by solver, {level.title}", header, lines)


def _radius(row: SolverRadius | None) -> Cell:
    if row is None:
        return Cell(MISSING)
    return Cell(shown_down(row.radius), row.guarantee, _share(row))


def _share(row: SolverRadius) -> str:
    if row.ratio is None:
        return ""
    form = "" if row.exact else " a lower bound"
    return f"\u00d7 {shown_ratio(row.ratio)}{form}"


def _lower(bracket: Bracket) -> Cell:
    known = bracket.lower is not None
    return Cell(shown_down(bracket.lower), "proved" if known else "", f"by {bracket.solver}" if known else "")


def _upper(bracket: Bracket) -> Cell:
    return Cell(shown_up(bracket.upper), "", f"by {bracket.upper_solver}" if bracket.upper_solver else "")


def _optimality(validation: Validation, level: Level) -> Table:
    rows = [bracket for bracket in validation.brackets if level.holds(bracket.case)]
    probabilities = sorted({row.p_lower for row in rows})
    found = {(row.case, row.p_lower): row for row in rows}
    best = {(each.case, each.p_lower) for each in validation.best}
    cases = list(dict.fromkeys(row.case for row in rows))
    lines = [(case.label, [_value(found.get((case, p)), (case, p) in best) for p in probabilities]) for case in cases]
    return Table(level, f"Radii by noise, {level.title}", ("noise", *map(repr, probabilities)), lines)


def _value(bracket: Bracket | None, best: bool) -> Cell:
    if bracket is None:
        return Cell(MISSING)
    known = "" if bracket.upper is None else f", at most {shown_up(bracket.upper)}"
    known = ", exact" if shown_ratio(bracket.ratio) == EQUAL else known
    return Cell(shown_down(bracket.radius), bracket.guarantee, f"by {bracket.solver}{known}", best)


def best_table(validation: Validation) -> Table | None:
    """Which noise is best for each level and pA; None where nothing was compared."""
    if not validation.best:
        return None
    probabilities = sorted({each.p_lower for each in validation.best})
    levels: dict[Level, dict[float, BestNoise]] = {}
    for each in validation.best:
        level = Level(each.case.norm, each.case.dim, sigma_text(each.case))
        levels.setdefault(level, {})[each.p_lower] = each
    lines = [(level.title, [_best(row.get(p)) for p in probabilities]) for level, row in levels.items()]
    header = ("norm, dimension, \u03c3", *(f"pA = {p!r}" for p in probabilities))
    return Table(next(iter(levels)), "Best noise at equal standard deviation", header, lines)


def _best(best: BestNoise | None) -> Cell:
    if best is None:
        return Cell(MISSING)
    return Cell(best.case.family, best.guarantee, "decided" if best.decided else "not decided")


def where(refusal: Refusal) -> str:
    """The cases that a refusal is about, in few words."""
    noises: dict[str, list[str]] = {}
    for label in dict.fromkeys(case.label for case in refusal.cases):
        dims: dict[str, list[str]] = {}
        for case in refusal.cases:
            if case.label == label:
                dims.setdefault(case.norm, []).append(str(case.dim))
        text = "; ".join(f"norm {', '.join(norms)}, d = {', '.join(key)}" for key, norms in _inverted(dims).items())
        noises.setdefault(text, []).append(label)
    return ". ".join(f"{', '.join(labels)}: {text}" for text, labels in noises.items())


def _inverted(lists: dict[str, list[str]]) -> dict[tuple[str, ...], list[str]]:
    """Equal lists -> their keys."""
    found: dict[tuple[str, ...], list[str]] = {}
    for key, values in lists.items():
        found.setdefault(tuple(values), []).append(key)
    return found


def lead(report: Report) -> str:
    """One line under the title: what was validated."""
    assert report.validation is not None
    validation = report.validation
    cases = [bracket.case for bracket in validation.brackets] + [curve.case for curve in validation.curves]
    cases += [case for refusal in validation.refusals for case in refusal.cases]
    noises = len({(case.noise, case.noise_params) for case in cases})
    norms = ", ".join(dict.fromkeys(case.norm for case in cases))
    dims = ", ".join(dict.fromkeys(str(case.dim) for case in cases))
    return f"{validation.kind} \u00b7 {noises} noises \u00b7 norm {norms} \u00b7 d = {dims}"
