"""What all tasks of one run share, and how draws of a task are made and stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from robustbench_rs.api import Chunk, Images, Noise, Tables
from robustbench_rs.errors import RobustbenchError, RunError
from robustbench_rs.evaluation.data import Chosen
from robustbench_rs.evaluation.options import RunOptions
from robustbench_rs.evaluation.tables import DiskTables
from robustbench_rs.plugins import Registry
from robustbench_rs.spec import Spec
from robustbench_rs.store import RunStore, TaskRow

if TYPE_CHECKING:
    from robustbench_rs.evaluation.models import Prepared
    from robustbench_rs.sampling import Laws, StageRequest


@dataclass(frozen=True)
class Session:
    """What all tasks of one run share."""

    spec: Spec
    registry: Registry
    options: RunOptions
    store: RunStore
    chosen: Chosen
    devices: Sequence[str]
    tuning: Chosen | None = None
    """What C-OPT tunes on."""

    @property
    def device_type(self) -> str:
        return self.devices[0].partition(":")[0]

    @cached_property
    def tables(self) -> Tables:
        """Where solvers keep what they build."""
        return DiskTables(self.options.cache)


def _silent(_: Chunk) -> str:
    return ""


@dataclass(frozen=True)
class Work:
    """Draws to be made of one task. ``laws``: noise that single inputs and stages have instead of ``noise``.

    For the progress bar: ``label``, ``total`` draws with those made before, and ``note``, called with every chunk.
    """

    label: str
    images: Images
    requests: tuple[StageRequest, ...]
    noise: Noise | None
    total: int
    laws: Laws = field(default_factory=dict)
    note: Callable[[Chunk], str] = _silent


def draw(work: Work, task: str, prepared: Prepared, session: Session) -> None:
    """Run the executor on what is missing of the task with that id, storing every chunk as it comes.

    Batch size and threads decide how kernels round; they are fixed, and recorded, before the first draw.
    """
    from robustbench_rs.sampling import SamplingJob

    executor, row = session.spec.executor.make(), _row(task, session)
    job = SamplingJob(
        module=prepared.module,
        noise=work.noise,
        images=work.images,
        requests=work.requests,
        seed=session.spec.seed,
        num_classes=work.images.num_classes,
        rows=row.identity["block_rows"],
        batch_size=row.details.get("batch_size", executor.batch_size),
        threads=row.details.get("threads"),
        laws=work.laws,
        plugin_files=session.options.plugin_files,
    ).calibrated(session.devices[0])
    details = {**row.details, "batch_size": job.batch_size, "threads": job.threads}
    session.store.put_task(replace(row, details=details))
    progress = session.options.progress
    progress.start(work.label, work.total, work.total - job.draws)

    def keep(chunk: Chunk) -> None:
        session.store.add_chunk(task, chunk, session.device_type)
        progress.advance(sum(part.stop - part.start for part in chunk.counts), work.note(chunk))
        for news in chunk.news:
            progress.say(news)

    try:
        executor.execute(job, session.devices, keep)
    except RobustbenchError:
        raise
    except Exception as error:
        raise RunError(f"executor plugin {executor.name!r} failed on {work.label}: {error!r}") from error
    finally:
        progress.finish()
    if missing := len(still_missing(work.requests, task, session)):
        raise RunError(f"executor plugin {executor.name!r} ended with {missing} stages of {work.label} not done")


def still_missing(requests: Sequence[StageRequest], task: str, session: Session) -> tuple[StageRequest, ...]:
    """The part of each request that is not stored yet, in their order."""
    drawn = session.store.drawn(task)
    begun = [replace(each, start=max(each.start, drawn.get((each.index, each.stage), 0))) for each in requests]
    return tuple(each for each in begun if each.draws)


def _row(task: str, session: Session) -> TaskRow:
    return next(row for row in session.store.tasks() if row.id == task)
