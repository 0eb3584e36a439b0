"""``export``, ``import`` and ``merge``: results in and out of a run's directory."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from robustbench_rs.api import Report
from robustbench_rs.cli.components import choose
from robustbench_rs.cli.output import dump_json, make_folder, print_report, run_folder
from robustbench_rs.cli.settings import Command, Settings, pass_settings
from robustbench_rs.errors import InputError
from robustbench_rs.files import write_atomic
from robustbench_rs.reporting import write_report
from robustbench_rs.store import DATABASE, open_run

if TYPE_CHECKING:
    from robustbench_rs.evaluation import Run, ValidationRun

FOLDER = click.Path(path_type=Path)
TABLES = ("certified_accuracy", "summary", "certificates", "predictions", "candidates")
"""Parts of a report that are tables; the names of the exported files, and keys of the JSON."""
VALIDATION_TABLES = ("radii", "brackets", "curves", "best", "refusals")
"""The same of a validation."""


def tables_of(report: Report) -> dict[str, list[dict[str, Any]]]:
    """Every table of a report as flat records, by name."""
    if report.validation is None:
        return {table: records(getattr(report, table)) for table in TABLES}
    return {table: [_flat(row) for row in getattr(report.validation, table)] for table in VALIDATION_TABLES}


def _flat(row: Any) -> dict[str, Any]:
    values = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in asdict(row).items()}
    return {**values.pop("case", {}), **values}


def records(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows of a report as flat records: the setting's columns first, numbers as they are."""
    flat = []
    for row in rows:
        values = {field.name: getattr(row, field.name) for field in fields(row)}
        setting = values.pop("setting", None)
        flat.append({**(asdict(setting) if setting is not None else {}), **values})
    return flat


@click.command("export", cls=Command)
@click.argument("run", type=FOLDER, metavar="RUN")
@click.option(
    "--format", "kind", required=True, type=click.Choice(["tsv", "csv", "json", "parquet"]), help="File format."
)
@click.option("--out", type=FOLDER, metavar="DIR", help="Where to write [RUN/export].")
@pass_settings
def export_run(settings: Settings, run: Path, kind: str, out: Path | None) -> None:
    """Write a run's results for other programs."""
    from robustbench_rs.evaluation import load_results

    found = load_results(run_folder(run), settings.registry, tables=settings.tables)
    report = found.report()
    if kind == "tsv" and report.validation is not None:
        raise InputError(f"--format tsv writes certificates, and {run} is a validation: use csv, json or parquet")
    folder = make_folder(out or found.path / "export")
    if kind in ("tsv", "csv"):
        files = write_report(report, [choose(settings.registry, "reporter", kind, ()).make()], folder)
    else:
        files = _write(folder, WRITERS[kind](report, found))
    for file in files:
        click.echo(str(file))


def _write(folder: Path, contents: Mapping[str, str | bytes]) -> list[Path]:
    for name, content in contents.items():
        write_atomic(folder / name, content)
    return [folder / name for name in contents]


def _json(report: Report, run: Run | ValidationRun) -> dict[str, str | bytes]:
    counts = {} if report.validation is not None else {"counts": _counts(run.path)}
    return {"run.json": dump_json({"name": run.name, **tables_of(report), **counts}) + "\n"}


def _counts(path: Path) -> list[dict[str, Any]]:
    """The measurement itself: class counts per task, stage and input."""
    if not (path / DATABASE).is_file():
        return []
    with open_run(path / DATABASE) as store:
        return [
            {"defense": task.defense, "point": task.point, "stage": stage, "index": index, "counts": counts.tolist()}
            for task in store.tasks()
            for stage in sorted({stage for _, stage in store.drawn(task.id)})
            for index, counts in sorted(store.counts(task.id, stage).items())
        ]


def _parquet(report: Report, run: Run | ValidationRun) -> dict[str, str | bytes]:  # noqa: ARG001
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError(
            "--format parquet needs pyarrow, which is not installed: pip install 'robustbench-rs[parquet]'"
        ) from None
    files: dict[str, str | bytes] = {}
    for table, rows in tables_of(report).items():
        if rows:
            buffer = io.BytesIO()
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), buffer)
            files[f"{table}.parquet"] = buffer.getvalue()
    return files


WRITERS: Mapping[str, Callable[[Report, Run | ValidationRun], dict[str, str | bytes]]] = {
    "json": _json,
    "parquet": _parquet,
}


@click.command("import", cls=Command)
@click.argument("log", type=FOLDER, metavar="LOG")
@click.option("--out", type=FOLDER, metavar="DIR", help="The directory to make [runs/NAME OF THE LOG].")
@click.option("--log-meta", type=FOLDER, metavar="FILE", help="YAML: what the log was measured with.")
@pass_settings
def import_published(settings: Settings, log: Path, out: Path | None, log_meta: Path | None) -> None:
    """Keep a published log in a run's directory, for compare and report."""
    from robustbench_rs.evaluation import import_log, load_run

    folder = out or Path("runs") / log.stem
    import_log(log, folder, log_meta=log_meta)
    print_report(load_run(folder, settings.registry).report())
    click.echo(f"Imported into {folder}")


@click.command(cls=Command)
@click.argument("runs", nargs=-1, required=True, type=FOLDER, metavar="RUN...")
@click.option("--out", type=FOLDER, required=True, metavar="DIR", help="The directory to make.")
@pass_settings
def merge(settings: Settings, runs: tuple[Path, ...], out: Path) -> None:
    """Merge runs of the same evaluation on other inputs, such as shards, into one."""
    from robustbench_rs.evaluation import merge_runs

    merged = merge_runs([run_folder(run) for run in runs], out, settings.registry)
    print_report(merged.report())
    click.echo(f"Merged into {out}; render its report with: robustbench-rs report {out}")
