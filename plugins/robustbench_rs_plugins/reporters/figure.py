"""Reporters ``png`` and ``pdf``: certified accuracy against radius, one panel per data set and norm."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from robustbench_rs.api import Report, Reporter, hookimpl
from robustbench_rs.api.report import ENVELOPE, Curve, Setting
from robustbench_rs_plugins.reporters.layout import literal
from robustbench_rs_plugins.reporters.validation_figure import validation_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_INCHES = (6.4, 4.2)
LINES = ("-", "--", "-.", ":")
COLOURS = 10
"""Colours of matplotlib's default cycle; after as many curves the line style changes."""


class PngReporter(Reporter):
    """``certified_accuracy.png``: curves with their 95 per cent bands, 150 dots per inch; ``validation.png``."""

    name: ClassVar[str] = "png"

    def render(self, report: Report) -> dict[str, str | bytes]:
        """One file; the same report gives the same bytes."""
        return {f"{_name(report)}.png": _drawn(report, "png", {"Software": None}, dpi=150)}


class PdfReporter(Reporter):
    """``certified_accuracy.pdf``, ``validation.pdf``: the same figure, as vectors for a paper."""

    name: ClassVar[str] = "pdf"

    def render(self, report: Report) -> dict[str, str | bytes]:
        """One file; the same report gives the same bytes, for it holds no date."""
        metadata = {"CreationDate": None, "Creator": None, "Producer": None}
        return {f"{_name(report)}.pdf": _drawn(report, "pdf", metadata)}


def _name(report: Report) -> str:
    return "certified_accuracy" if report.validation is None else "validation"


def _drawn(report: Report, kind: str, metadata: Mapping[str, Any], dpi: float = 100) -> bytes:
    file = io.BytesIO()
    validation = report.validation
    figure = _figure(report) if validation is None else validation_figure(validation, report.title)
    figure.savefig(file, format=kind, metadata=dict(metadata), dpi=dpi)
    return file.getvalue()


def _figure(report: Report) -> Figure:
    """Built without pyplot, so that no global state and no window system is touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels: dict[tuple[str, str], list[Curve]] = {}
    for curve in report.curves:
        panels.setdefault((curve.setting.dataset, curve.setting.norm), []).append(curve)
    width, height = PANEL_INCHES
    figure = Figure(figsize=(width, height * max(1, len(panels))), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(max(1, len(panels)), squeeze=False)[:, 0]
    guarantees = {row.setting: row.guarantee for row in report.summary}
    for ax, ((dataset, norm), curves) in zip(axes, panels.items(), strict=False):
        _panel(ax, curves, guarantees, literal(f"{dataset}, norm {norm}"))
    figure.suptitle(literal(report.title))
    return figure


def _panel(ax: Axes, curves: Sequence[Curve], guarantees: Mapping[Setting, str], title: str) -> None:
    several = len({curve.setting.source for curve in curves}) > 1
    for number, curve in enumerate(curves):
        envelope = curve.setting.defense == ENVELOPE
        style = {"color": "black", "linestyle": ":"} if envelope else _style(number)
        # A value holds up to and including its radius, so the step down comes after it.
        ax.plot(curve.radius, curve.accuracy, drawstyle="steps-pre", label=_label(curve, guarantees, several), **style)
        if not envelope:
            ax.fill_between(
                curve.radius, curve.lower, curve.upper, step="pre", alpha=0.15, color=style["color"], linewidth=0
            )
    ax.set(title=title, xlabel="radius", ylabel="certified accuracy", ylim=(0, 1))
    ax.set_xlim(left=0)
    ax.grid(alpha=0.3)
    ax.legend(fontsize="x-small")


def _style(number: int) -> dict[str, Any]:
    return {"color": f"C{number % COLOURS}", "linestyle": LINES[number // COLOURS % len(LINES)]}


def _label(curve: Curve, guarantees: Mapping[Setting, str], several_sources: bool) -> str:
    setting, guarantee = curve.setting, guarantees.get(curve.setting, "")
    source = f"{setting.source}: " if several_sources and setting.source != setting.defense else ""
    return literal(source + setting.label + (f" ({guarantee})" if guarantee else ""))


@hookimpl
def robustbench_rs_reporters() -> list[type[Reporter]]:
    """This module's reporters."""
    return [PngReporter, PdfReporter]
