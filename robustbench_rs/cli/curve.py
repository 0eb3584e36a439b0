"""``radius --curve FILE``: R(pA) of a noise as a table, a figure or a page."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from robustbench_rs.api.report import norm_name
from robustbench_rs.cli.question import Question
from robustbench_rs.errors import InputError
from robustbench_rs.evaluation.plan import canonical_json
from robustbench_rs.evaluation.solving import Solved
from robustbench_rs.files import write_atomic
from robustbench_rs.plugins import Registry

HEADER = ("noise", "params", "norm", "dim", "solver", "guarantee", "p_lower", "radius", "upper")


def p_grid() -> np.ndarray:
    """pA from 1/2 to 1 - 1e-6, close where radii grow fast: (m,), ascending."""
    return np.unique(np.concatenate([np.linspace(0.5, 0.99, 99), 1 - np.logspace(-2, -6, 81)]))


def write_curve(question: Question, registry: Registry, path: Path) -> None:
    """Write the curve in the format that the file's name ends with. Raises :class:`InputError` for any other ending."""
    render = RENDERERS.get(path.suffix.lower())
    if render is None:
        raise InputError(f"--curve {path}: the name must end in {', '.join(RENDERERS)}")
    p_lower = p_grid()
    solved, _ = question.answer(registry, p_lower, 1 - p_lower)
    write_atomic(path, render(question, p_lower, solved))


def _csv(question: Question, p_lower: np.ndarray, solved: Sequence[Solved]) -> str:
    noise = question.noise.canonical()
    name, params = noise.pop("name"), canonical_json(noise)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEADER)
    for item in solved:
        for p, used, radius, upper in zip(p_lower.tolist(), item.used, item.radius, item.upper, strict=True):
            known = repr(float(upper)) if np.isfinite(upper) else ""
            row = (name, params, norm_name(question.norm), question.dim, used, item.guarantee, repr(p))
            writer.writerow((*row, repr(float(radius)), known))
    return file.getvalue()


def _png(question: Question, p_lower: np.ndarray, solved: Sequence[Solved]) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    for item in solved:
        axes.plot(p_lower, item.radius, label=_label(item))
    axes.set(xlabel="pA (lower bound)", ylabel="certified radius", title=_title(question))
    axes.legend()
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return file.getvalue()


def _html(question: Question, p_lower: np.ndarray, solved: Sequence[Solved]) -> str:
    from plotly import graph_objects

    figure = graph_objects.Figure(
        [graph_objects.Scatter(x=p_lower.tolist(), y=item.radius.tolist(), name=_label(item)) for item in solved]
    )
    figure.update_layout(
        title=_title(question), xaxis_title="pA (lower bound)", yaxis_title="certified radius", showlegend=True
    )
    page: str = figure.to_html(include_plotlyjs=True, full_html=True, div_id="curve")
    return page


def _label(item: Solved) -> str:
    return f"{item.asked} ({item.guarantee})"


def _title(question: Question) -> str:
    noise = question.noise.canonical()
    params = ", ".join(f"{key}={value}" for key, value in noise.items() if key != "name")
    return f"{noise['name']} ({params}), l{norm_name(question.norm)}, d = {question.dim}"


RENDERERS: Mapping[str, Callable[..., str | bytes]] = {".csv": _csv, ".png": _png, ".html": _html}
