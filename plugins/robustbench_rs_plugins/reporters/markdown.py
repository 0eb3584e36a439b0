"""Reporter ``markdown``: ``report.md``, the tables for a README, an issue or a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar

from robustbench_rs.api import Report, Reporter, hookimpl
from robustbench_rs.api.report import CertifiedAccuracy, PairedTest
from robustbench_rs.api.validation import Validation
from robustbench_rs_plugins.reporters import validation_tables
from robustbench_rs_plugins.reporters.layout import (
    SUMMARY_HEADER,
    Table,
    fraction,
    full_label,
    grid_text,
    labels_of,
    summary_cells,
    tables,
)
from robustbench_rs_plugins.reporters.optimization import OptimizationTable, optimization_tables
from robustbench_rs_plugins.reporters.validation_tables import WHY, Cell

SIGNIFICANT = 0.05
SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


class MarkdownReporter(Reporter):
    """GitHub-flavoured Markdown; the best comparable value at a radius is bold."""

    name: ClassVar[str] = "markdown"

    def render(self, report: Report) -> dict[str, str | bytes]:
        """One file, ``report.md``."""
        parts = [f"# {_escaped(report.title)}"]
        parts += [_flags(report)] if report.flags else []
        parts += _validation(report.validation) if report.validation is not None else _certified(report)
        parts += [_paired(report.paired)] if report.paired else []
        parts += [_pairs(f"Protocol: {name}", pairs) for name, pairs in report.protocol.items()]
        parts += [_budget(report)] if report.budget else []
        parts += [_pairs(f"Environment: {name}", pairs) for name, pairs in report.environment.items()]
        parts += [_list("Notes", report.notes)] if report.notes else []
        return {"report.md": "\n\n".join(parts) + "\n"}


def _certified(report: Report) -> list[str]:
    summary = "## Summary\n\n" + _grid(SUMMARY_HEADER, map(summary_cells, report.summary), labels=3)
    accuracy = (_accuracy(table, report.radii) for table in tables(report))
    return [*accuracy, summary, *map(_optimized, optimization_tables(report))]


def _optimized(table: OptimizationTable) -> str:
    grid = _grid([_escaped(name) for name in table.header], table.rows, labels=table.labels)
    return f"## {_escaped(table.title)}\n\n{_escaped(table.remark)}\n\n{grid}"


def _validation(validation: Validation) -> list[str]:
    parts = [WHY[validation.kind]]
    for table in validation_tables.tables(validation):
        rows = [(name, *(_told(cell) for cell in cells)) for name, cells in table.rows]
        parts.append(
            f"## {_escaped(table.title)}\n\n{_grid([_escaped(text) for text in table.header], rows, labels=1)}"
        )
    refused = [(each.solver, each.reason, validation_tables.where(each)) for each in validation.refusals]
    grid = _grid(("solver", "reason", "for"), refused, labels=3)
    return [*parts, f"## Solvers that gave no radius\n\n{grid}"] if refused else parts


def _told(cell: Cell) -> str:
    return f"**{_escaped(cell.plain)}**" if cell.best else _escaped(cell.plain)


def _escaped(text: str) -> str:
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _grid(header: Sequence[str], rows: Iterable[Sequence[str]], labels: int) -> str:
    """A table whose first ``labels`` columns are text, left aligned; cells come escaped where they hold markup."""
    lines = [f"| {' | '.join(header)} |", f"|{'|'.join([':---'] * labels + ['---:'] * (len(header) - labels))}|"]
    for row in rows:
        cells = [_escaped(cell) for cell in row[:labels]] + list(row[labels:])
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _accuracy(table: Table, radii: Sequence[float]) -> str:
    header = ("source", "row", "guarantee", *(f"r = {grid_text(radius)}" for radius in radii))
    rows = [
        (setting.source, full_label(setting), labels_of(cells), *map(_cell, cells)) for setting, cells in table.rows
    ]
    title = f"## Certified accuracy: {_escaped(table.dataset)}, norm {_escaped(table.norm)}"
    return f"{title}\n\n{_grid(header, rows, labels=3)}"


def _cell(row: CertifiedAccuracy) -> str:
    text = fraction(row.certified_accuracy)
    return f"**{text}**" if row.best else text


def _paired(tests: Sequence[PairedTest]) -> str:
    """The tests that tell two rows apart; all of them stand in the report's data."""
    clear = [test for test in tests if test.p_adjusted < SIGNIFICANT]
    title = f"## Paired tests\n\n{len(clear)} of {len(tests)} have an adjusted p-value below {SIGNIFICANT}."
    if not clear:
        return title
    header = ("first", "second", "r", "only first", "only second", "p adjusted")
    rows = [
        (
            f"{test.first.source}: {full_label(test.first)}",
            f"{test.second.source}: {full_label(test.second)}",
            grid_text(test.radius),
            str(test.only_first),
            str(test.only_second),
            f"{test.p_adjusted:.2g}",
        )
        for test in clear
    ]
    return f"{title}\n\n{_grid(header, rows, labels=2)}"


def _flags(report: Report) -> str:
    lines = [
        f"- **{_escaped(flag.source)}** ({_escaped(flag.kind)}): {_escaped(flag.message)}" for flag in report.flags
    ]
    return "## What to know first\n\n" + "\n".join(lines)


def _budget(report: Report) -> str:
    rows = [(share.source, share.purpose, repr(share.alpha)) for share in report.budget]
    scope = "for all inputs at once" if report.simultaneous else "per input"
    return f"## Failure probability, {scope}\n\n{_grid(('source', 'purpose', 'alpha'), rows, labels=2)}"


def _pairs(title: str, pairs: Sequence[tuple[str, str]]) -> str:
    return f"## {_escaped(title)}\n\n{_grid(('what', 'value'), pairs, labels=2)}"


def _list(title: str, lines: Sequence[str]) -> str:
    return f"## {title}\n\n" + "\n".join(f"- {_escaped(line)}" for line in lines)


@hookimpl
def robustbench_rs_reporters() -> list[type[Reporter]]:
    """This module's reporter."""
    return [MarkdownReporter]
