"""``radius --curve FILE``: R(pA) of one or several noises as a table, a figure or a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from robustbench_rs.api import Reporter, Tables
from robustbench_rs.api.report import norm_name
from robustbench_rs.api.validation import RadiusCurve, Validation
from robustbench_rs.cli.components import choose
from robustbench_rs.cli.question import Question
from robustbench_rs.errors import InputError
from robustbench_rs.evaluation.validation import Solvers, Subject, curves_of
from robustbench_rs.files import write_atomic
from robustbench_rs.plugins import Registry
from robustbench_rs.reporting import render_report, validation_report

TOP = 1 - 1e-6
FORMATS: Mapping[str, tuple[str, str]] = {
    ".csv": ("csv", "curves.csv"),
    ".png": ("png", "validation.png"),
    ".pdf": ("pdf", "validation.pdf"),
    ".html": ("html", "report.html"),
}
"""Ending of the file -> reporter, and which of its files is wanted."""


def write_curves(
    questions: Sequence[Question], registry: Registry, path: Path, tables: Tables | None = None
) -> list[str]:
    """Write the curves in the format that the file's name ends with, for pB = 1 - pA.

    Returns the names of noises that no solver gives a curve for. Raises :class:`InputError` for any other ending, or
    when no noise has a curve.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"--curve {path}: the name must end in {', '.join(FORMATS)}")
    name, file = FORMATS[path.suffix.lower()]
    reporter: Reporter = choose(registry, "reporter", name, ()).make()
    found = [_curves(question, registry, tables) for question in questions]
    curves = [curve for each in found for curve in each]
    where = f"norm {norm_name(questions[0].norm)}, dimension {questions[0].dim}"
    if not curves:
        raise InputError(f"--curve: no solver gives a radius in {where}; ask for one radius to see why (--p-lower)")
    data = validation_report(Validation("optimality", curves=curves), "radius", f"Certified radius, {where}", (), ())
    write_atomic(path, render_report(data, [reporter])[file])
    return [question.noise.name for question, each in zip(questions, found, strict=True) if not each]


def _curves(question: Question, registry: Registry, tables: Tables | None) -> Sequence[RadiusCurve]:
    subject = Subject(question.noise, question.noise.make(), question.norm, question.dim)
    return curves_of(subject, Solvers([question.asked], registry, tables), TOP)
