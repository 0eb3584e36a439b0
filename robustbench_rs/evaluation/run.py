"""The orchestrator: plan, prepare, sample, derive, report. Killed anywhere, the same call goes on where it stopped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustbench_rs.api import Choice, Dataset, DatasetParams, Inputs, Reporter
from robustbench_rs.errors import InputError
from robustbench_rs.evaluation.chosen import ChosenNoise, chosen_noise
from robustbench_rs.evaluation.compatibility import check_compatible, differing, refuse
from robustbench_rs.evaluation.data import choose_inputs
from robustbench_rs.evaluation.gallery import choose_pictures, draw_pictures, pictured
from robustbench_rs.evaluation.loading import Run, read_stored
from robustbench_rs.evaluation.options import RunOptions
from robustbench_rs.evaluation.plan import CLEAN, Task, fingerprint, plan, stage_draws
from robustbench_rs.evaluation.session import Session, Work, draw, still_missing
from robustbench_rs.evaluation.source import certificate_rows, read_source
from robustbench_rs.evaluation.task_results import read_tasks
from robustbench_rs.evaluation.tracking import RunningAccuracy
from robustbench_rs.evaluation.tuning import tune, tuning_inputs
from robustbench_rs.plugins import Registry
from robustbench_rs.reporting import write_report
from robustbench_rs.results import Source
from robustbench_rs.spec import Spec
from robustbench_rs.store import RunDirectory, TaskRow, open_run, set_aside

if TYPE_CHECKING:
    from robustbench_rs.evaluation.models import Prepared, Workshop

REPORT_FOLDER = "report"
PRECISION = "float32"


def evaluate(spec: Spec, registry: Registry, options: RunOptions | None = None) -> Run:
    """Carry out a spec in its directory, resuming or extending what is stored there, and write its report.

    Raises :class:`InputError` for what the user can mend (also a directory that holds another evaluation) and
    :class:`RunError` when the run itself fails; finished chunks are stored in any case.
    """
    from robustbench_rs.evaluation.devices import resolve_devices

    options = options or RunOptions()
    tasks = plan(spec, registry)
    devices = resolve_devices(options.device)
    chosen = choose_inputs(spec.dataset, options.shard)
    _check_noises(tasks, math.prod(chosen.images.shape))
    tuning = tuning_inputs(spec, chosen)
    out = options.out or Path("runs") / spec.name
    if options.fresh and (old := set_aside(out)) is not None:
        options.progress.say(f"{out} is now {old}")
    with RunDirectory(out) as directory, open_run(directory.database, write=True) as store:
        check_compatible(store, tasks, spec)
        session = Session(spec, registry, options, store, chosen, devices, tuning)
        _check_inputs_kept(session)
        _check_identities(tasks, session)
        _record(session)
        for task in tasks:
            _sample(task, session)
        run = Run(out, _derive(session), spec.report)
        write_report(run.report(), make_reporters(spec.report.formats), out / REPORT_FOLDER)
    return run


def make_reporters(formats: Sequence[Choice[Reporter]]) -> list[Reporter]:
    return [choice.make() for choice in formats]


def _record(session: Session) -> None:
    """Write down what the run is, before any draw."""
    from robustbench_rs.evaluation.environment import environment

    spec, store, chosen = session.spec, session.store, session.chosen
    store.add_inputs(chosen.indices, chosen.labels)
    store.set_meta(
        {
            "name": spec.name,
            "seed": spec.seed,
            "spec": spec.canonical(),
            "draws": stage_draws(spec),
            "dataset": {
                "label": dataset_label(spec.dataset),
                "digest": chosen.images.digest,
                "shape": list(chosen.images.shape),
                "class_names": list(chosen.images.class_names),
            },
            "shard": None if session.options.shard is None else list(session.options.shard),
            "environment": environment(session.registry, session.devices),
        }
    )


def dataset_label(choice: Choice[Dataset]) -> str:
    """The data set as reports and comparisons name it: ``digits``, ``digits/train``, or its title."""
    assert isinstance(choice.params, DatasetParams)
    split = "" if choice.params.split == "test" else f"/{choice.params.split}"
    return choice.params.title or f"{choice.name}{split}"


def _check_noises(tasks: Sequence[Task], dim: int) -> None:
    """Some families exist in some dimensions only, and the data decides the dimension."""
    for task in tasks:
        noise = None if task.defense.noise is None else task.defense.noise.make()
        if noise is not None and (problem := noise.problem(dim)) is not None:
            raise InputError(f"{task.label}: {problem}")


def _check_inputs_kept(session: Session) -> None:
    stored, differences = session.store, []
    lost = set(stored.inputs().indices.tolist()) - set(session.chosen.indices.tolist())
    if lost:
        differences.append(f"dataset: {len(lost)} stored inputs are no longer chosen (limit, every, offset or --shard)")
    if (stored.meta("dataset") or {}).get("digest", session.chosen.images.digest) != session.chosen.images.digest:
        differences.append("dataset: its content changed (another digest)")
    if differences and stored.tasks():
        refuse(stored, differences)


def _check_identities(tasks: Sequence[Task], session: Session) -> None:
    """Refuse another model or device for stored counts before anything in the store changes."""
    from robustbench_rs.evaluation.models import prepare_model

    stored = [row.identity["config"] for row in session.store.tasks()]
    for task in tasks:
        if task.config in stored:
            _task_row(task, prepare_model(task, _workshop(session)), session)


def _sample(task: Task, session: Session) -> None:
    """Prepare the task's model and draw what is still missing."""
    from robustbench_rs.evaluation.models import prepare_model

    prepared = prepare_model(task, _workshop(session))
    row = _task_row(task, prepared, session)
    session.store.put_task(row)
    if session.spec.optimize is not None and task.defense.noise is not None:
        tune(task, row.id, session.spec.optimize, prepared, session)
    laws = chosen_noise(session.store, row.id, task.defense.noise, task.config.get("optimize"))
    _draw(task, row, prepared, laws, session)


