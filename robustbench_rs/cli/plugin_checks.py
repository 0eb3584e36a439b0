"""``plugins check NAME``: the conformance suite of a component's kind, with its verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from robustbench_rs.api import Component, Params
from robustbench_rs.cli.output import print_json
from robustbench_rs.cli.plugin_pages import example, find_all
from robustbench_rs.cli.settings import Command, Settings, pass_settings
from robustbench_rs.errors import InputError, RunError


@click.command(cls=Command)
@click.argument("name", metavar="NAME|KIND:NAME")
@click.option("--param", "params", multiple=True, metavar="KEY=VALUE", help="Check it at these parameters.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_settings
def check(settings: Settings, name: str, params: tuple[str, ...], as_json: bool) -> None:
    """Check a component's claims; exit code 1 when one does not hold."""
    verdicts = [
        verdict for component in find_all(settings.registry, name) for verdict in _verdicts(settings, component, params)
    ]
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


def _verdicts(settings: Settings, component: type[Component], params: Sequence[str]) -> list[dict[str, Any]]:
    from robustbench_rs.testing import check_component

    results = check_component(component, _examples(settings, component, params))
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


def _examples(settings: Settings, component: type[Component], params: Sequence[str]) -> list[Params]:
    choice = example(settings.registry, component, params)
    if choice is None:
        required = [key for key, field in component.Params.model_fields.items() if field.is_required()]
        raise InputError(
            f"{component.kind} {component.name!r} cannot be made without parameters; give --param KEY=VALUE for "
            f"{', '.join(required) or 'what it needs (see plugins show)'}"
        )
    return [choice.params]


def _line(verdict: dict[str, Any]) -> str:
    word = "ok    " if verdict["passed"] else "FAILED"
    message = f": {verdict['message']}" if verdict["message"] else ""
    return f"{word} {verdict['kind']} {verdict['name']}: {verdict['check']}{message}"
