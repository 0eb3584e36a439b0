"""What the text reporters share: rows grouped into tables, numbers as text. Radii are rounded down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from robustbench_rs.api.report import CertifiedAccuracy, Report, Setting, Summary, round_down

SUMMARY_HEADER = (
    "source",
    "row",
    "guarantee",
    "ACR",
    "robustness score",
    "clean acc.",
    "smoothed acc.",
    "abstained",
    "max radius",
    "inputs",
    "samples",
    "seconds",
)


@dataclass(frozen=True)
class Table:
    """Certified accuracy of one data set and norm: one row per setting, one entry per radius of the grid."""

    dataset: str
    norm: str
    rows: Sequence[tuple[Setting, Sequence[CertifiedAccuracy]]]


def tables(report: Report) -> list[Table]:
    """The certified accuracies by data set and norm, in the order of the report."""
    grouped: dict[tuple[str, str], dict[Setting, list[CertifiedAccuracy]]] = {}
    for row in report.certified_accuracy:
        settings = grouped.setdefault((row.setting.dataset, row.setting.norm), {})
        settings.setdefault(row.setting, []).append(row)
    return [Table(dataset, norm, list(settings.items())) for (dataset, norm), settings in grouped.items()]


def summary_cells(row: Summary) -> tuple[str, ...]:
    """One line under :data:`SUMMARY_HEADER`; empty where nothing was measured."""
    return (
        row.setting.source,
        full_label(row.setting),
        row.guarantee,
        radius_text(row.acr),
        radius_text(row.robustness_score),
        fraction(row.clean_accuracy),
        fraction(row.smoothed_accuracy),
        fraction(row.abstention_rate),
        radius_text(row.max_radius),
        f"{row.n_inputs:,}",
        "" if row.samples is None else f"{row.samples:,}",
        "" if row.seconds is None else f"{row.seconds:.1f}",
    )


def full_label(setting: Setting) -> str:
    """Label with norm and solver, as far as there are any."""
    parts = (f"norm {setting.norm}" if setting.norm else "", setting.solver)
    return ", ".join([setting.label, *(part for part in parts if part)])


def fraction(value: float | None) -> str:
    """Three places; empty for None."""
    return "" if value is None else f"{value:.3f}"


def radius_text(value: float | None) -> str:
    """Three places, rounded down; empty for None."""
    return "" if value is None else round_down(value)


def grid_text(radius: float) -> str:
    """A radius of the grid, down to four places: an accuracy at r holds for every smaller radius too."""
    number = Decimal(repr(radius)).quantize(Decimal("0.0001"), ROUND_FLOOR).normalize()
    return f"{number:f}"


def labels_of(rows: Sequence[CertifiedAccuracy]) -> str:
    """The labels of a row of the table, in the order of the grid, each once."""
    return ", ".join(dict.fromkeys(row.guarantee for row in rows if row.guarantee))


def literal(text: str) -> str:
    """Text for a figure in which a dollar starts no formula, and a first underscore hides nothing from the legend."""
    plain = text.replace("$", r"\$")
    return f" {plain}" if plain.startswith("_") else plain
