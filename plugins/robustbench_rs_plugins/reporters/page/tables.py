"""Rows of the page's tables, as text: certified accuracy, summary, paired tests, cost, and the key numbers on top."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from robustbench_rs.api import Report
from robustbench_rs.api.report import CertifiedAccuracy, Summary
from robustbench_rs_plugins.reporters.page import numbers
from robustbench_rs_plugins.reporters.page.settings import Catalogue, Group, Shown, params_text


@dataclass(frozen=True)
class Cell:
    """One certified accuracy. ``guarantee``: stated per cell only where the cells of its row differ."""

    value: str
    interval: str
    best: bool
    guarantee: str


@dataclass(frozen=True)
class AccuracyRow:
    shown: Shown
    guarantees: list[str]
    n_inputs: str
    cells: list[Cell | None]


@dataclass(frozen=True)
class AccuracyTable:
    """``radii``: the columns; a cell is None where a setting has no value at that radius."""

    radii: list[str]
    rows: list[AccuracyRow]


def accuracy_table(report: Report, catalogue: Catalogue, group: Group) -> AccuracyTable:
    """Certified accuracy on the grid, one row per setting of the group."""
    found: dict[Shown, dict[float, CertifiedAccuracy]] = defaultdict(dict)
    for row in report.certified_accuracy:
        shown = catalogue[row.setting]
        if group.holds(shown):
            found[shown][row.radius] = row
    radii = sorted({radius for rows in found.values() for radius in rows})
    ordered = [shown for shown in catalogue.of(group) if shown in found]
    return AccuracyTable(
        [numbers.threshold(radius) for radius in radii],
        [_accuracy_row(shown, found[shown], radii) for shown in ordered],
    )


def _accuracy_row(shown: Shown, rows: dict[float, CertifiedAccuracy], radii: Sequence[float]) -> AccuracyRow:
    guarantees = sorted({row.guarantee for row in rows.values() if row.guarantee})
    mixed = len(guarantees) > 1
    cells = [_cell(rows[radius], mixed) if radius in rows else None for radius in radii]
    inputs = sorted({row.n_inputs for row in rows.values()})
    return AccuracyRow(
        shown, guarantees, " to ".join(numbers.count(n) for n in (inputs[0], inputs[-1])[: len(inputs)]), cells
    )


def _cell(row: CertifiedAccuracy, mixed: bool) -> Cell:
    return Cell(
        numbers.fraction(row.certified_accuracy),
        numbers.interval(row.lower, row.upper),
        row.best,
        row.guarantee if mixed else "",
    )


@dataclass(frozen=True)
class SummaryRow:
    shown: Shown
    noise: str
    acr: str
    clean: str
    smoothed: str
    abstention: str
    max_radius: str
    score: str
    n_inputs: str
    samples: str
    seconds: str


def summary_rows(report: Report, catalogue: Catalogue, group: Group) -> list[SummaryRow]:
    """One line per setting of the group, the envelope last."""
    rows = {row.setting: row for row in report.summary if group.holds(catalogue[row.setting])}
    digits = numbers.radius_digits(max((row.acr or 0.0 for row in rows.values()), default=0.0))
    return [_summary_row(rows[each.setting], each, digits) for each in catalogue.of(group) if each.setting in rows]


def _summary_row(row: Summary, shown: Shown, digits: int) -> SummaryRow:
    params = params_text(row.setting)
    return SummaryRow(
        shown=shown,
        noise=f"{row.setting.noise} ({params})" if params else row.setting.noise,
        acr=numbers.radius(row.acr, digits),
        clean=numbers.fraction(row.clean_accuracy),
        smoothed=numbers.fraction(row.smoothed_accuracy),
        abstention=numbers.fraction(row.abstention_rate),
        max_radius=numbers.radius(row.max_radius),
        score=numbers.radius(row.robustness_score, digits),
        n_inputs=numbers.count(row.n_inputs),
        samples=numbers.count(row.samples),
        seconds=numbers.seconds(row.seconds),
    )


@dataclass(frozen=True)
class Level:
    """One noise level of a defense in the headline. ``values``: certified accuracy at the headline's radii."""

    name: str
    shown: Shown
    acr: str
    values: list[str]


@dataclass(frozen=True)
class Headline:
    """``defenses``: (name, its levels), in the report's order, the envelope last."""

    radii: list[str]
    defenses: list[tuple[str, list[Level]]]


def headline(table: AccuracyTable, summary: Sequence[SummaryRow]) -> Headline:
    """The key numbers: per defense the average certified radius and the certified accuracy at a couple of radii."""
    columns = _headline_columns(table)
    values = {row.shown: [cell.value if cell else numbers.MISSING for cell in row.cells] for row in table.rows}
    defenses: dict[tuple[str, str], list[Level]] = defaultdict(list)
    for row in summary:
        known = values.get(row.shown, [numbers.MISSING] * len(table.radii))
        setting = row.shown.setting
        level = Level(_level_name(row.shown), row.shown, row.acr, [known[column] for column in columns])
        defenses[setting.defense, setting.source].append(level)
    names = [defense for defense, _ in defenses]
    titles = [f"{name} ({source})" if names.count(name) > 1 else name for name, source in defenses]
    return Headline([table.radii[column] for column in columns], list(zip(titles, defenses.values(), strict=True)))


def _headline_columns(table: AccuracyTable) -> list[int]:
    """The first radius above 0 and one further out, of those where something is still certified."""
    alive = [
        column
        for column, radius in enumerate(table.radii)
        if float(radius) > 0 and any(_certifies(row.cells[column]) for row in table.rows)
    ]
    return sorted({alive[0], alive[min(len(alive) - 1, max(1, len(alive) // 3))]}) if alive else []


def _certifies(cell: Cell | None) -> bool:
    return cell is not None and float(cell.value) > 0


def _level_name(shown: Shown) -> str:
    if shown.post_hoc:
        return "best noise level at each radius"
    head = f"{shown.setting.defense}, "
    return shown.name.removeprefix(head) if shown.name.startswith(head) else shown.name


@dataclass(frozen=True)
class PairedRow:
    first: Shown
    second: Shown
    radius: str
    n_inputs: str
    only_first: str
    only_second: str
    p_value: str
    p_adjusted: str


def paired_rows(report: Report, catalogue: Catalogue, group: Group) -> list[PairedRow]:
    """The paired tests of the group's settings, as the report orders them."""
    return [
        PairedRow(
            catalogue[test.first],
            catalogue[test.second],
            numbers.threshold(test.radius),
            numbers.count(test.n_inputs),
            numbers.count(test.only_first),
            numbers.count(test.only_second),
            numbers.p_value(test.p_value),
            numbers.p_value(test.p_adjusted),
        )
        for test in report.paired
        if group.holds(catalogue[test.first])
    ]
