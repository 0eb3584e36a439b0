"""Sampling on this machine: in this process, or in one process per device and worker."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from pydantic import Field

from robustbench_rs.api import Chunk, Executor, Job, Params, hookimpl
from robustbench_rs.errors import InputError, RobustbenchError, RunError

GRACE_SECONDS = 2.0
"""How long a worker may take to end after SIGTERM before it is killed."""


@dataclass(frozen=True)
class Failure:
    """What a worker sends when it fails; ``input_error``: the user's input was wrong (exit 2)."""

    message: str
    input_error: bool
    trace: str


@dataclass(frozen=True)
class Done:
    """What a worker sends when all is counted."""


@dataclass(frozen=True)
class Worker:
    """A running process and the pipe on which its chunks arrive."""

    process: BaseProcess
    pipe: Connection
    device: str


class LocalParams(Params):
    """``workers``: processes per device; on the CPU they share its threads. ``batch_size``: default calibrated."""

    workers: int = Field(default=1, ge=1)
    batch_size: int | None = Field(default=None, ge=1)


class LocalExecutor(Executor):
    """One or several devices of this machine, with ``workers`` processes each."""

    name = "local"
    Params = LocalParams
    params: LocalParams

    @property
    def batch_size(self) -> int | None:
        return self.params.batch_size

    def execute(self, job: Job, devices: Sequence[str], emit: Callable[[Chunk], None]) -> None:
        """One device and one worker: in this process. Else each part of the job in a process of its own."""
        number = len(devices) * self.params.workers
        parts = job.parts(number) if number > 1 else [job]
        if len(parts) == 1:
            parts[0].run(devices[0], emit)
            return
        with _workers(parts, devices) as workers:
            _gather(workers, emit)


@contextlib.contextmanager
def _workers(parts: Sequence[Job], devices: Sequence[str]) -> Iterator[list[Worker]]:
    """Workers for the parts; whatever happens inside, none is left running afterwards."""
    workers: list[Worker] = []
    try:
        for number, part in enumerate(parts):
            workers.append(_start(_pickled(part), devices[number % len(devices)]))
        yield workers
    finally:
        _stop(workers)


def _pickled(part: Job) -> bytes:
    try:
        return pickle.dumps(part, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        raise RunError(
            f"the model, noise or data cannot be sent to worker processes ({type(error).__name__}: {error}); use one "
            "device and 'workers: 1', or define them in an importable module"
        ) from error


def _start(payload: bytes, device: str) -> Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(payload, device, theirs), daemon=True, name=f"sampling on {device}")
    with _ctrl_c_blocked():
        process.start()
    theirs.close()
    return Worker(process, ours, device)


@contextlib.contextmanager
def _ctrl_c_blocked() -> Iterator[None]:
    """A process started inside inherits this: Ctrl-C reaches the parent only, which then stops its workers."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _gather(workers: Sequence[Worker], emit: Callable[[Chunk], None]) -> None:
    """Hand over chunks as they come, until every worker is done. Raises what a worker failed with."""
    running = {worker.pipe: worker for worker in workers}
    while running:
        for pipe in wait(list(running)):
            worker = running[pipe]  # type: ignore[index]
            message = _receive(worker)
            if isinstance(message, Chunk):
                emit(message)
            else:
                del running[worker.pipe]


def _receive(worker: Worker) -> Chunk | Done:
    try:
        message = worker.pipe.recv()
    except EOFError:
        worker.process.join(GRACE_SECONDS)
        raise RunError(_death(worker)) from None
    if isinstance(message, Failure):
        error = InputError(message.message) if message.input_error else RunError(message.message)
        error.add_note(message.trace)
        raise error
    assert isinstance(message, Chunk | Done)
    return message


def _death(worker: Worker) -> str:
    code = worker.process.exitcode
    if code is not None and code < 0:
        how = f"was killed by {signal.Signals(-code).name}"
        hint = "; was the machine out of memory?" if -code == signal.SIGKILL else ""
    else:
        how = f"ended with exit code {code}"
        hint = "; a script that uses several workers must call them under 'if __name__ == \"__main__\":'"
    return f"a sampling worker on {worker.device} {how} before its work was done{hint}"


def _stop(workers: Sequence[Worker]) -> None:
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.process.join(GRACE_SECONDS)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join()
        worker.pipe.close()


def work(payload: bytes, device: str, pipe: Connection) -> None:
    """A worker: unpickle a job, run it, send its chunks. Ends at once when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        job = pickle.loads(payload)
        job.run(device, pipe.send)
        pipe.send(Done())
    except BaseException as error:
        pipe.send(_failure(error, device))


def _failure(error: BaseException, device: str) -> Failure:
    if isinstance(error, RobustbenchError):
        return Failure(str(error), isinstance(error, InputError), traceback.format_exc())
    message = f"a sampling worker on {device} failed: {type(error).__name__}: {error}"
    return Failure(message, False, traceback.format_exc())


def _follow_parent() -> None:
    """A parent that was killed cannot stop its workers; the pipe to it breaks, and they stop themselves."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@hookimpl
def robustbench_rs_executors() -> list[type[Executor]]:
    """The executor ``local``."""
    return [LocalExecutor]
