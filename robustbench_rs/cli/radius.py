"""``robustbench-rs radius``: a calculator from (pA, pB) to radii. No model, no data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from robustbench_rs.api.report import norm_name
from robustbench_rs.cli.components import choose, parse_norm
from robustbench_rs.cli.output import print_json, print_table
from robustbench_rs.cli.question import Question
from robustbench_rs.cli.settings import Command, Settings, pass_settings
from robustbench_rs.errors import InputError
from robustbench_rs.evaluation.solving import Asked, Solved


@click.command(cls=Command)
@click.option("--noise", required=True, metavar="NAME", help="Noise family.")
@click.option(
    "--param", "params", multiple=True, metavar="KEY=VALUE", help="A parameter of the noise (may be repeated)."
)
@click.option("--norm", required=True, metavar="P", help="1, 2, ..., inf.")
@click.option("--dim", required=True, type=click.IntRange(min=1), metavar="D", help="Number of input coordinates.")
@click.option("--p-lower", type=float, metavar="PA", help="Lower bound of the top class's probability.")
@click.option("--p-upper", type=float, metavar="PB", help="Upper bound of the best other class [1 - PA].")
@click.option("--solver", default="auto", show_default=True, metavar="NAME|auto|all", help="How to compute the radius.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--curve", type=click.Path(path_type=Path), metavar="FILE", help="Write R(pA) as .csv, .png or .html.")
@pass_settings
def radius(
    settings: Settings,
    noise: str,
    params: tuple[str, ...],
    norm: str,
    dim: int,
    p_lower: float | None,
    p_upper: float | None,
    solver: str,
    as_json: bool,
    curve: Path | None,
) -> None:
    """Certified radius of smoothing with a noise, for given bounds of the class probabilities."""
    registry = settings.registry
    lower, upper = _limits(p_lower, p_upper, optional=curve is not None)
    asked: Asked = solver if solver in ("auto", "all") else choose(registry, "solver", solver, ())  # type: ignore[assignment]
    question = Question(choose(registry, "noise", noise, params), parse_norm(norm), dim, asked)
    if curve is not None:
        from robustbench_rs.cli.curve import write_curve

        write_curve(question, registry, curve)
    if lower is not None:
        _print(settings, question, lower, upper, as_json)
    if curve is not None and not as_json:
        click.echo(f"Curve: {curve}")


def _limits(p_lower: float | None, p_upper: float | None, *, optional: bool) -> tuple[float | None, float]:
    if p_lower is None:
        if not optional or p_upper is not None:
            raise InputError("give --p-lower, the lower bound of the top class's probability (0 to 1)")
        return None, 1.0
    upper = 1 - p_lower if p_upper is None else p_upper
    for flag, value in (("--p-lower", p_lower), ("--p-upper", upper)):
        if not 0 <= value <= 1:
            raise InputError(f"{flag} {value!r}: a probability lies between 0 and 1")
    return p_lower, upper


def _print(settings: Settings, question: Question, p_lower: float, p_upper: float, as_json: bool) -> None:
    solved, refused = question.answer(settings.registry, np.array([p_lower]), np.array([p_upper]))
    results = [_result(item, p_lower, p_upper) for item in solved]
    if as_json:
        print_json(_document(question, p_lower, p_upper, results))
    else:
        _print_text(question, p_lower, p_upper, results)
    for item in refused if question.asked == "all" else ():
        settings.note(f"{item.asked}: {item.reason}")


def _result(solved: Solved, p_lower: float, p_upper: float) -> dict[str, Any]:
    value, upper = float(solved.radius[0]), float(solved.upper[0])
    return {
        "solver": solved.used[0],
        "radius": _number(value),
        "guarantee": solved.guarantee,
        "upper": upper if math.isfinite(upper) else None,
        "abstain": p_lower <= p_upper,
        "details": solved.details,
    }


def _number(value: float) -> float | str:
    """An unbounded radius (pA = 1) is a word, like the norm: JSON has no number for it."""
    return value if math.isfinite(value) else "inf"


def _document(question: Question, p_lower: float, p_upper: float, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    noise = question.noise.canonical()
    norm = question.norm
    return {
        "noise": noise.pop("name"),
        "params": noise,
        "norm": "inf" if math.isinf(norm) else int(norm) if norm == int(norm) else norm,
        "dim": question.dim,
        "p_lower": p_lower,
        "p_upper": p_upper,
        "results": results,
    }


def _print_text(question: Question, p_lower: float, p_upper: float, results: Sequence[dict[str, Any]]) -> None:
    noise = question.noise.canonical()
    params = ", ".join(f"{key}={value}" for key, value in noise.items() if key != "name")
    where = f"l{norm_name(question.norm)}, dimension {question.dim}"
    click.echo(f"{noise['name']} ({params}), {where}, pA >= {p_lower!r}, pB <= {p_upper!r}")
    rows = [
        (
            item["solver"],
            _shown(item["radius"]),
            item["guarantee"],
            _shown(item["upper"]),
            "yes" if item["abstain"] else "no",
        )
        for item in results
    ]
    print_table(("solver", "radius", "guarantee", "truth at most", "abstain"), rows)


def _shown(value: float | str | None) -> str:
    """All digits: nothing is rounded, so nothing is rounded up."""
    return "unknown" if value is None else value if isinstance(value, str) else repr(value)
