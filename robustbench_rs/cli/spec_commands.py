"""``validate``, ``schema`` and ``specs``: everything about specs that needs no model and no data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from robustbench_rs.cli.output import print_json, print_table
from robustbench_rs.cli.run import read_spec
from robustbench_rs.cli.settings import Command, Settings, pass_settings
from robustbench_rs.errors import SpecError
from robustbench_rs.spec import Spec, ValidationSpec, json_schema, shipped_specs


@click.command(cls=Command)
@click.argument("spec", metavar="SPEC|NAME")
@click.option("--set", "overrides", multiple=True, metavar="KEY.PATH=VALUE", help="Change a value of the spec.")
@click.option(
    "--data", type=click.Path(path_type=Path), metavar="DIR", help="What ${data} means [ROBUSTBENCH_RS_DATA]."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the errors, or the expanded spec.")
@pass_settings
def validate(settings: Settings, spec: str, overrides: tuple[str, ...], data: Path | None, as_json: bool) -> None:
    """Check a spec and say everything that is wrong with it."""
    try:
        parsed = read_spec(spec, settings, overrides, data)
    except SpecError as error:
        if as_json:
            print_json({"valid": False, "errors": [_error(problem) for problem in error.problems], "spec": None})
        raise
    if as_json:
        print_json({"valid": True, "errors": [], "spec": parsed.canonical()})
        return
    click.echo(f"{spec} is valid: {parsed.name}, {_size(parsed)}")


def _size(spec: Spec | ValidationSpec) -> str:
    if isinstance(spec, Spec):
        return f"{len(spec.defenses)} task(s)"
    options = spec.validation
    counts = f"{len(options.noises)} noise(s), {len(options.norms)} norm(s), {len(options.dims)} dimension(s)"
    return f"{options.kind} of {counts}"


def _error(problem: Any) -> dict[str, Any]:
    file = None if problem.file is None else str(problem.file)
    return {"file": file, "line": problem.line, "key": problem.key_path, "message": problem.message}


@click.command(cls=Command)
@pass_settings
def schema(settings: Settings) -> None:
    """Print the JSON Schema of a spec, with every plugin that is loaded."""
    print_json(json_schema(settings.registry))


@click.command(cls=Command)
@pass_settings
def specs(settings: Settings) -> None:  # noqa: ARG001
    """List the specs that come with the package."""
    print_table(("name", "what it does"), [(name, summary(path)) for name, path in shipped_specs().items()])


def summary(path: Path) -> str:
    """The first sentence of the comment at the top of a spec, without what is meant for editors."""
    words: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# yaml-language-server"):
            words.append(line.lstrip("# "))
    return re.split(r"(?<=[a-z0-9)])\.(?:\s|$)", " ".join(words), maxsplit=1)[0]
