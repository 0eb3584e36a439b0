"""A noise of few lines, small images, and a progress that listens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from robustbench_rs.api import ArrayImages, Images, Noise, NoiseParams, Progress, SilentProgress, TrainingRun
from robustbench_rs_plugins.datasets.digits import Digits


class PlainGaussian(Noise):
    """Gaussian noise straight from torch, so that these tests depend on no other plugin."""

    name = "plain-gaussian"

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        return self.params.sigma * torch.randn(shape, generator=generator, device=device, dtype=dtype)


class Listener(SilentProgress):
    """Remembers what it is told; ``stop_after`` images, it raises ``Stopped``."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.total = self.started_at = self.advanced = self.finished = 0
        self.stop_after = stop_after
        self.notes: list[str] = []
        self.messages: list[str] = []

    def start(self, label: str, total: int, done: int = 0) -> None:
        self.total, self.started_at = total, done

    def advance(self, amount: int, note: str = "") -> None:
        self.advanced += amount
        self.notes.append(note)
        if self.stop_after is not None and self.advanced > self.stop_after:
            raise Stopped

    def finish(self) -> None:
        self.finished += 1

    def say(self, message: str) -> None:
        self.messages.append(message)


class Stopped(Exception):  # noqa: N818 - no error: it stops like a signal
    """Stands for a kill."""


@pytest.fixture(scope="session")
def digits() -> Images:
    return Digits().load("train")


@pytest.fixture(scope="session")
def colours() -> Images:
    """60 random uint8 images of 3x8x8."""
    random = np.random.default_rng(0)
    return ArrayImages(random.integers(0, 256, (60, 3, 8, 8), dtype=np.uint8), np.arange(60) % 3, ["a", "b", "c"])


MakeRun = Callable[..., TrainingRun]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """A training run: module and images given, the rest by default."""

    def make(
        module: nn.Module,
        images: Images,
        sigma: float | None = 0.25,
        seed: int = 0,
        limit: int = 60,
        progress: Progress | None = None,
        state: str = "state.pt",
    ) -> TrainingRun:
        return TrainingRun(
            module=module,
            images=images,
            indices=np.arange(min(limit, len(images))),
            noise=None if sigma is None else PlainGaussian(NoiseParams(sigma=sigma)),
            seed=seed,
            device="cpu",
            state_file=tmp_path / state,
            progress=progress if progress is not None else SilentProgress(),
        )

    return make
