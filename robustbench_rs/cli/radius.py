"""``robustbench-rs radius``: a calculator from (pA, pB) to radii. No model, no data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from robustbench_rs.api.report import norm_name
from robustbench_rs.cli.components import parse_norm
from robustbench_rs.cli.output import print_json, print_table
from robustbench_rs.cli.question import Question, choose_noise, choose_solver
from robustbench_rs.cli.settings import Command, Settings, pass_settings
from robustbench_rs.errors import InputError
from robustbench_rs.evaluation.solving import Refused, Solved


@click.command(cls=Command)
@click.option(
    "--noise",
    "noises",
    required=True,
    multiple=True,
    metavar="NAME[,KEY=VALUE...]",
    help="Noise family, with parameters of its own (may be repeated).",
)
@click.option(
    "--param", "params", multiple=True, metavar="KEY=VALUE", help="A parameter of every noise (may be repeated)."
)
@click.option("--norm", required=True, metavar="P", help="1, 2, ..., inf.")
@click.option("--dim", required=True, type=click.IntRange(min=1), metavar="D", help="Number of input coordinates.")
@click.option("--p-lower", type=float, metavar="PA", help="Lower bound of the top class's probability.")
@click.option("--p-upper", type=float, metavar="PB", help="Upper bound of the best other class [1 - PA].")
@click.option("--solver", default="auto", show_default=True, metavar="NAME|auto|all", help="How to compute the radius.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--curve", type=click.Path(path_type=Path), metavar="FILE", help="Write R(pA) as .csv, .png, .pdf or .html."
)
@pass_settings
def radius(
    settings: Settings,
    noises: tuple[str, ...],
    params: tuple[str, ...],
    norm: str,
    dim: int,
    p_lower: float | None,
    p_upper: float | None,
    solver: str,
    as_json: bool,
    curve: Path | None,
) -> None:
    """Certified radius of smoothing with a noise, for given bounds of the class probabilities.

    Several noises share --norm, --dim, --solver and every --param: --noise laplace --noise generalized-normal,beta=3
    --param sigma=0.5 --curve curves.html draws R(pA) of both at equal sigma.
    """
    registry = settings.registry
    lower, upper = _limits(p_lower, p_upper, optional=curve is not None)
    asked, power = choose_solver(registry, solver), parse_norm(norm)
    questions = [Question(choose_noise(registry, noise, params), power, dim, asked) for noise in noises]
    if curve is not None:
        from robustbench_rs.cli.curve import write_curves

        for name in write_curves(questions, registry, curve, settings.tables):
            settings.note(f"no curve for {name} noise: no solver gives a radius")
    if lower is not None:
        _print(settings, questions, lower, upper, as_json)
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


def _print(settings: Settings, questions: Sequence[Question], p_lower: float, p_upper: float, as_json: bool) -> None:
    """All or nothing: a noise that no solver can handle is an error before anything is printed."""
    limits = np.array([p_lower]), np.array([p_upper])
    answers = [question.answer(settings.registry, *limits, settings.tables) for question in questions]
    documents = [
        _document(question, p_lower, p_upper, *answer) for question, answer in zip(questions, answers, strict=True)
    ]
    if as_json:
        print_json(documents[0] if len(documents) == 1 else documents)
        return
    for number, (question, document) in enumerate(zip(questions, documents, strict=True)):
        if number:
            click.echo()
        _print_text(question, document)


def _result(solved: Solved, p_lower: float, p_upper: float) -> dict[str, Any]:
    value, upper = float(solved.radius[0]), float(solved.upper[0])
    return {
        "solver": solved.used[0],
        "radius": _number(value),
        "guarantee": solved.label,
        "upper": upper if math.isfinite(upper) else None,
        "abstain": p_lower <= p_upper,
        "details": solved.details,
    }


def _number(value: float) -> float | str:
    """An unbounded radius (pA = 1) is a word, like the norm: JSON has no number for it."""
    return value if math.isfinite(value) else "inf"


def _document(
    question: Question, p_lower: float, p_upper: float, solved: Sequence[Solved], refused: Sequence[Refused]
) -> dict[str, Any]:
    noise = question.noise.canonical()
    norm = question.norm
    document: dict[str, Any] = {
        "noise": noise.pop("name"),
        "params": noise,
        "norm": "inf" if math.isinf(norm) else int(norm) if norm == int(norm) else norm,
        "dim": question.dim,
        "p_lower": p_lower,
        "p_upper": p_upper,
        "results": [_result(item, p_lower, p_upper) for item in solved],
    }
    if question.asked == "all":
        document["refused"] = [{"solver": item.asked, "reason": item.reason} for item in refused]
    return document


def _print_text(question: Question, document: Mapping[str, Any]) -> None:
    params = ", ".join(f"{key}={value}" for key, value in document["params"].items())
    where = f"l{norm_name(question.norm)}, dimension {question.dim}"
    limits = f"pA >= {document['p_lower']!r}, pB <= {document['p_upper']!r}"
    click.echo(f"{document['noise']} ({params}), {where}, {limits}")
    rows = [
        (
            item["solver"],
            _shown(item["radius"]),
            item["guarantee"],
            _shown(item["upper"]),
            "yes" if item["abstain"] else "no",
        )
        for item in document["results"]
    ]
    print_table(("solver", "radius", "guarantee", "truth at most", "abstain"), rows)
    for item in document.get("refused", ()):
        click.echo(f"no radius by {item['solver']}: {item['reason']}")


def _shown(value: float | str | None) -> str:
    """All digits: nothing is rounded, so nothing is rounded up."""
    return "unknown" if value is None else value if isinstance(value, str) else repr(value)
