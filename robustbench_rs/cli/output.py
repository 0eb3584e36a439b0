"""What commands print: JSON without NaN or Infinity, aligned text tables, radii never rounded up."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from robustbench_rs.api import Report
from robustbench_rs.errors import InputError
from robustbench_rs.store import DATABASE


def finite(value: Any) -> Any:
    """Plain JSON values; what is not finite becomes None, because JSON has no word for it."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return finite(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [finite(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | bool | int) else str(value)


def dump_json(value: Any) -> str:
    """Indented JSON that every strict parser reads."""
    return json.dumps(finite(value), indent=2, allow_nan=False)


def print_json(value: Any) -> None:
    click.echo(dump_json(value))


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Left-aligned columns, two spaces apart."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def page_of(files: Sequence[Path], folder: Path) -> Path:
    """What a reader should open: the HTML page, else the folder."""
    return next((file for file in files if file.suffix == ".html"), folder)


def make_folder(path: Path) -> Path:
    """``path`` as a folder, made now. Raises :class:`InputError` before anything expensive when it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {path}: {error.strerror or error}; choose another --out") from error
    return path


def run_folder(path: Path) -> Path:
    """A run by its directory, or by the results file in it; a log is left as it is."""
    return path.parent if path.name == DATABASE else path


def print_report(report: Report) -> None:
    """The table, and what a reader must know of its sources."""
    from robustbench_rs.reporting import terminal_flags, terminal_table, terminal_validation

    click.echo(terminal_table(report) if report.validation is None else terminal_validation(report.validation))
    if flags := terminal_flags(report):
        click.echo(f"\n{flags}")
