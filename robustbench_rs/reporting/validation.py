"""What the radii of a validation say together: brackets, the best noise, and contradictions between solvers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from robustbench_rs.api.labels import is_proved
from robustbench_rs.api.report import Flag, Report
from robustbench_rs.api.validation import BestNoise, Bracket, Case, Refusal, SolverRadius, Validation
from robustbench_rs.reporting.levels import weakness

_Level = tuple[float, int, float]

SAME_SIGMA = 6
"""Significant digits in which standard deviations agree that count as equal: a scale is rarely given more exactly."""
MEANING = (
    "Radii hold for a top class of probability at least pA while every other class has at most 1 - pA, in the units of "
    "the model's input. Proved radii are lower bounds of the true radius; 'at most' is what it is known not to exceed."
)
BEST = (
    "The best noise has the largest radius of the strongest label among those of equal standard deviation; 'decided' "
    "says that no other one can have a larger true radius, whatever its solvers leave open."
)


def brackets_of(rows: Iterable[SolverRadius]) -> list[Bracket]:
    """One bracket per case and pA, in the order of their first rows."""
    found: dict[tuple[Case, float], list[SolverRadius]] = {}
    for row in rows:
        found.setdefault((row.case, row.p_lower), []).append(row)
    return [_bracket(group) for group in found.values()]


def _bracket(rows: Sequence[SolverRadius]) -> Bracket:
    strongest = min((row.guarantee for row in rows), key=weakness)
    group = [row for row in rows if row.guarantee == strongest]
    best = (max if is_proved(strongest) else min)(group, key=lambda row: row.radius)
    least = min(rows, key=lambda row: math.inf if row.upper is None else row.upper)
    return Bracket(
        case=best.case,
        p_lower=best.p_lower,
        p_upper=best.p_upper,
        radius=best.radius,
        guarantee=best.guarantee,
        solver=best.solver_used,
        upper=least.upper,
        upper_solver="" if least.upper is None else least.solver_used,
        closed_form=best.closed_form,
        exact=best.exact,
    )


def best_noises(brackets: Sequence[Bracket], cases: Iterable[Case]) -> list[BestNoise]:
    """The best noise for each norm, dimension, standard deviation and pA where there are two or more to choose from.

    ``cases``: all that were asked, also those without any radius. Noise without a standard deviation is compared with
    nothing. Sorted by norm, dimension, sigma and pA.
    """
    members: dict[_Level, set[Case]] = {}
    for case in cases:
        if case.sigma is not None:
            members.setdefault(_level(case), set()).add(case)
    found: dict[tuple[_Level, float], list[Bracket]] = {}
    for each in brackets:
        if each.case.sigma is not None:
            found.setdefault((_level(each.case), each.p_lower), []).append(each)
    return [_best(group, members[level]) for (level, _), group in sorted(found.items()) if len(members[level]) > 1]


def _level(case: Case) -> _Level:
    assert case.sigma is not None
    return float(case.norm), case.dim, float(f"{case.sigma:.{SAME_SIGMA}g}")


def _best(group: Sequence[Bracket], members: set[Case]) -> BestNoise:
    strongest = min((each.guarantee for each in group), key=weakness)
    best = max((each for each in group if each.guarantee == strongest), key=lambda each: each.radius)
    others = [each for each in group if each is not best]
    beaten = {each.case for each in others if each.upper is not None and each.upper <= best.radius}
    decided = best.lower is not None and members <= beaten | {best.case}
    return BestNoise(best.case, best.p_lower, best.radius, best.guarantee, decided)


def contradictions(brackets: Sequence[Bracket], source: str) -> list[Flag]:
    """Radii called proved that lie above what is known of the truth: one of the two solvers is wrong."""
    return [
        Flag(source, "contradiction", _contradiction(each))
        for each in brackets
        if each.lower is not None and each.upper is not None and each.lower > each.upper
    ]


def _contradiction(bracket: Bracket) -> str:
    case = bracket.case
    where = f"{case.label}, norm {case.norm}, d = {case.dim}, pA = {bracket.p_lower!r}"
    proved = f"{bracket.solver} calls {bracket.radius!r} proved"
    return f"{where}: {proved}, and {bracket.upper_solver} says that the true radius is at most {bracket.upper!r}"


def merged_refusals(refused: Iterable[tuple[str, str, Case]]) -> list[Refusal]:
    """(solver, reason, case) -> each reason of a solver once, with its cases."""
    found: dict[tuple[str, str], list[Case]] = {}
    for solver, reason, case in refused:
        cases = found.setdefault((solver, reason), [])
        if case not in cases:
            cases.append(case)
    return [Refusal(solver, reason, tuple(cases)) for (solver, reason), cases in found.items()]


def validation_report(
    data: Validation,
    name: str,
    title: str,
    protocol: Sequence[tuple[str, str]],
    environment: Sequence[tuple[str, str]],
) -> Report:
    """The report of a validation called ``name``; radii that contradict each other are flagged."""
    return Report(
        title=title,
        radii=(),
        certified_accuracy=(),
        summary=(),
        certificates=(),
        curves=(),
        flags=contradictions(data.brackets, name),
        protocol={name: protocol} if protocol else {},
        environment={name: environment} if environment else {},
        notes=(MEANING, BEST) if data.best else (MEANING,),
        validation=data,
    )
