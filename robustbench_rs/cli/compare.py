"""``robustbench-rs compare`` and ``report``: the same tables and page for runs and published logs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from robustbench_rs.api import Reporter
from robustbench_rs.cli.components import choose, parse_norm
from robustbench_rs.cli.output import make_folder, page_of, print_report, run_folder
from robustbench_rs.cli.settings import Command, Settings, pass_settings
from robustbench_rs.reporting import parse_grid, write_report

REPORT = "report"
FORMATS = ("html", "markdown", "latex", "csv")
FOLDER = click.Path(path_type=Path)


def reporters(settings: Settings, formats: Sequence[str]) -> list[Reporter]:
    """Reporter plugins by name."""
    return [choose(settings.registry, "reporter", name, ()).make() for name in formats]


@click.command(cls=Command)
@click.argument("sources", nargs=-1, required=True, type=FOLDER, metavar="RUN|LOG...")
@click.option("--out", type=FOLDER, metavar="DIR", help="Write the report to DIR/report/.")
@click.option("--radii", metavar="START:STOP:STEP", help="Radii of the tables, in input units.")
@click.option("--log-meta", type=FOLDER, metavar="FILE", help="YAML: what logs were measured with.")
@pass_settings
def compare(
    settings: Settings, sources: tuple[Path, ...], out: Path | None, radii: str | None, log_meta: Path | None
) -> None:
    """Compare runs and published tab-separated logs.

    What is not comparable is flagged, saying why.
    """
    from robustbench_rs.evaluation import compare as compare_sources

    grid = None if radii is None else parse_grid(radii)
    paths = [run_folder(source) for source in sources]
    report = compare_sources(paths, settings.registry, grid, log_meta=log_meta, tables=settings.tables)
    if out is None:
        print_report(report)
        return
    files = write_report(report, reporters(settings, FORMATS), make_folder(out / REPORT))
    print_report(report)
    click.echo(f"Report: {page_of(files, out / REPORT)}")


@click.command(cls=Command)
@click.argument("run", type=FOLDER, metavar="RUN")
@click.option("--format", "formats", metavar="html,markdown,...", help="Reporters [those of the spec].")
@click.option("--solver", "solvers", multiple=True, metavar="NAME|auto|all", help="Derive radii by this solver.")
@click.option("--norm", "norms", multiple=True, metavar="P", help="Derive radii in this norm: 1, 2, ..., inf.")
@click.option("--alpha", type=float, metavar="A", help="Derive at this failure probability.")
@pass_settings
def report(
    settings: Settings,
    run: Path,
    formats: str | None,
    solvers: tuple[str, ...],
    norms: tuple[str, ...],
    alpha: float | None,
) -> None:
    """Render a run's report again, or derive it anew from the stored counts.

    --solver and --norm may be repeated, or hold a list: --norm 1,2,inf.
    """
    from robustbench_rs.evaluation import load_results

    changes: dict[str, Any] = {
        "norms": [parse_norm(text) for text in _split(norms)] or None,
        "solvers": [_solver(settings, name) for name in _split(solvers)] or None,
        "alpha": alpha,
    }
    chosen = None if formats is None else reporters(settings, _split([formats]))
    given = {key: value for key, value in changes.items() if value is not None}
    found = load_results(run_folder(run), settings.registry, certification=given, tables=settings.tables)
    data = found.report()
    files = write_report(data, chosen or [choice.make() for choice in found.options.formats], found.path / REPORT)
    print_report(data)
    click.echo(f"Report: {page_of(files, found.path / REPORT)}")


def _solver(settings: Settings, name: str) -> str:
    """The name, if there is such a solver; spec errors would speak of keys that the user never wrote."""
    return name if name in ("auto", "all") else choose(settings.registry, "solver", name, ()).name


def _split(texts: Sequence[str]) -> list[str]:
    """Values of a repeatable flag, each possibly a list with commas."""
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]
