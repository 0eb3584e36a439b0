"""The orchestrator: plan, prepare, sample, derive, report. Killed anywhere, the same call goes on where it stopped."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from robustbench_rs.api import Choice, Chunk, Dataset, DatasetParams, Inputs, Reporter
from robustbench_rs.errors import RobustbenchError, RunError
from robustbench_rs.evaluation.compatibility import check_compatible, differing, refuse
from robustbench_rs.evaluation.data import Chosen, choose_inputs
from robustbench_rs.evaluation.gallery import choose_pictures, draw_pictures, pictured
from robustbench_rs.evaluation.loading import Run, read_stored
from robustbench_rs.evaluation.options import RunOptions
from robustbench_rs.evaluation.plan import Task, fingerprint, plan, stage_draws
from robustbench_rs.evaluation.source import certificate_rows, read_source
from robustbench_rs.evaluation.tables import DiskTables
from robustbench_rs.evaluation.task_results import read_tasks
from robustbench_rs.evaluation.tracking import RunningAccuracy
from robustbench_rs.plugins import Registry
from robustbench_rs.reporting import write_report
from robustbench_rs.results import Source
from robustbench_rs.spec import Spec
from robustbench_rs.store import RunDirectory, RunStore, TaskRow, open_run, set_aside

if TYPE_CHECKING:
    from robustbench_rs.evaluation.models import Prepared, Workshop
    from robustbench_rs.sampling import StageRequest

REPORT_FOLDER = "report"
PRECISION = "float32"


@dataclass(frozen=True)
class Session:
    """What all tasks of one run share."""

    spec: Spec
    registry: Registry
    options: RunOptions
    store: RunStore
    chosen: Chosen
    devices: Sequence[str]

    @property
    def device_type(self) -> str:
        return self.devices[0].partition(":")[0]


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
    out = options.out or Path("runs") / spec.name
    if options.fresh and (old := set_aside(out)) is not None:
        options.progress.say(f"{out} is now {old}")
    with RunDirectory(out) as directory, open_run(directory.database, write=True) as store:
        check_compatible(store, tasks, spec)
        session = Session(spec, registry, options, store, chosen, devices)
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
            "draws": stage_draws(spec, certified=True),
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
    requests = tuple(_missing(task, row, session))
    if requests:
        _draw(task, row, prepared, requests, session)


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
    return TaskRow(number, task.position, task.defense.name, task.defense.point, identity, details)


def _missing(task: Task, row: TaskRow, session: Session) -> Iterator[StageRequest]:
    """Draws not yet stored, stage by stage, so that short stages of many inputs share batches."""
    from robustbench_rs.sampling import StageRequest

    drawn = session.store.drawn(row.id)
    for stage, n in stage_draws(session.spec, certified=task.defense.noise is not None).items():
        for index in session.chosen.indices.tolist():
            if (done := drawn.get((index, stage), 0)) < n:
                yield StageRequest(index, stage, done, n)


def _draw(task: Task, row: TaskRow, prepared: Prepared, requests: tuple[StageRequest, ...], session: Session) -> None:
    """Run the executor on what is missing, storing every chunk as it comes.

    Batch size and threads decide how kernels round; they are fixed, and recorded, before the first draw.
    """
    from robustbench_rs.sampling import SamplingJob

    executor = session.spec.executor.make()
    job = SamplingJob(
        module=prepared.module,
        noise=None if task.defense.noise is None else task.defense.noise.make(),
        images=session.chosen.images,
        requests=requests,
        seed=session.spec.seed,
        num_classes=session.chosen.images.num_classes,
        rows=row.identity["block_rows"],
        batch_size=row.details.get("batch_size", executor.batch_size),
        threads=row.details.get("threads"),
        plugin_files=session.options.plugin_files,
    ).calibrated(session.devices[0])
    row = replace(row, details={**row.details, "batch_size": job.batch_size, "threads": job.threads})
    session.store.put_task(row)
    tracker = RunningAccuracy(session.store, row.id, session.spec, session.chosen)
    progress = session.options.progress
    total = sum(stage_draws(session.spec, certified=task.defense.noise is not None).values()) * len(
        session.chosen.indices
    )
    progress.start(task.label, total, total - job.draws)

    def keep(chunk: Chunk) -> None:
        session.store.add_chunk(row.id, chunk, session.device_type)
        progress.advance(sum(part.stop - part.start for part in chunk.counts), tracker.note(chunk))
        for news in chunk.news:
            progress.say(news)

    try:
        executor.execute(job, session.devices, keep)
    except RobustbenchError:
        raise
    except Exception as error:
        raise RunError(f"executor plugin {executor.name!r} failed on {task.label}: {error!r}") from error
    finally:
        progress.finish()
    if missing := len(list(_missing(task, row, session))):
        raise RunError(f"executor plugin {executor.name!r} ended with {missing} stages of {task.label} not done")


def _derive(session: Session) -> Source:
    """Results made again from the counts; certificates and pictures are stored beside them."""
    store = session.store
    looks, n = store.meta("looks") or [], session.spec.certification.n
    if n not in looks:
        store.set_meta({"looks": [*looks, n]})
    stored = read_stored(store, session.registry, tables=DiskTables(session.options.cache))
    tasks = read_tasks(store, stored)
    store.replace_certificates(certificate_rows(tasks))
    for task in tasks:
        if task.measured and task.counts.noise is not None:
            noise, pictures = task.counts.noise.make(), choose_pictures(pictured(task.measured))
            drawn = draw_pictures(pictures, session.chosen.images, noise, session.spec.seed)
            store.replace_gallery(task.counts.row.id, drawn)
    return read_source(store, stored, tasks)
