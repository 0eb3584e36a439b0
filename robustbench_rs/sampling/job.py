"""One task's sampling as a job: picklable, cut by input, run on one device."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from robustbench_rs.api import Chunk, Images, Job, Noise
from robustbench_rs.errors import InputError
from robustbench_rs.sampling.blocks import Laws, NoiseBlocks, Sampler
from robustbench_rs.sampling.calibration import calibrate_threads
from robustbench_rs.sampling.classifier import Classifier, evaluating, threads
from robustbench_rs.sampling.engine import Engine, Sources
from robustbench_rs.sampling.memory import keep_freed_memory
from robustbench_rs.sampling.pixels import PixelWindow
from robustbench_rs.sampling.requests import StageRequest

CHUNK_SECONDS = 2.0


@dataclass(frozen=True)
class SamplingJob(Job):
    """Draws of ``noise`` around ``images``, classified by ``module`` and counted.

    ``noise`` None adds nothing; neither does the stage "clean". ``laws``: noise that single inputs and stages have
    instead. ``rows``: draws per block (``block_rows``), part of what determines the draws. ``batch_size`` None:
    calibrated. ``threads``: of torch on the CPU, shared by the parts; None: torch's own. ``plugin_files``: one-file
    plugins that another process must load before it unpickles the job.
    """

    module: nn.Module
    noise: Noise | None
    images: Images
    requests: tuple[StageRequest, ...]
    seed: int
    num_classes: int
    rows: int
    batch_size: int | None = None
    threads: int | None = None
    chunk_seconds: float = CHUNK_SECONDS
    laws: Laws = field(default_factory=dict)
    plugin_files: tuple[Path, ...] = field(default=())

    def __post_init__(self) -> None:
        for name in ("num_classes", "rows", "batch_size", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"sampling: {name} must be at least 1, not {value}")

    @property
    def draws(self) -> int:
        """Draws still to be made."""
        return sum(request.draws for request in self.requests)

    def parts(self, number: int) -> list[Job]:
        """At most ``number`` jobs, each with whole inputs, about equal in draws; they share the threads."""
        shares: list[dict[int, None]] = [{} for _ in range(number)]
        loads = [0] * number
        for index, draws in self._draws_by_input().items():
            lightest = loads.index(min(loads))
            shares[lightest][index] = None
            loads[lightest] += draws
        taken = [share for share in shares if share]
        if len(taken) <= 1:
            return [self]
        each = max(1, (self.threads or torch.get_num_threads()) // len(taken))
        return [
            replace(self, requests=tuple(r for r in self.requests if r.index in share), threads=each) for share in taken
        ]

    def calibrated(self, device: str) -> SamplingJob:
        """The same job with a batch size and a number of threads, timed on ``device``. Raises like :meth:`run`."""
        if self.batch_size is not None or not self.draws:
            return self
        target = torch.device(device)
        keep_freed_memory(target)
        with threads(self.threads), evaluating(self.module), torch.inference_mode():
            classifier = Classifier(self.module.to(target), self.num_classes)
            batch_size, number = calibrate_threads(
                classifier, tuple(self.images.shape), self.draws, target, self._most_threads
            )
        # The job may now be sent to processes of other devices, and its pickle must not need this one.
        self.module.to("cpu")
        return replace(self, batch_size=batch_size, threads=self.threads or number)

    @property
    def _most_threads(self) -> int:
        """Threads to choose from: a number that was given is not calibrated."""
        return 1 if self.threads is not None else torch.get_num_threads()

    def run(self, device: str, emit: Callable[[Chunk], None]) -> None:
        """Draw and count on ``device``, in the order of the requests.

        Raises ``InputError`` naming an input that cannot be used, ``RunError`` naming what failed: the model, the noise
        family, memory.
        """
        job = self.calibrated(device)
        if job.batch_size is None or not job.draws:
            return
        with threads(job.threads), evaluating(self.module), torch.inference_mode():
            job._run(torch.device(device), job.batch_size, emit)

    def _run(self, device: torch.device, batch_size: int, emit: Callable[[Chunk], None]) -> None:
        keep_freed_memory(device)
        shape = tuple(self.images.shape)
        requests = [request for request in self.requests if request.draws]
        classifier = Classifier(self.module.to(device), self.num_classes)
        blocks = self._blocks(requests, device)
        sources = Sources(PixelWindow(self.images, requests, device, self._noises), blocks)
        try:
            Engine(classifier, sources, requests, self.rows, batch_size, shape, device).run(self.chunk_seconds, emit)
        finally:
            if blocks is not None:
                blocks.close()

    @property
    def _noises(self) -> list[Noise]:
        return [] if self.noise is None else [self.noise, *self.laws.values()]

    def _blocks(self, requests: list[StageRequest], device: torch.device) -> NoiseBlocks | None:
        if self.noise is None:
            return None
        sampler = Sampler(self.noise, self.seed, (self.rows, *self.images.shape), device, self.laws)
        return NoiseBlocks(sampler, requests, torch.get_num_threads() if device.type == "cpu" else 1)

    def _draws_by_input(self) -> dict[int, int]:
        draws: dict[int, int] = {}
        for request in self.requests:
            draws[request.index] = draws.get(request.index, 0) + request.draws
        return draws

    def __reduce__(self) -> tuple[Callable[..., SamplingJob], tuple[Any, ...]]:
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "plugin_files"}
        return restore, (self.plugin_files, pickle.dumps(values, protocol=pickle.HIGHEST_PROTOCOL))


def restore(plugin_files: tuple[Path, ...], payload: bytes) -> SamplingJob:
    """A job from its pickle: classes of one-file plugins exist only once their files are loaded."""
    if plugin_files:
        from robustbench_rs.plugins import load_registry

        load_registry(files=plugin_files)
    return SamplingJob(**pickle.loads(payload), plugin_files=plugin_files)
