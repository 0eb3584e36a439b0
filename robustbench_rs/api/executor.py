"""Where and how sampling runs: devices, processes, machines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from robustbench_rs.api.component import Component


@dataclass(frozen=True)
class StageCounts:
    """Class counts (K,) int64 of draws ``start`` <= i < ``stop`` of one input in one stage."""

    index: int
    stage: str
    start: int
    stop: int
    counts: np.ndarray


@dataclass(frozen=True)
class Chunk:
    """What is stored in one transaction: counts of many inputs, and the seconds of each stage's draws.

    ``batch_size``: the batch in use when the chunk ended (it may have been halved after running out of memory).
    ``news``: lines for the user, such as that halving.
    """

    counts: Sequence[StageCounts]
    seconds: Mapping[str, float]
    batch_size: int
    news: Sequence[str] = ()


class Job(ABC):
    """One task's remaining sampling, cut by input. Picklable, so that it can be sent to another process."""

    @abstractmethod
    def parts(self, number: int) -> list[Job]:
        """The same work cut into at most ``number`` jobs with disjoint inputs."""

    @abstractmethod
    def run(self, device: str, emit: Callable[[Chunk], None]) -> None:
        """Draw and count on ``device``; ``emit`` every finished chunk, in order per input."""


class Executor(Component):
    """Runs jobs; every chunk comes back through ``emit``, called in the caller's thread and process only."""

    kind: ClassVar[str] = "executor"

    @property
    def batch_size(self) -> int | None:
        """Inputs per forward pass; None: calibrated on the device."""
        return None

    @abstractmethod
    def execute(self, job: Job, devices: Sequence[str], emit: Callable[[Chunk], None]) -> None:
        """Run the whole job on ``devices`` (torch names: "cpu", "cuda:0", ...). Returns when all is counted.

        An exception of a worker, or of ``emit``, stops all workers and is raised here.
        """
