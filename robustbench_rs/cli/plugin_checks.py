"""``plugins check NAME``: the conformance suite of a component's kind, with its verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from robustbench_rs.api import Choice, Component, Noise, Solver
from robustbench_rs.cli.output import print_json
from robustbench_rs.cli.plugin_pages import example, find_all
from robustbench_rs.cli.question import split_component
from robustbench_rs.cli.settings import Command, Settings, pass_settings
from robustbench_rs.errors import InputError, RunError


@click.command(cls=Command)
@click.argument("name", metavar="NAME|KIND:NAME")
@click.option("--param", "params", multiple=True, metavar="KEY=VALUE", help="Check it at these parameters.")
@click.option(
    "--noise",
    "noises",
    multiple=True,
    metavar="NAME[,KEY=VALUE...]",
    help="For a solver: check it on this noise too (may be repeated).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_settings
def check(settings: Settings, name: str, params: tuple[str, ...], noises: tuple[str, ...], as_json: bool) -> None:
    """Check a component's claims; exit code 1 when one does not hold.

    A noise that is given no scale and no sigma is taken at sigma 0.5 (scale 0.5 where it has no sigma).
    """
    components = find_all(settings.registry, name)
    if noises and not any(issubclass(component, Solver) for component in components):
        raise InputError(
            f"--noise is for checking a solver, and {name} is none; parameters of its own: --param KEY=VALUE"
        )
    laws = [_law(settings, text) for text in noises]
    verdicts = [verdict for component in components for verdict in _verdicts(settings, component, params, laws)]
    if as_json:
        print_json(verdicts)
    else:
        for verdict in verdicts:
            click.echo(_line(verdict))
    failed = [
        f"{verdict['kind']} {verdict['name']}: {verdict['check']}" for verdict in verdicts if not verdict["passed"]
    ]
    if failed:
        raise RunError(f"{len(failed)} of {len(verdicts)} checks failed: {'; '.join(failed)}")


def _law(settings: Settings, text: str) -> Noise:
    """The noise of ``NAME,KEY=VALUE,...``."""
    name, params = split_component(text)
    try:
        family = settings.registry.find("noise", name)
    except LookupError as error:
        raise InputError(f"--noise {name}: {error.args[0]}; a plugin file is loaded with -p FILE") from None
    made: Noise = _chosen(settings, family, params).make()
    return made


def _verdicts(
    settings: Settings, component: type[Component], params: Sequence[str], laws: Sequence[Noise]
) -> list[dict[str, Any]]:
    from robustbench_rs.testing import check_component

    results = check_component(component, [_chosen(settings, component, params).params], noises=laws)
    return [
        {
            "kind": component.kind,
            "name": component.name,
            "check": result.name,
            "passed": result.passed,
            "message": result.message,
        }
        for result in results
    ]


def _chosen(settings: Settings, component: type[Component], params: Sequence[str]) -> Choice[Any]:
    choice = example(settings.registry, component, params)
    if choice is None:
        required = [key for key, field in component.Params.model_fields.items() if field.is_required()]
        raise InputError(
            f"{component.kind} {component.name!r} cannot be made without parameters; give --param KEY=VALUE for "
            f"{', '.join(required) or 'what it needs (see plugins show)'}"
        )
    return choice


def _line(verdict: dict[str, Any]) -> str:
    word = "ok    " if verdict["passed"] else "FAILED"
    message = f": {verdict['message']}" if verdict["message"] else ""
    return f"{word} {verdict['kind']} {verdict['name']}: {verdict['check']}{message}"
