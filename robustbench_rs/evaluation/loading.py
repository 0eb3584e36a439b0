"""A run read back from its directory: finished, interrupted, merged, or imported from published logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from robustbench_rs.api import MemoryTables, Params, Report, Tables
from robustbench_rs.errors import InputError
from robustbench_rs.evaluation.importing import read_imported
from robustbench_rs.evaluation.source import read_source
from robustbench_rs.evaluation.task_results import Stored, read_tasks
from robustbench_rs.evaluation.validation_run import ValidationRun, read_validation, refuse_validation
from robustbench_rs.plugins import Registry
from robustbench_rs.reporting import build_report
from robustbench_rs.results import Source
from robustbench_rs.spec import Certification, Optimize, Prediction, ReportOptions
from robustbench_rs.store import DATABASE, RunStore, open_run

P = TypeVar("P", bound=Params)


@dataclass(frozen=True)
class Run:
    """A run's results. ``source`` is what reports and comparisons are made of."""

    path: Path
    source: Source
    options: ReportOptions

    @property
    def name(self) -> str:
        return self.source.name

    def report(self, radii: Sequence[float] | None = None, title: str | None = None) -> Report:
        """The report as data, by default on the spec's own grid of radii."""
        return build_report([self.source], self.options.grid() if radii is None else radii, title or self.name)


def load_run(
    path: Path,
    registry: Registry,
    *,
    certification: Mapping[str, Any] | None = None,
    name: str | None = None,
    tables: Tables | None = None,
) -> Run:
    """Read ``path`` (a run's directory). ``certification``: keys of the spec's section to derive with instead.

    Only what needs no new draws may change: ``norms``, ``solvers``, ``alpha``. ``name``: of the source, by default the
    spec's. ``tables`` keeps what solvers build, by default for this call only. Raises :class:`InputError`.
    """
    if not (path / DATABASE).is_file():
        raise InputError(f"{path} is no run: it holds no {DATABASE}")
    with open_run(path / DATABASE) as store:
        return read_run(store, path, registry, certification=certification, name=name, tables=tables)


def load_results(
    path: Path,
    registry: Registry,
    *,
    certification: Mapping[str, Any] | None = None,
    tables: Tables | None = None,
) -> Run | ValidationRun:
    """What a directory holds: a run, as :func:`load_run` reads it, or a validation, of which nothing can be derived."""
    if (path / DATABASE).is_file() and not certification:
        with open_run(path / DATABASE) as store:
            validation = read_validation(store, path, registry)
        if validation is not None:
            return validation
    return load_run(path, registry, certification=certification, tables=tables)


def read_run(
    store: RunStore,
    path: Path,
    registry: Registry,
    *,
    certification: Mapping[str, Any] | None = None,
    name: str | None = None,
    tables: Tables | None = None,
) -> Run:
    """The run behind an open store. Raises :class:`InputError` for a validation, which is none."""
    refuse_validation(store)
    imported = read_imported(store)
    if imported is not None:
        return Run(path, imported, ReportOptions.model_validate({}, context={"directory": registry}))
    stored = read_stored(store, registry, certification=certification, name=name, tables=tables)
    options = _validated(ReportOptions, store.meta("spec")["report"], registry)
    return Run(path, read_source(store, stored, read_tasks(store, stored)), options)


def read_stored(
    store: RunStore,
    registry: Registry,
    *,
    certification: Mapping[str, Any] | None = None,
    name: str | None = None,
    tables: Tables | None = None,
) -> Stored:
    """What the store says of its whole run; ``tables`` keeps what solvers build.

    Raises :class:`InputError` for a directory whose run never began.
    """
    spec = store.meta("spec")
    if spec is None:
        raise InputError(f"{store.path}: no evaluation was begun here")
    section = {**spec["certification"], **(certification or {})}
    return Stored(
        name=name or store.meta("name"),
        dataset=store.meta("dataset"),
        certification=_validated(Certification, section, registry),
        prediction=_validated(Prediction, spec["prediction"], registry) if spec.get("prediction") else None,
        registry=registry,
        tables=tables or MemoryTables(),
        optimize=_validated(Optimize, spec["optimize"], registry) if spec.get("optimize") else None,
    )


def _validated(model: type[P], fields: Mapping[str, Any], registry: Registry) -> P:
    try:
        return model.model_validate(dict(fields), context={"directory": registry})
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise InputError("; ".join(problems)) from None
