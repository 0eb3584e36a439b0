"""``robustbench-rs run``: carry out a spec, or go on where it stopped."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from robustbench_rs.cli.output import page_of, print_report
from robustbench_rs.cli.settings import Command, Settings, data_folder, pass_settings
from robustbench_rs.errors import InputError, shorten
from robustbench_rs.spec import Spec, ValidationSpec, find_spec, load_spec

if TYPE_CHECKING:
    from robustbench_rs.evaluation import Run, ValidationRun

FOLDER = click.Path(path_type=Path)


def parse_shard(text: str | None) -> tuple[int, int] | None:
    """``2/4`` as (2, 4): the second of four parts."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text.strip())
    shard = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= shard[0] <= shard[1]:
        raise InputError(f"--shard {shorten(text)}: write i/n with 1 <= i <= n, such as 1/4")
    return shard


def read_spec(
    name: str, settings: Settings, overrides: tuple[str, ...] = (), data: Path | None = None
) -> Spec | ValidationSpec:
    """The spec of that file or shipped name, with overrides."""
    return load_spec(find_spec(name), settings.registry, settings=overrides, data=data_folder(data))


@click.command(cls=Command)
@click.argument("spec", metavar="SPEC|NAME")
@click.option("--out", type=FOLDER, metavar="DIR", help="The run's directory [runs/NAME].")
@click.option("--set", "overrides", multiple=True, metavar="KEY.PATH=VALUE", help="Change a value of the spec.")
@click.option(
    "--device", default="auto", show_default=True, metavar="auto|cpu|cuda|cuda:0,1|mps", help="Where to sample."
)
@click.option("--executor", metavar="NAME", help="How to sample: an executor plugin, such as local.")
@click.option("--fresh", is_flag=True, help="Set an old directory aside (as DIR.1) instead of resuming in it.")
@click.option("--dry-run", is_flag=True, help="Print the plan and do nothing.")
@click.option("--data", type=FOLDER, metavar="DIR", help="What ${data} in a spec means [ROBUSTBENCH_RS_DATA].")
@click.option("--shard", metavar="I/N", help="Only the I-th of N parts of the inputs; see 'merge'.")
@pass_settings
def run(
    settings: Settings,
    spec: str,
    out: Path | None,
    overrides: tuple[str, ...],
    device: str,
    executor: str | None,
    fresh: bool,
    dry_run: bool,
    data: Path | None,
    shard: str | None,
) -> None:
    """Run a spec (a file, or a shipped name such as quickstart).

    A directory that holds the same evaluation is resumed; nothing that was counted is drawn again.
    """
    part = parse_shard(shard)
    settings.warn_of_broken_plugins()
    chosen = (f"executor={executor}",) if executor else ()
    parsed = read_spec(spec, settings, (*overrides, *chosen), data)
    if dry_run:
        _print_plan(settings, parsed)
        return
    _carry_out(settings, parsed, out, device, fresh, part)


def _print_plan(settings: Settings, spec: Spec | ValidationSpec) -> None:
    from robustbench_rs.evaluation import describe_plan, describe_validation

    if isinstance(spec, ValidationSpec):
        click.echo(describe_validation(spec))
    else:
        click.echo(describe_plan(spec, settings.registry).rstrip())


def _carry_out(
    settings: Settings,
    spec: Spec | ValidationSpec,
    out: Path | None,
    device: str,
    fresh: bool,
    shard: tuple[int, int] | None,
) -> None:
    from robustbench_rs.evaluation import REPORT_FOLDER, RunOptions, evaluate, validate_noises

    settings.resumable = True
    options = RunOptions(
        out=out,
        cache=settings.cache,
        device=device,
        fresh=fresh,
        shard=shard,
        importer=settings.importer,
        plugin_files=settings.plugin_files,
        progress=settings.progress(),
    )
    finished: Run | ValidationRun
    if isinstance(spec, ValidationSpec):
        finished = validate_noises(spec, settings.registry, options)
    else:
        finished = evaluate(spec, settings.registry, options)
    folder = finished.path / REPORT_FOLDER
    print_report(finished.report())
    click.echo(f"Report: {page_of(sorted(folder.iterdir()), folder)}")
