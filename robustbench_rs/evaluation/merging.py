"""Shards of one evaluation put together again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from robustbench_rs.errors import InputError
from robustbench_rs.evaluation.loading import Run, read_run
from robustbench_rs.evaluation.validation_run import refuse_validation
from robustbench_rs.plugins import Registry
from robustbench_rs.store import DATABASE, RunDirectory, RunStore, open_run

SHARED = ("name", "seed", "draws", "dataset")
"""What runs must agree on: with different data or numbers of draws, one table cannot hold them."""


def merge_runs(paths: Sequence[Path], out: Path, registry: Registry) -> Run:
    """Write the union of the runs' counts to the new directory ``out``.

    Raises :class:`InputError` when they are not of one evaluation or ``out`` already holds a run.
    """
    if (out / DATABASE).exists():
        raise InputError(f"{out} already holds a run; choose another --out")
    for path in paths:
        if not (path / DATABASE).is_file():
            raise InputError(f"{path} is no run: it holds no {DATABASE}")
    with RunDirectory(out) as directory:
        try:
            return _merge(paths, directory, registry)
        except BaseException:
            directory.database.unlink(missing_ok=True)
            raise


def _merge(paths: Sequence[Path], directory: RunDirectory, registry: Registry) -> Run:
    with open_run(directory.database, write=True) as target:
        for path in paths:
            with open_run(path / DATABASE) as part:
                refuse_validation(part)
                _agree(target, part, paths[0])
                target.absorb(part)
        target.set_meta({"shard": None})
        return read_run(target, directory.path, registry)


def _agree(target: RunStore, part: RunStore, first: Path) -> None:
    """Take the facts of the first part; every further one must have the same."""
    facts = {key: part.meta(key) for key in SHARED}
    if target.meta("spec") is None:
        target.set_meta({**facts, "spec": part.meta("spec"), "environment": part.meta("environment")})
        return
    different = [key for key in SHARED if facts[key] != target.meta(key)]
    if part.meta("spec").get("optimize") != target.meta("spec").get("optimize"):
        different.append("optimize")
    if different:
        raise InputError(f"{part.path.parent} and {first} are not of one evaluation: {', '.join(different)} differ")
