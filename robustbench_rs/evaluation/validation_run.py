"""A validation in its directory: carried out, stored as it was computed, and read back to be rendered again.

Unlike a run it draws nothing that would have to be kept: the same command computes everything anew, quickly where
solvers kept their tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from robustbench_rs.api import Report
from robustbench_rs.api.validation import (
    BestNoise,
    Bracket,
    Case,
    RadiusCurve,
    Refusal,
    SolverRadius,
    Validation,
)
from robustbench_rs.errors import InputError
from robustbench_rs.evaluation.environment import environment
from robustbench_rs.evaluation.options import RunOptions
from robustbench_rs.evaluation.plan import canonical_json
from robustbench_rs.evaluation.tables import DiskTables
from robustbench_rs.evaluation.validation import compute_validation
from robustbench_rs.plugins import Registry
from robustbench_rs.reporting import validation_report, write_report
from robustbench_rs.spec import ReportOptions, ValidationSpec
from robustbench_rs.store import RunDirectory, RunStore, open_run, set_aside

KEY = "validation"


@dataclass(frozen=True)
class ValidationRun:
    """A validation's results; what a run has beyond that (certificates, a source to compare) it has not."""

    path: Path
    name: str
    options: ReportOptions
    data: Validation
    protocol: Sequence[tuple[str, str]]
    environment: Sequence[tuple[str, str]]

    def report(self, title: str | None = None) -> Report:
        """The report as data."""
        return validation_report(self.data, self.name, title or self.name, self.protocol, self.environment)


def validate_noises(spec: ValidationSpec, registry: Registry, options: RunOptions | None = None) -> ValidationRun:
    """Carry out a validation in its directory and write its report.

    Raises :class:`InputError` for what the user can mend (also a directory that holds an evaluation) and
    :class:`RunError` when a solver fails.
    """
    options = options or RunOptions()
    out = options.out or Path("runs") / spec.name
    if options.shard is not None:
        raise InputError("--shard divides the inputs of an evaluation; a validation has none")
    if options.fresh and (old := set_aside(out)) is not None:
        options.progress.say(f"{out} is now {old}")
    with RunDirectory(out) as directory, open_run(directory.database, write=True) as store:
        _check_free(store)
        data = compute_validation(spec.validation, registry, DiskTables(options.cache), options.progress)
        store.set_meta(
            {
                "name": spec.name,
                "spec": spec.canonical(),
                "environment": environment(registry, ()),
                KEY: _plain(data),
            }
        )
        run = _read(store, out, registry)
        write_report(run.report(), [choice.make() for choice in spec.report.formats], out / "report")
    return run


def _check_free(store: RunStore) -> None:
    """Raise :class:`InputError` when the directory holds an evaluation or a log."""
    if store.logs() or (store.meta("spec") is not None and store.meta(KEY) is None):
        raise InputError(f"{store.path.parent} holds an evaluation; use another --out, or --fresh to set it aside")


def refuse_validation(store: RunStore) -> None:
    """Raise :class:`InputError` when the directory holds a validation, where an evaluation is needed."""
    if store.meta(KEY) is not None:
        folder = store.path.parent
        raise InputError(
            f"{folder} holds a validation, not an evaluation: it has no certificates to compare, merge or derive again "
            f"by norm, solver or alpha. 'robustbench-rs report {folder}' renders it; --fresh sets it aside for a run"
        )


def describe_validation(spec: ValidationSpec) -> str:
    """What a validation would compute, for ``--dry-run``."""
    options = spec.validation
    lines = [f"{spec.name}: {options.kind}, {len(options.noises) * len(options.norms) * len(options.dims)} cases"]
    lines += [f"noise: {canonical_json(noise.canonical())}" for noise in options.noises]
    lines += [f"{name}: {value}" for name, value in _protocol(spec.canonical()[KEY])]
    return "\n".join(lines)


def read_validation(store: RunStore, path: Path, registry: Registry) -> ValidationRun | None:
    """The validation behind an open store; None when it holds something else."""
    return None if store.meta(KEY) is None else _read(store, path, registry)


def _read(store: RunStore, path: Path, registry: Registry) -> ValidationRun:
    spec = store.meta("spec")
    try:
        options = ReportOptions.model_validate(spec["report"], context={"directory": registry})
    except ValidationError as error:
        raise InputError(
            f"{path}: a format of its report cannot be made here (give its file with -p?): {error}"
        ) from None
    name, data = store.meta("name"), _parsed(store.meta(KEY))
    return ValidationRun(path, name, options, data, _protocol(spec[KEY]), store.meta("environment"))


def _protocol(section: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was asked, as (name, value) pairs; ``section``: of the canonical spec."""
    solvers = [item if isinstance(item, str) else canonical_json(item) for item in section["solvers"]]
    return [
        ("kind", section["kind"]),
        ("norms", ", ".join(norm if isinstance(norm, str) else f"{norm:g}" for norm in section["norms"])),
        ("dimensions d", ", ".join(map(str, section["dims"]))),
        ("pA (pB = 1 - pA)", ", ".join(map(repr, sorted(section["p_lower"])))),
        ("solvers", ", ".join(solvers)),
    ]


def _plain(data: Validation) -> dict[str, Any]:
    """JSON values; an infinite ``upper`` of a curve is null."""
    plain = asdict(data)
    for curve in plain["curves"]:
        for key in ("p_lower", "radius"):
            curve[key] = curve[key].tolist()
        curve["upper"] = [value if np.isfinite(value) else None for value in curve["upper"].tolist()]
    return plain


def _parsed(plain: Mapping[str, Any]) -> Validation:
    def cased(row: Mapping[str, Any]) -> dict[str, Any]:
        return {**row, "case": Case(**row["case"])}

    refusals = [{**row, "cases": tuple(Case(**case) for case in row["cases"])} for row in plain["refusals"]]
    return Validation(
        kind=plain["kind"],
        radii=[SolverRadius(**cased(row)) for row in plain["radii"]],
        brackets=[Bracket(**cased(row)) for row in plain["brackets"]],
        curves=[RadiusCurve(**(cased(row) | _arrays(row))) for row in plain["curves"]],
        best=[BestNoise(**cased(row)) for row in plain["best"]],
        refusals=[Refusal(**row) for row in refusals],
    )


def _arrays(row: Mapping[str, Any]) -> dict[str, np.ndarray]:
    upper = [np.inf if value is None else value for value in row["upper"]]
    return {"p_lower": np.array(row["p_lower"]), "radius": np.array(row["radius"]), "upper": np.array(upper)}
