"""The page of a validation: curves and tables by norm, dimension and sigma, as texts and as data for its script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from robustbench_rs.api import Report
from robustbench_rs.api.shown import shown_down, shown_up
from robustbench_rs.api.validation import Validation
from robustbench_rs_plugins.reporters import validation_tables
from robustbench_rs_plugins.reporters.page.facts import merged, remarks
from robustbench_rs_plugins.reporters.page.numbers import norm_label
from robustbench_rs_plugins.reporters.page.settings import Style, numbered_style
from robustbench_rs_plugins.reporters.validation_lines import Line, Panel, panels
from robustbench_rs_plugins.reporters.validation_tables import Level, Table

DRAWN_DIGITS = 7


@dataclass(frozen=True)
class LegendEntry:
    """A line by its position in the panel, as the legend names it."""

    panel: int
    line: int
    name: str
    guarantee: str
    style: Style


@dataclass(frozen=True)
class Refused:
    solver: str
    reason: str
    where: str


def validation_content(report: Report, validation: Validation) -> dict[str, Any]:
    """What the template ``validation.html`` shows."""
    drawn = panels(validation)
    tables = validation_tables.radius_tables(validation)
    levels = list(dict.fromkeys([panel.level for panel in drawn] + [table.level for table in tables]))
    return {
        "report": report,
        "validation": validation,
        "lead": validation_tables.lead(report),
        "why": validation_tables.WHY[validation.kind],
        "remarks": remarks(report),
        "norms": [(norm, norm_label(norm)) for norm in _once(level.norm for level in levels)],
        "dims": _once(level.dim for level in levels),
        "sigmas": _once(level.sigma for level in levels if level.sigma is not None),
        "panels": drawn,
        "legend": [entry for number, panel in enumerate(drawn) for entry in _legend(number, panel)],
        "best": validation_tables.best_table(validation),
        "tables": [(table, _spans(table)) for table in tables],
        "refusals": [Refused(each.solver, each.reason, validation_tables.where(each)) for each in validation.refusals],
        "protocol": merged(report.protocol),
        "environment": merged(report.environment),
    }


def _once(values: Any) -> list[Any]:
    return list(dict.fromkeys(values))


def _legend(number: int, panel: Panel) -> list[LegendEntry]:
    return [
        LegendEntry(number, i, line.name, line.guarantee, numbered_style(line.number))
        for i, line in enumerate(panel.lines)
    ]


def _spans(table: Table) -> list[int]:
    """How many rows the name at the head of each row stands for; 0 where it was said above."""
    spans: list[int] = []
    start = 0
    for i, (name, _) in enumerate(table.rows):
        if i and table.rows[start][0] == name:
            spans[start] += 1
            spans.append(0)
        else:
            start = i
            spans.append(1)
    return spans


def validation_chart(validation: Validation) -> dict[str, Any]:
    """Plain JSON for ``validation.js``: positions on the probit axis of pA, and texts that are rounded down."""
    return {"panels": [_panel(panel) for panel in panels(validation)]}


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        **_level(panel.level),
        "axis": panel.axis,
        "steps": panel.steps,
        "ticks": [float(x) for x in ndtri(np.array(panel.ticks))],
        "tickTexts": panel.tick_texts,
        "lines": [_line(line) for line in panel.lines],
    }


def _level(level: Level) -> dict[str, str]:
    """As in the attributes of the page's elements."""
    return {"norm": level.norm, "dim": str(level.dim), "sigma": level.sigma or ""}


def _line(line: Line) -> dict[str, Any]:
    style = numbered_style(line.number)
    return {
        "name": line.name,
        "guarantee": line.guarantee,
        "color": style.color,
        "dash": style.dash,
        "symbol": style.symbol,
        "x": np.round(ndtri(line.p_lower), 6).tolist(),
        "y": [float(text) for text in _texts(line.value.tolist(), DRAWN_DIGITS)],
        "texts": _texts(line.value.tolist()),
        "pTexts": [shown_up(p, 6) for p in line.p_lower.tolist()],
    }


def _texts(values: Sequence[float], digits: int = 5) -> list[str]:
    return [shown_down(value, digits) for value in values]
