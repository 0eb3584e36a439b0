"""May this spec go on in that directory? Counts are reused only for what they were drawn for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from robustbench_rs.errors import InputError, shorten
from robustbench_rs.evaluation.plan import Task, fingerprint, stage_draws
from robustbench_rs.evaluation.validation_run import refuse_validation
from robustbench_rs.spec import Spec
from robustbench_rs.store import RunStore

DRAW_KEYS = {
    "selection": "certification.n0",
    "estimation": "certification.n",
    "prediction": "prediction.n",
}


def check_compatible(store: RunStore, tasks: Sequence[Task], spec: Spec) -> None:
    """Raise :class:`InputError`, listing the keys that differ, unless the stored evaluation is continued or extended.

    Report, norms, solvers and alpha are free; more inputs, levels, defenses and draws extend it.
    """
    refuse_validation(store)
    differences = [*_task_differences(store, tasks), *_draw_differences(store, spec)]
    if differences:
        refuse(store, differences)


def refuse(store: RunStore, differences: Sequence[str]) -> None:
    """Raise the error that lists what differs."""
    listed = "\n".join(f"  {line}" for line in dict.fromkeys(differences))
    raise InputError(
        f"{store.path.parent} holds another evaluation, whose counts cannot serve this one. What differs:\n{listed}\n"
        "Use another --out, or --fresh to set the old directory aside."
    )


def _task_differences(store: RunStore, tasks: Sequence[Task]) -> Iterator[str]:
    wanted = {(task.defense.name, fingerprint(task.config)) for task in tasks}
    for row in store.tasks():
        old = row.identity["config"]
        if (row.defense, fingerprint(old)) in wanted:
            continue
        same_name = [task for task in tasks if task.defense.name == row.defense]
        if not same_name:
            yield f"defenses: {row.defense!r} is stored, and no longer in the spec"
            continue
        closest = min((list(differing(old, task.config)) for task in same_name), key=len)
        yield from (line if line.startswith(("seed", "dataset")) else f"{row.defense}: {line}" for line in closest)


def _draw_differences(store: RunStore, spec: Spec) -> Iterator[str]:
    if not any(row.is_random for row in store.tasks()):
        return
    stored = store.meta("draws") or {}
    wanted = stage_draws(spec)
    for stage, key in DRAW_KEYS.items():
        if stored.get(stage, 0) > wanted.get(stage, 0):
            yield f"{key}: stored {stored[stage]}, now {wanted.get(stage, 'absent')} (it can only grow)"


def differing(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """One line per key path at which two nested maps differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            yield from differing(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    elif old != new:
        yield f"{path}: stored {shorten(old, 60)}, now {shorten(new, 60)}"
