"""The whole page: rows of the report -> texts -> template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from robustbench_rs.api import Report
from robustbench_rs.api.report import PER_INPUT_NOISE
from robustbench_rs.api.validation import Validation
from robustbench_rs_plugins.reporters.optimization import optimization_tables
from robustbench_rs_plugins.reporters.page import numbers
from robustbench_rs_plugins.reporters.page.chart import bands_start_shown, chart_data
from robustbench_rs_plugins.reporters.page.embed import json_for_script, script_text, security_policy
from robustbench_rs_plugins.reporters.page.facts import budget, merged, remarks
from robustbench_rs_plugins.reporters.page.gallery import gallery
from robustbench_rs_plugins.reporters.page.histogram import Histograms, histograms
from robustbench_rs_plugins.reporters.page.settings import Catalogue, Group, Shown, params_text
from robustbench_rs_plugins.reporters.page.tables import (
    AccuracyTable,
    Headline,
    PairedRow,
    SummaryRow,
    accuracy_table,
    headline,
    paired_rows,
    summary_rows,
)
from robustbench_rs_plugins.reporters.page.validation import validation_chart, validation_content


@dataclass(frozen=True)
class View:
    """What the page shows of one data set in one norm."""

    group: Group
    accuracy: AccuracyTable
    summary: list[SummaryRow]
    headline: Headline
    radii: Histograms | None
    paired: list[PairedRow]
    curves: list[Shown]


def render_page(report: Report) -> str:
    """The report as one HTML document; the same report gives the same text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=PackageLoader("robustbench_rs_plugins.reporters", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    loader: Any = environment.loader
    shown = _certificates(report) if report.validation is None else _validated(report, report.validation)
    plotly, page_script = (
        script_text(get_plotlyjs()),
        script_text(loader.get_source(environment, f"{shown.name}.js")[0]),
    )
    return environment.get_template(f"{shown.name}.html").render(
        **shown.content,
        policy=security_policy([plotly, page_script]),
        style=Markup(loader.get_source(environment, "report.css")[0]),
        plotly=Markup(plotly),
        page_script=Markup(page_script),
        chart_json=Markup(json_for_script(shown.chart)),
    )


@dataclass(frozen=True)
class _Shown:
    """A template and a script of that ``name``, and what they are given."""

    name: str
    content: dict[str, Any]
    chart: dict[str, Any]


def _certificates(report: Report) -> _Shown:
    catalogue = Catalogue(report)
    return _Shown("report", _content(report, catalogue), chart_data(report, catalogue))


def _validated(report: Report, validation: Validation) -> _Shown:
    return _Shown("validation", validation_content(report, validation), validation_chart(validation))


def _content(report: Report, catalogue: Catalogue) -> dict[str, Any]:
    radii = histograms(report, catalogue, catalogue.groups)
    drawn = {curve.setting for curve in report.curves}
    return {
        "report": report,
        "catalogue": catalogue,
        "numbers": numbers,
        "views": [_view(report, catalogue, group, radii.get(group), drawn) for group in catalogue.groups],
        "params_text": params_text,
        "curve_index": {curve.setting: index for index, curve in enumerate(report.curves)},
        "start_norm": _start_norm(catalogue),
        "bands": bands_start_shown(report, catalogue),
        "remarks": remarks(report),
        "walls": gallery(report, catalogue),
        "budget": budget(report),
        "protocol": merged(report.protocol),
        "environment": merged(report.environment),
        "guarantees": {row.guarantee for row in report.summary},
        "per_input": any(row.guarantee.endswith(PER_INPUT_NOISE) for row in report.summary),
        "optimization": optimization_tables(report),
        "lead": _lead(report, catalogue),
    }


def _view(report: Report, catalogue: Catalogue, group: Group, radii: Histograms | None, drawn: set[Any]) -> View:
    accuracy, summary = accuracy_table(report, catalogue, group), summary_rows(report, catalogue, group)
    curves = [shown for shown in catalogue.of(group) if shown.setting in drawn]
    paired = paired_rows(report, catalogue, group)
    return View(group, accuracy, summary, headline(accuracy, summary), radii, paired, curves)


def _start_norm(catalogue: Catalogue) -> str:
    """l2, the field's usual norm, of those that the first data set has; else the first one."""
    norms = [group.norm for group in catalogue.groups if group.dataset == 0 and group.norm]
    return "2" if "2" in norms else next(iter(norms), "")


def _lead(report: Report, catalogue: Catalogue) -> str:
    """One line under the title: what was evaluated, on what."""
    rows = [row for row in report.summary if not catalogue[row.setting].post_hoc]
    defenses = len({(row.setting.source, row.setting.defense) for row in rows})
    sources = len({row.setting.source for row in rows})
    inputs = sorted({row.n_inputs for row in rows})
    sizes = f"{inputs[0]:,} to {inputs[-1]:,}" if len(inputs) > 1 else f"{inputs[0]:,}" if inputs else "no"
    parts = [_plural(defenses, "defense"), ", ".join(catalogue.datasets), f"{sizes} inputs"]
    return " · ".join(part for part in [*parts, _plural(sources, "source") if sources > 1 else ""] if part)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
