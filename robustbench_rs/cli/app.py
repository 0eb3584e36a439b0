"""The commands, gathered; each module is imported when its command is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import click

from robustbench_rs.cli.settings import Group

COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("run", "run"),
    "compare": ("compare", "compare"),
    "report": ("compare", "report"),
    "radius": ("radius", "radius"),
    "plugins": ("plugin_commands", "plugins"),
    "validate": ("spec_commands", "validate"),
    "schema": ("spec_commands", "schema"),
    "specs": ("spec_commands", "specs"),
    "export": ("transfer", "export_run"),
    "import": ("transfer", "import_published"),
    "merge": ("transfer", "merge"),
    "doctor": ("doctor", "doctor"),
}
"""Name -> (module of this package, its command), in the order of the help page."""


class LazyGroup(Group):
    """Looks commands up in :data:`COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"robustbench_rs.cli.{module}"), attribute)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="robustbench-rs", prog_name="robustbench-rs")
def app() -> None:
    """Certified robustness by randomized smoothing: specs in, comparable reports out, everything else a plugin.

    \b
    robustbench-rs run quickstart                    a first certified report in two minutes
    robustbench-rs compare runs/a runs/b paper.tsv   the same tables for runs and published logs
    robustbench-rs plugins new noise my-noise        a noise family of your own
    """
