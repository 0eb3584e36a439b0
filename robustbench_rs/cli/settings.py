"""What the options that every command knows say, wherever on the line they stand, and what follows from them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from robustbench_rs.api import Progress, SilentProgress, Tables
from robustbench_rs.errors import InputError
from robustbench_rs.plugins import AllowedImporter, Registry, load_registry

PLUGINS_VARIABLE = "ROBUSTBENCH_RS_PLUGINS"
DATA_VARIABLE = "ROBUSTBENCH_RS_DATA"
DEFAULT_CACHE = Path("~/.cache/robustbench_rs")


@dataclass
class Settings:
    """Filled while the command line is parsed; ``resumable``: an interruption loses nothing that was finished."""

    files: list[Path] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)
    cache_option: Path | None = None
    quiet: bool = False
    verbose: bool = False
    strict: bool = False
    resumable: bool = False

    @property
    def plugin_files(self) -> tuple[Path, ...]:
        """Files of ``ROBUSTBENCH_RS_PLUGINS`` and then of ``-p``, each once."""
        listed = os.environ.get(PLUGINS_VARIABLE, "").split(os.pathsep)
        files = [*(Path(text) for text in listed if text), *self.files]
        return tuple({file.expanduser().absolute(): None for file in files})

    @property
    def cache(self) -> Path:
        """Where trained weights and tables are kept."""
        return (self.cache_option or DEFAULT_CACHE).expanduser()

    @cached_property
    def tables(self) -> Tables:
        """Where solvers keep their tables."""
        from robustbench_rs.evaluation.tables import DiskTables

        return DiskTables(self.cache)

    @cached_property
    def registry(self) -> Registry:
        """All plugins, loaded when the first command needs them."""
        return load_registry(self.plugin_files, strict=self.strict)

    @property
    def importer(self) -> AllowedImporter:
        """Imports what ``--allow-import`` and ``-p`` allowed."""
        return AllowedImporter(self.allowed, self.registry.modules)

    def progress(self) -> Progress:
        """A bar when someone is looking, else silence."""
        if self.quiet:
            return SilentProgress()
        from robustbench_rs.cli.progress import TerminalProgress

        return TerminalProgress(sys.stderr, verbose=self.verbose)

    def note(self, message: str) -> None:
        """One line for the user that is no result: stderr, unless ``-q``."""
        if not self.quiet:
            click.echo(message, err=True)

    def warn_of_broken_plugins(self) -> None:
        """One line per plugin that could not be loaded."""
        for broken in self.registry.broken:
            self.note(f"Warning: {broken}")


def data_folder(option: Path | None) -> Path | None:
    """``--data``, else ``ROBUSTBENCH_RS_DATA``; what ``${data}`` in a spec stands for."""
    if option is not None:
        return option.expanduser()
    given = os.environ.get(DATA_VARIABLE)
    return Path(given).expanduser() if given else None


def _extend(attribute: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def store(context: click.Context, _: click.Parameter, values: tuple[Any, ...]) -> None:
        getattr(context.ensure_object(Settings), attribute).extend(values)

    return store


def _assign(attribute: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def store(context: click.Context, _: click.Parameter, value: Any) -> None:
        settings = context.ensure_object(Settings)
        if value:
            setattr(settings, attribute, value)
        if settings.quiet and settings.verbose:
            raise InputError("-q and -v contradict each other: give one of them")

    return store


def common_options() -> list[click.Option]:
    """Fresh options ``-p --allow-import --cache --strict-plugins -q -v``, which write into :class:`Settings`."""
    path = click.Path(path_type=Path)
    return [
        click.Option(["-p", "--plugin"], type=path, multiple=True, metavar="FILE", expose_value=False,
                     callback=_extend("files"), help="Load a one-file plugin (may be repeated)."),
        click.Option(["--allow-import"], multiple=True, metavar="MODULE", expose_value=False,
                     callback=_extend("allowed"), help="Allow specs to name Python objects of this module."),
        click.Option(["--cache"], type=path, metavar="DIR", expose_value=False,
                     callback=_assign("cache_option"), help=f"Trained weights and tables [{DEFAULT_CACHE}]."),
        click.Option(["--strict-plugins"], is_flag=True, expose_value=False,
                     callback=_assign("strict"), help="A plugin that cannot be loaded is an error."),
        click.Option(["-q", "--quiet"], is_flag=True, expose_value=False,
                     callback=_assign("quiet"), help="Only results and errors."),
        click.Option(["-v", "--verbose"], is_flag=True, expose_value=False,
                     callback=_assign("verbose"), help="News without a terminal too, tracebacks with errors."),
    ]  # fmt: skip


class Command(click.Command):
    """A command that knows the common options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += common_options()


class Group(click.Group):
    """A group that knows the common options, as do its commands."""

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += common_options()


pass_settings = click.make_pass_decorator(Settings, ensure=True)
"""Hands a command its :class:`Settings` as the first argument."""
