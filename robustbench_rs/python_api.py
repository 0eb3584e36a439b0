"""What the command line does, as functions that return the objects it renders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from robustbench_rs import evaluation
from robustbench_rs.api import Noise, Report, Tables
from robustbench_rs.errors import InputError
from robustbench_rs.evaluation import Run, RunOptions, ValidationRun
from robustbench_rs.evaluation.tables import DiskTables
from robustbench_rs.plugins import Registry, load_registry
from robustbench_rs.spec import Spec, ValidationSpec, find_spec, load_spec, spec_from_mapping

DEFAULT_RADII = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)


@cache
def installed() -> Registry:
    """The installed plugins, loaded once."""
    return load_registry()


def noise(name: str, *, registry: Registry | None = None, **params: Any) -> Noise:
    """A noise family by name: ``noise("gaussian", sigma=0.5)``. Raises :class:`InputError` for bad parameters."""
    directory = registry or installed()
    try:
        component = directory.find(Noise.kind, name)
        made = component(component.Params.model_validate(params, context={"directory": directory}))
    except LookupError as error:
        raise InputError(str(error.args[0])) from None
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc'])) or 'parameters'}: {each['msg']}" for each in error.errors()]
        raise InputError(f"noise {name!r}: {'; '.join(problems)}") from None
    except ValueError as error:
        raise InputError(f"noise {name!r}: {error}") from None
    assert isinstance(made, Noise)
    return made


def _tables() -> Tables:
    return DiskTables(RunOptions().cache)


def evaluate(
    spec: Spec | ValidationSpec | str | Path | Mapping[str, Any],
    options: RunOptions | None = None,
    *,
    settings: Sequence[str] = (),
    data: Path | None = None,
    registry: Registry | None = None,
) -> Run | ValidationRun:
    """Carry out a spec: a file, the name of a shipped one, or a mapping with the same keys.

    ``settings``: ``key.path=value``, as ``--set``; ``data``: what ``${data}`` stands for. Resumes what ``options.out``
    holds. Raises the errors of :mod:`robustbench_rs.errors`.
    """
    directory = registry or installed()
    if isinstance(spec, str | Path):
        spec = load_spec(find_spec(str(spec)), directory, settings=settings, data=data)
    elif isinstance(spec, Mapping):
        spec = spec_from_mapping(spec, directory, folder=Path.cwd(), data=data)
    if isinstance(spec, ValidationSpec):
        return evaluation.validate_noises(spec, directory, options)
    return evaluation.evaluate(spec, directory, options)


def load_run(path: str | Path, *, registry: Registry | None = None) -> Run | ValidationRun:
    """The results in a run's directory, finished or not; of a validation, its radii."""
    return evaluation.load_results(Path(path), registry or installed(), tables=_tables())


def compare(
    paths: Sequence[str | Path], *, radii: Sequence[float] = DEFAULT_RADII, registry: Registry | None = None
) -> Report:
    """Runs and published logs in one report."""
    return evaluation.compare([Path(path) for path in paths], registry or installed(), radii, tables=_tables())
