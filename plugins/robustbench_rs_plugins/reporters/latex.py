"""Reporter ``latex``: ``report.tex``, booktabs tables ready to be copied into a paper; compiles as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from robustbench_rs.api import Report, Reporter, hookimpl
from robustbench_rs.api.report import CertifiedAccuracy
from robustbench_rs.api.shown import MISSING
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
from robustbench_rs_plugins.reporters.validation_tables import Cell

RADII_PER_TABLE = 10
ASCII, LATIN = range(0x20, 0x7F), range(0xC0, 0x100)
"""What pdflatex prints with T1 fonts in every version; the two signs among the letters it may not."""

LINE_BREAK = r"\\"

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    # After a line break or an item these would be read as an option.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "\u03c3": r"$\sigma$",
    "\u03b1": r"$\alpha$",
    "\u2026": r"\ldots{}",
    "\u00d7": r"$\times$",
    "\u00b7": r"$\cdot$",
}

PREAMBLE = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage[a4paper,landscape,margin=15mm]{geometry}
\usepackage{array}
\usepackage{booktabs}
\usepackage{longtable}
\usepackage{caption}
\setlength{\tabcolsep}{3pt}
\begin{document}
\small"""


class LatexReporter(Reporter):
    """A document of booktabs tables; the best comparable value at a radius is bold."""

    name: ClassVar[str] = "latex"

    def render(self, report: Report) -> dict[str, str | bytes]:
        """One file, ``report.tex``; needs the packages array, booktabs, caption, longtable and geometry."""
        parts = [PREAMBLE, rf"\section*{{{escaped(report.title)}}}"]
        parts += (
            [_list(f"{flag.source} ({flag.kind}): {flag.message}" for flag in report.flags)] if report.flags else []
        )
        parts += _validation(report.validation) if report.validation is not None else _certified(report)
        parts += [_list(report.notes)] if report.notes else []
        return {"report.tex": "\n\n".join([*parts, r"\end{document}"]) + "\n"}


def _certified(report: Report) -> list[str]:
    summary = [[escaped(cell) for cell in summary_cells(row)] for row in report.summary]
    accuracy = [part for table in tables(report) for part in _accuracy(table, report.radii)]
    parts = [*accuracy, _table("Summary. ACR: average certified radius.", SUMMARY_HEADER, (40, 55), summary)]
    return parts + [part for table in optimization_tables(report) for part in _optimized(table)]


def _optimized(table: OptimizationTable) -> list[str]:
    header, rows = [escaped(name) for name in table.header], [[escaped(cell) for cell in row] for row in table.rows]
    widths = (40,) if table.labels == 2 else ()
    return [_table(f"{escaped(table.title)}.", header, widths, rows), escaped(table.remark)]


def _validation(validation: Validation) -> list[str]:
    parts = [escaped(validation_tables.WHY[validation.kind])]
    for table in validation_tables.tables(validation):
        rows = [[escaped(name), *(_stacked(cell) for cell in cells)] for name, cells in table.rows]
        parts.append(_table(f"{escaped(table.title)}.", [escaped(text) for text in table.header], (45,), rows))
    refused = [f"{each.solver} ({validation_tables.where(each)}): {each.reason}" for each in validation.refusals]
    return [*parts, "Solvers that gave no radius:", _list(refused)] if refused else parts


def _stacked(cell: Cell) -> str:
    """The radius above its label and remark, so that many columns fit on a page."""
    if cell.text == MISSING:
        return ""
    text = rf"\textbf{{{escaped(cell.text)}}}" if cell.best else escaped(cell.text)
    lines = [text, *(rf"\tiny {escaped(part)}" for part in (cell.guarantee, cell.note) if part)]
    return rf"\shortstack[r]{{{LINE_BREAK.join(lines)}}}" if len(lines) > 1 else text


def escaped(text: str) -> str:
    """Text that LaTeX prints as it stands; a character that pdflatex cannot print becomes its code point."""
    plain = "".join(SPECIAL.get(char) or _printable(char) for char in " ".join(text.split()))
    return plain.replace("--", "-{}-")


def _printable(char: str) -> str:
    known = ord(char) in ASCII or (ord(char) in LATIN and char.isalpha())
    return char if known else rf"\texttt{{U+{ord(char):04X}}}"


def _accuracy(table: Table, radii: Sequence[float]) -> list[str]:
    """Tables of at most ten radii each."""
    parts = []
    for start in range(0, len(radii), RADII_PER_TABLE):
        part = slice(start, start + RADII_PER_TABLE)
        header = ("row", "guarantee", *(grid_text(radius) for radius in radii[part]))
        rows = [
            [escaped(f"{setting.source}: {full_label(setting)}"), escaped(labels_of(cells)), *map(_cell, cells[part])]
            for setting, cells in table.rows
        ]
        caption = f"Certified accuracy at radius $r$: {escaped(table.dataset)}, norm {escaped(table.norm)}."
        parts.append(_table(caption, header, (90,), rows))
    return parts


def _cell(row: CertifiedAccuracy) -> str:
    text = fraction(row.certified_accuracy)
    return rf"\textbf{{{text}}}" if row.best else text


def _table(caption: str, header: Sequence[str], widths: Sequence[int], rows: Iterable[Sequence[str]]) -> str:
    """A table of text columns of the ``widths`` in millimetres, the guarantee, and numbers; cells come escaped."""
    text = "".join(rf">{{\raggedright\arraybackslash}}p{{{width}mm}}" for width in widths)
    columns = f"{text}l{'r' * (len(header) - len(widths) - 1)}"
    lines = [rf"\begin{{longtable}}{{{columns}}}", rf"\caption*{{{caption}}}\\"]
    lines += [r"\toprule", " & ".join(header) + r" \\", r"\midrule", r"\endhead"]
    lines += [" & ".join(row) + r" \\" for row in rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{longtable}"])


def _list(lines: Iterable[str]) -> str:
    items = "\n".join(rf"\item {escaped(line)}" for line in lines)
    return f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}"


@hookimpl
def robustbench_rs_reporters() -> list[type[Reporter]]:
    """This module's reporter."""
    return [LatexReporter]
