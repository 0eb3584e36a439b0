"""The Monte-Carlo engine: batches that fill across inputs and stages, noise added in place, counts on the device.

A batch always has the same shape (at the very end some rows hold no draw), so the model runs the same kernels whatever
the order of inputs, interruptions or chunk ends are. Memory does not depend on the number of draws.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from robustbench_rs.api import Chunk
from robustbench_rs.errors import RunError
from robustbench_rs.sampling.blocks import NoiseBlocks
from robustbench_rs.sampling.classifier import Classifier
from robustbench_rs.sampling.ledger import Ledger
from robustbench_rs.sampling.memory import OutOfMemoryError, device_errors, release
from robustbench_rs.sampling.pixels import PixelWindow
from robustbench_rs.sampling.requests import CLEAN, Segment, StageRequest, fill, first

SLOTS = 1024
"""Requests per chunk, or a batch of them where that is more; then the counts are brought home early."""


@dataclass(frozen=True)
class Sources:
    """Where a batch comes from: inputs, and noise for all stages but "clean" (None: for none)."""

    pixels: PixelWindow
    blocks: NoiseBlocks | None

    def write(self, request: StageRequest, segment: Segment, out: torch.Tensor) -> None:
        """Write the draws of a segment into ``out`` (draws, \\*shape): the input under its noise, if there is any."""
        pixels = self.pixels.of(segment.request)
        if self.blocks is None or request.stage == CLEAN:
            out.copy_(pixels)
        else:
            self.blocks.write(segment.request, segment.start, segment.stop, pixels, out)


class Engine:
    """Counts the classes of every requested draw."""

    def __init__(
        self,
        classifier: Classifier,
        sources: Sources,
        requests: Sequence[StageRequest],
        rows: int,
        batch_size: int,
        shape: tuple[int, ...],
        device: torch.device,
    ) -> None:
        self.classifier = classifier
        self.sources = sources
        self.requests = requests
        self.rows = rows
        self.shape = shape
        self.device = device
        self.news: list[str] = []
        self._allocate(batch_size)
        slots = min(len(requests), max(SLOTS, self.batch_size))
        self.ledger = Ledger(requests, classifier.num_classes, slots, device)

    def run(self, chunk_seconds: float, emit: Callable[[Chunk], None]) -> None:
        """Draw, count, and ``emit`` a chunk about every ``chunk_seconds``. Nothing that is counted depends on them.

        Raises ``RunError`` naming what failed: the model, the noise family, or memory for a single input.
        """
        cursor = first(self.requests)
        began = time.perf_counter()
        while cursor.request < len(self.requests):
            segments, following = fill(self.requests, cursor, self.batch_size, self.rows)
            if not self.ledger.has_room(segments):
                began = self._chunk(began, emit)
            if not self._fits(segments):
                self._halve()
                continue
            cursor = following
            if time.perf_counter() - began >= chunk_seconds:
                began = self._chunk(began, emit)
        self._chunk(began, emit)

    def _fits(self, segments: Sequence[Segment]) -> bool:
        """Count a batch; False when it ran out of memory. The error, which holds on to tensors, is gone by then."""
        try:
            with device_errors(self.device):
                self._count(segments)
        except OutOfMemoryError:
            return False
        return True

    def _count(self, segments: Sequence[Segment]) -> None:
        row = 0
        for segment in segments:
            self._place(segment, row)
            row += segment.draws
        if row < self.batch_size:
            self.owners[row:] = self.ledger.nothing
        self.ledger.commit(segments, self.owners, self.classifier.classes(self.batch))

    def _place(self, segment: Segment, row: int) -> None:
        """Write noisy inputs into the rows of the batch from ``row`` on."""
        rows = slice(row, row + segment.draws)
        self.sources.write(self.requests[segment.request], segment, self.batch[rows])
        self.owners[rows] = self.ledger.offset(segment)

    def _chunk(self, began: float, emit: Callable[[Chunk], None]) -> float:
        """Bring the counts to the host and hand them over. Returns when the next chunk began."""
        drawn = self.ledger.draws()
        with device_errors(self.device):
            if self.sources.blocks is not None:
                self.sources.blocks.check()
            counts = self.ledger.close()
        seconds = _apportion(time.perf_counter() - began, drawn)
        if counts:
            news, self.news = tuple(self.news), []
            emit(Chunk(counts, seconds, self.batch_size, news))
        return time.perf_counter()

    def _halve(self) -> None:
        """Nothing of the failed batch was counted: it is drawn again, in halves."""
        if self.batch_size == 1:
            raise RunError(f"out of memory on {self.device} with a single input of shape {self.shape} in the batch")
        smaller = self.batch_size // 2
        self.news.append(f"out of memory on {self.device} with a batch of {self.batch_size}: going on with {smaller}")
        self.batch = self.owners = torch.empty(0)
        release(self.device)
        self._allocate(smaller)

    def _allocate(self, batch_size: int) -> None:
        self.batch_size = batch_size
        try:
            with device_errors(self.device):
                self.batch = torch.zeros((batch_size, *self.shape), device=self.device)
                self.owners = torch.empty(batch_size, dtype=torch.int64, device=self.device)
        except OutOfMemoryError:
            fits = False
        else:
            fits = True
        if not fits:
            self._halve()


def _apportion(seconds: float, drawn: Counter[str]) -> dict[str, float]:
    """Seconds of a chunk by stage, in proportion to its draws: stages share batches."""
    total = drawn.total()
    return {stage: seconds * draws / total for stage, draws in drawn.items() if draws}
