"""The figure of a validation, on a probit axis of pA: there the radius of Gaussian noise is a straight line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from robustbench_rs.api.validation import Validation
from robustbench_rs_plugins.reporters.layout import literal
from robustbench_rs_plugins.reporters.validation_lines import Line, Panel, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_INCHES = (6.4, 4.2)
COLUMNS = 2
STYLES = ("-", "--", "-.", ":")
COLOURS = 10


def validation_figure(validation: Validation, title: str) -> Figure:
    """One panel for each level. Built without pyplot, so that no global state and no window system is touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = panels(validation)
    columns = min(COLUMNS, max(1, len(drawn)))
    rows = max(1, -(-len(drawn) // columns))
    figure = Figure(figsize=(PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, panel in zip(axes, drawn, strict=False):
        _draw(ax, panel)
    for ax in axes[len(drawn) :]:
        ax.set_axis_off()
    figure.suptitle(literal(title))
    return figure


def _draw(ax: Axes, panel: Panel) -> None:
    from scipy.special import ndtri

    how: dict[str, Any] = {"drawstyle": "steps-post"} if panel.steps else {"marker": "o", "markersize": 4}
    for line in panel.lines:
        label = literal(f"{line.name} ({line.guarantee})")
        ax.plot(ndtri(line.p_lower), line.value, label=label, **how, **_style(line))
    ax.set_xticks(ndtri(np.array(panel.ticks)), panel.tick_texts)
    ax.set(title=literal(panel.level.title), xlabel="pA (lower bound of the top class)", ylabel=panel.axis)
    ax.set_ylim(bottom=0)
    ax.grid(alpha=0.3)
    if panel.lines:
        ax.legend(fontsize="x-small")


def _style(line: Line) -> dict[str, Any]:
    return {"color": f"C{line.number % COLOURS}", "linestyle": STYLES[line.number // COLOURS % len(STYLES)]}
