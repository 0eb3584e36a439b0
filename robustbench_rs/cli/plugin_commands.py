"""``robustbench-rs plugins``: what is installed, what it can do, whether its claims hold, and how to begin one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from robustbench_rs.api import Component
from robustbench_rs.cli.output import print_json, print_table
from robustbench_rs.cli.plugin_checks import check
from robustbench_rs.cli.plugin_pages import show
from robustbench_rs.cli.settings import Group, Settings, pass_settings
from robustbench_rs.plugins import KINDS, Registry
from robustbench_rs.plugins.scaffold import write_package, write_plugin

OK, BROKEN = "ok", "BROKEN"


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def plugins(context: click.Context) -> None:
    """List, show, check and begin plugins."""
    if context.invoked_subcommand is None:
        context.invoke(list_plugins)


@plugins.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_settings
def list_plugins(settings: Settings, as_json: bool) -> None:
    """List every component and every plugin that could not be loaded."""
    registry = settings.registry
    rows = [*_loaded(registry), *_broken(registry)]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("kind", "name", "provider", "version", "hooks"),
        [
            (row["kind"] or BROKEN, row["name"], row["provider"], row["version"], ", ".join(row["hooks"]))
            for row in rows
        ],
    )
    for broken in registry.broken:
        click.echo(f"\n{broken}")


def _loaded(registry: Registry) -> Iterator[dict[str, Any]]:
    for kind in KINDS:
        for component in registry.components(kind):
            yield {"kind": kind, "name": component.name, **_provider(registry, component), "status": OK, "error": None}


def _provider(registry: Registry, component: type[Component]) -> dict[str, Any]:
    owner = registry.owner(component)
    kinds = dict.fromkeys(kind for kind, _ in registry.provided_by(owner))
    provider, version = split_origin(owner.origin)
    hooks = [f"robustbench_rs_{kind}s" for kind in kinds]
    return {"plugin": owner.plugin, "provider": provider, "version": version, "hooks": hooks}


def _broken(registry: Registry) -> Iterator[dict[str, Any]]:
    for broken in registry.broken:
        provider, version = split_origin(broken.origin)
        yield {
            "kind": None,
            "name": broken.plugin,
            "plugin": broken.plugin,
            "provider": provider,
            "version": version,
            "hooks": [],
            "status": BROKEN,
            "error": broken.error,
        }


def split_origin(origin: str) -> tuple[str, str]:
    """``robustbench-rs 0.1.0`` as name and version; a file has no version."""
    name, space, version = origin.rpartition(" ")
    return (name, version) if space and version[:1].isdigit() else (origin, "")


plugins.add_command(show)
plugins.add_command(check)


@plugins.command("new")
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("name")
@click.option("--package", is_flag=True, help="A package for pip with a test, instead of one file.")
@click.option("--out", type=click.Path(path_type=Path), default=Path(), metavar="DIR", help="Where to write it [.].")
@pass_settings
def new(settings: Settings, kind: str, name: str, package: bool, out: Path) -> None:
    """Write a working plugin to start from. KIND is what to extend, NAME what specs will call it."""
    if package:
        folder = write_package(kind, name, out)
        click.echo(f"{folder}")
        settings.note(f"Try it: pip install -e {folder} && robustbench-rs plugins check {name}")
        return
    file = write_plugin(kind, name, out)
    click.echo(f"{file}")
    settings.note(f"Try it: robustbench-rs plugins check {name} -p {file}")
