"""The tables of a validation for other programs: floats by ``repr``, an empty field where nothing is known."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from robustbench_rs.api.validation import BestNoise, Bracket, Case, RadiusCurve, Refusal, SolverRadius, Validation

CASE = ("noise", "noise_params", "sigma", "norm", "dim")
RADII = (*CASE, "p_lower", "p_upper", "solver", "solver_used", "guarantee", "radius", "upper", "closed_form", "exact")
RADII_COLUMNS = (*RADII, "ratio_to_closed_form")
BRACKET_COLUMNS = (
    *CASE, "p_lower", "p_upper", "lower", "lower_solver", "upper", "upper_solver", "ratio", "radius", "guarantee",
    "solver", "closed_form", "exact",
)  # fmt: skip
CURVE_COLUMNS = (*CASE, "solver", "guarantee", "p_lower", "radius", "upper")
BEST_COLUMNS = (*CASE, "p_lower", "radius", "guarantee", "decided")
REFUSAL_COLUMNS = (*CASE, "solver", "reason")


def validation_files(validation: Validation) -> dict[str, str | bytes]:
    """``validation.csv`` (a row per solver), ``brackets.csv``, ``refused.csv``; curves and best noises if there are."""
    files: dict[str, str | bytes] = {}
    if validation.radii or not validation.curves:
        files["validation.csv"] = _table(RADII_COLUMNS, map(_radius, validation.radii))
        files["brackets.csv"] = _table(BRACKET_COLUMNS, map(_bracket, validation.brackets))
    if validation.curves:
        files["curves.csv"] = _table(CURVE_COLUMNS, (row for curve in validation.curves for row in _curve(curve)))
    if validation.best:
        files["best_noise.csv"] = _table(BEST_COLUMNS, map(_best, validation.best))
    if validation.refusals or validation.radii:
        rows = (row for refusal in validation.refusals for row in _refusal(refusal))
        files["refused.csv"] = _table(REFUSAL_COLUMNS, rows)
    return files


def _case(case: Case) -> tuple[Any, ...]:
    return case.noise, case.noise_params, case.sigma, case.norm, case.dim


def _radius(row: SolverRadius) -> tuple[Any, ...]:
    solver = (row.solver, row.solver_used, row.guarantee, row.radius, row.upper, row.closed_form)
    return (*_case(row.case), row.p_lower, row.p_upper, *solver, _exact(row), row.ratio)


def _exact(row: SolverRadius | Bracket) -> bool | None:
    """Whether the closed form is the largest radius that holds; unknown where there is none."""
    return None if row.closed_form is None else row.exact


def _bracket(row: Bracket) -> tuple[Any, ...]:
    lower = (row.lower, row.solver if row.lower is not None else None, row.upper, row.upper_solver or None, row.ratio)
    best = (row.radius, row.guarantee, row.solver, row.closed_form, _exact(row))
    return (*_case(row.case), row.p_lower, row.p_upper, *lower, *best)


def _curve(curve: RadiusCurve) -> Iterator[tuple[Any, ...]]:
    points = zip(curve.p_lower.tolist(), curve.radius.tolist(), curve.upper.tolist(), strict=True)
    for p_lower, radius, upper in points:
        known = upper if math.isfinite(upper) else None
        yield (*_case(curve.case), curve.solver, curve.guarantee, p_lower, radius, known)


def _best(row: BestNoise) -> tuple[Any, ...]:
    return (*_case(row.case), row.p_lower, row.radius, row.guarantee, row.decided)


def _refusal(refusal: Refusal) -> Iterator[tuple[Any, ...]]:
    for case in refusal.cases:
        yield (*_case(case), refusal.solver, refusal.reason)


def _table(columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_field(value) for value in row] for row in rows)
    return text.getvalue()


def _field(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return repr(float(value)) if isinstance(value, float) else value
