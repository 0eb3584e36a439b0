"""Reporter ``latex``: ``report.tex``, booktabs tables ready to be copied into a paper; compiles as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from robustbench_rs.api import Report, Reporter, hookimpl
from robustbench_rs.api.report import CertifiedAccuracy
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

RADII_PER_TABLE = 10
ASCII, LATIN = range(0x20, 0x7F), range(0xC0, 0x100)
"""What pdflatex prints with T1 fonts in every version; the two signs among the letters it may not."""

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
        parts += [part for table in tables(report) for part in _accuracy(table, report.radii)]
        summary = [[escaped(cell) for cell in summary_cells(row)] for row in report.summary]
        parts.append(_table("Summary. ACR: average certified radius.", SUMMARY_HEADER, (40, 55), summary))
        parts += [_list(report.notes)] if report.notes else []
        return {"report.tex": "\n\n".join([*parts, r"\end{document}"]) + "\n"}


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
