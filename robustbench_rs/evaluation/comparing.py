"""Runs and published logs side by side, in one report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from robustbench_rs.api import Report, Tables
from robustbench_rs.errors import InputError
from robustbench_rs.evaluation.loading import load_run
from robustbench_rs.plugins import Registry
from robustbench_rs.reporting import build_report, default_grid, read_logs
from robustbench_rs.results import Source
from robustbench_rs.store import DATABASE, open_run


def compare(
    paths: Sequence[Path],
    registry: Registry,
    radii: Sequence[float] | None = None,
    *,
    log_meta: Path | None = None,
    tables: Tables | None = None,
) -> Report:
    """One report over run directories and tab-separated logs, on ``radii`` or a round grid up to the largest one.

    Raises :class:`InputError` naming a bad source.
    """
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such run or log")
        if path.is_dir() and not (path / DATABASE).is_file():
            raise InputError(f"{path} is no run: it holds no {DATABASE}")
    runs = [path for path in paths if path.is_dir()]
    logs = [path for path in paths if not path.is_dir()]
    sources: list[Source] = [
        load_run(path, registry, name=name, tables=tables).source for path, name in zip(runs, _names(runs), strict=True)
    ]
    if logs:
        sources += read_logs(logs, log_meta)
    grid = default_grid(sources) if radii is None else radii
    return build_report(sources, grid, f"Comparison of {len(sources)} sources")


def _names(runs: Sequence[Path]) -> list[str]:
    """The spec's name; where two runs share it, that of the directory, then its whole path as given."""
    names = [_stored_name(path) for path in runs]
    for alternative in ([path.name for path in runs], [str(path) for path in runs]):
        seen = Counter(names)
        names = [other if seen[name] > 1 else name for name, other in zip(names, alternative, strict=True)]
    return names


def _stored_name(path: Path) -> str:
    with open_run(path / DATABASE) as store:
        return str(store.meta("name") or path.name)
