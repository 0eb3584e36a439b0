"""Modules and noise whose every step is exact, so that counts do not depend on kernels, and ones that fail."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from robustbench_rs.api import ArrayImages, Chunk, Images, Noise
from robustbench_rs.api.draws import standard_normal
from robustbench_rs.sampling import SamplingJob, StageRequest

CLASSES = 251
SHAPE = (1, 4, 4)
ROWS = 16


class Gaussian(Noise):
    """Standard normal noise."""

    name = "fake-gaussian"
    Params = Noise.Params

    def __init__(self) -> None:
        pass

    def sample(self, shape, generator, device, dtype):
        return standard_normal(shape, generator, device, dtype)


class Misbehaving(Gaussian):
    """A sampler that fails in a chosen way."""

    name = "misbehaving"

    def __init__(self, how: str) -> None:
        self.how = how

    def sample(self, shape, generator, device, dtype):
        drawn = standard_normal(shape, generator, device, dtype)
        if self.how == "raises":
            raise ValueError("no table for this")
        if self.how == "nan":
            drawn[-1, 0, 0, 0] = float("nan")
        if self.how == "infinite":
            drawn[0, 0, 0, 0] = -float("inf")
        return {"shape": drawn[:-1], "integers": drawn.int(), "nothing": None}.get(self.how, drawn)


class BitClassifier(nn.Module):
    """The class is the sum of all bits of the input, as integers, modulo ``CLASSES``: one flipped bit changes it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bits = x.contiguous().view(torch.int32).flatten(1).to(torch.int64)
        return nn.functional.one_hot(bits.sum(1) % CLASSES, CLASSES).float()


class Recorder(BitClassifier):
    """Also keeps every batch that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.batches.append(x.clone())
        return super().forward(x)


class Shifting(BitClassifier):
    """Changes its input in place, as a careless normalisation does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = super().forward(x)
        x.sub_(0.5)
        return logits


class Hungry(Shifting):
    """Out of memory above ``limit`` inputs; changes its input before it fails."""

    def __init__(self, limit: int, error: Exception) -> None:
        super().__init__()
        self.limit = limit
        self.error = error

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > self.limit:
            x.add_(1)
            raise self.error
        return super().forward(x)


class Answers(nn.Module):
    """Returns what it was made with, or NaN logits for inputs above ``nan_above``."""

    def __init__(self, answer: object = None, nan_above: float = float("inf")) -> None:
        super().__init__()
        self.answer = answer
        self.nan_above = nan_above

    def forward(self, x: torch.Tensor) -> object:
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        logits = torch.zeros(len(x), CLASSES)
        logits[x.flatten(1)[:, 0] > self.nan_above, 3] = float("nan")
        return logits


class Dies(BitClassifier):
    """Ends its process in a chosen way on the input of index ``victim`` (pixels all index / 255)."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.how == "exit":
            os._exit(7)
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "raise":
            raise ValueError("bad weights")
        return super().forward(x)


class Slow(BitClassifier):
    """Takes a while per batch, and leaves its process id behind."""

    def __init__(self, folder: Path, seconds: float) -> None:
        super().__init__()
        self.folder = folder
        self.seconds = seconds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        (self.folder / str(os.getpid())).touch()
        time.sleep(self.seconds)
        return super().forward(x)


class Counting(Images):
    """Inputs made when asked for; remembers what was asked."""

    def __init__(self, size: int, shape: tuple[int, ...] = SHAPE) -> None:
        self.labels = np.zeros(size, dtype=np.int64)
        self.shape = shape
        self.class_names = [str(k) for k in range(CLASSES)]
        self.digest = "counting"
        self.asked: list[list[int]] = []

    def pixels(self, indices: np.ndarray) -> np.ndarray:
        self.asked.append(indices.tolist())
        values = (indices % 256).astype(np.float32) / np.float32(255)
        return np.broadcast_to(values.reshape(-1, *[1] * len(self.shape)), (len(indices), *self.shape)).copy()


def images(size: int = 8, value: float | None = None) -> ArrayImages:
    """Random inputs, or constant ones."""
    pixels = np.random.default_rng(5).random((size, *SHAPE), dtype=np.float32)
    if value is not None:
        pixels[:] = value
    return ArrayImages(pixels, np.zeros(size), [str(k) for k in range(CLASSES)])


def make_job(requests: Sequence[StageRequest], module: nn.Module | None = None, **changes: object) -> SamplingJob:
    """A small job; ``changes`` replace its fields."""
    job = SamplingJob(module or BitClassifier(), Gaussian(), images(), tuple(requests), 1, CLASSES, ROWS, batch_size=64)
    return replace(job, **changes)


def chunks_of(job: SamplingJob, device: str = "cpu") -> list[Chunk]:
    """All chunks of a run in this process."""
    chunks: list[Chunk] = []
    job.run(device, chunks.append)
    return chunks


def merged(chunks: Sequence[Chunk]) -> dict[tuple[int, str], list[int]]:
    """Counts by (input, stage), after checking that draws come in order, without gaps, and that counts add up."""
    totals: dict[tuple[int, str], np.ndarray] = {}
    reached: dict[tuple[int, str], int] = {}
    for row in [row for chunk in chunks for row in chunk.counts]:
        key = (row.index, row.stage)
        assert row.counts.dtype == np.int64
        assert row.counts.sum() == row.stop - row.start > 0
        assert reached.get(key, row.start) == row.start
        reached[key] = row.stop
        totals[key] = totals.get(key, 0) + row.counts
    return {key: counts.tolist() for key, counts in totals.items()}


def counted(job: SamplingJob) -> dict[tuple[int, str], list[int]]:
    """Counts by (input, stage) of a run in this process."""
    return merged(chunks_of(job))
