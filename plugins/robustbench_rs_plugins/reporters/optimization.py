"""What reporters show of a noise optimisation: the path to one parameter vector, or a summary of those per input."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from robustbench_rs.api import Report
from robustbench_rs.api.report import Candidate, round_down

VALUE_DIGITS = 4


@dataclass(frozen=True)
class OptimizationTable:
    """One optimisation as text. ``labels``: how many columns of ``rows`` are text, the rest being numbers."""

    title: str
    remark: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    labels: int


def optimization_tables(report: Report) -> list[OptimizationTable]:
    """One table for each optimised task: every candidate of c-opt; the range of the choices of i-opt."""
    tasks: dict[tuple[str, ...], list[Candidate]] = {}
    for row in report.candidates:
        tasks.setdefault((row.source, row.defense, row.noise, row.noise_params), []).append(row)
    return [_path(rows) if rows[0].index is None else _spread(rows) for rows in tasks.values()]


def _path(rows: Sequence[Candidate]) -> OptimizationTable:
    names = sorted(json.loads(rows[0].params))
    return OptimizationTable(
        _title(rows[0], "chosen for all inputs"),
        _remark(rows[0]),
        ("candidate", "guarantee", *names, rows[0].objective),
        [
            (
                f"{row.number}{' (the spec)' if row.number == 1 else ''}{' (chosen)' if row.chosen else ''}",
                row.guarantee or "no radius",
                *(f"{json.loads(row.params)[name]:g}" for name in names),
                round_down(row.value, VALUE_DIGITS),
            )
            for row in rows
        ],
        labels=2,
    )


def _spread(rows: Sequence[Candidate]) -> OptimizationTable:
    names = sorted(json.loads(rows[0].params))
    chosen = [row for row in rows if row.chosen]
    labels = ", ".join(sorted({row.guarantee or "no radius" for row in chosen}))
    inputs = f"{len(chosen)} inputs, {labels}; each input's own choice stands in optimization.csv. "
    return OptimizationTable(
        _title(rows[0], "chosen for each input"),
        inputs + _remark(rows[0]),
        ("over the inputs", "smallest", "median", "largest", "mean"),
        [
            *(_line(name, [json.loads(row.params)[name] for row in chosen]) for name in names),
            _line(f"{rows[0].objective}, the spec's noise", [row.value for row in rows if row.number == 1]),
            _line(f"{rows[0].objective}, the chosen noise", [row.value for row in chosen]),
        ],
        labels=1,
    )


def _line(name: str, values: Sequence[float]) -> tuple[str, ...]:
    return name, *(round_down(value, VALUE_DIGITS) for value in _range(values))


def _range(values: Sequence[float]) -> Iterator[float]:
    yield from (min(values), statistics.median_low(values), max(values), statistics.fmean(values))


def _title(row: Candidate, what: str) -> str:
    return f"Noise optimisation ({row.mode}) of {row.defense}: {row.noise} {row.noise_params}, {what}, norm {row.norm}"


def _remark(row: Candidate) -> str:
    return (
        "The values of all candidates hold jointly, per input, with probability at least "
        f"1 - {row.alpha:g}. None of their draws is used in a certificate."
    )