def _workshop(session: Session) -> Workshop:
    from robustbench_rs.evaluation.models import Workshop

    images = session.chosen.images
    return Workshop(
        inputs=Inputs(tuple(images.shape), images.num_classes),
        class_names=tuple(images.class_names),
        dataset=session.spec.dataset,
        seed=session.spec.seed,
        device=session.devices[0],
        options=session.options,
    )


def _task_row(task: Task, prepared: Prepared, session: Session) -> TaskRow:
    """The task with its identity. Raises :class:`InputError` when the stored counts are of another model or device."""
    from robustbench_rs.sampling import block_rows

    images = session.chosen.images
    identity = {
        "defense": task.defense.name,
        "config": task.config,
        "data": images.digest,
        "model": prepared.digest,
        "device": session.device_type,
        "precision": PRECISION,
        "block_rows": block_rows(math.prod(images.shape), session.device_type),
        **_tuning_identity(task, session),
    }
    stored = {row.id: row for row in session.store.tasks()}
    number = fingerprint(identity)
    for old in stored.values():
        same_task = old.defense == task.defense.name and old.identity["config"] == task.config
        if same_task and old.id != number:
            refuse(session.store, [f"{task.label}: {line}" for line in differing(old.identity, identity)])
    noise = task.defense.noise
    details = dict(stored[number].details) if number in stored else {}
    details |= {"noise": None if noise is None else noise.canonical(), "model": task.defense.model.canonical()}
    details |= {} if task.outcomes is None else {"outcomes": task.outcomes}
    return TaskRow(number, task.position, task.defense.name, task.defense.point, identity, details)


def _tuning_identity(task: Task, session: Session) -> dict[str, Any]:
    """The inputs that C-OPT tunes on decide what it chooses."""
    if task.defense.noise is None or session.tuning is None:
        return {}
    images, indices = session.tuning.images, session.tuning.indices.tolist()
    return {"optimize": {"data": images.digest, "inputs": len(indices), "indices": fingerprint(indices)}}


def _draw(task: Task, row: TaskRow, prepared: Prepared, laws: ChosenNoise, session: Session) -> None:
    """Draw what is missing, stage by stage, so that short stages of many inputs share batches."""
    from robustbench_rs.sampling import StageRequest

    stages = task.draws(session.spec)
    indices = session.chosen.indices.tolist()
    requests = [StageRequest(index, stage, 0, n) for stage, n in stages.items() for index in indices]
    missing = still_missing(requests, row.id, session)
    if not missing:
        return
    work = Work(
        label=task.label,
        images=session.chosen.images,
        requests=missing,
        noise=None if laws.noise is None else laws.noise.make(),
        total=sum(stages.values()) * len(indices),
        laws=laws.laws({each for each in stages if each != CLEAN}),
        note=RunningAccuracy(session.store, row, session.spec, session.chosen).note,
    )
    draw(work, row.id, prepared, session)


def _derive(session: Session) -> Source:
    """Results made again from the counts; certificates and pictures are stored beside them."""
    store = session.store
    looks, n = store.meta("looks") or [], session.spec.certification.n
    if n not in looks and any(row.is_random for row in store.tasks()):
        store.set_meta({"looks": [*looks, n]})
    stored = read_stored(store, session.registry, tables=session.tables)
    tasks = read_tasks(store, stored)
    store.replace_certificates(certificate_rows(tasks))
    for task in tasks:
        if task.measured and task.counts.noise is not None:
            pictures = [(*each, task.counts.law(each[1])) for each in choose_pictures(pictured(task.measured))]
            drawn = draw_pictures(pictures, session.chosen.images, session.spec.seed)
            store.replace_gallery(task.counts.row.id, drawn)
    return read_source(store, stored, tasks)
