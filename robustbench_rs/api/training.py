"""Ways to train a base classifier."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from robustbench_rs.api.component import Choice, ChoiceOf, Component, Params
from robustbench_rs.api.dataset import Dataset, Images
from robustbench_rs.api.noise import Noise
from robustbench_rs.api.progress import Progress

if TYPE_CHECKING:
    from torch import nn


class TrainingParams(Params):
    """``noise``: by default the defense's own, one model per level. ``dataset``: by default the same, split "train"."""

    noise: Annotated[Choice[Noise], ChoiceOf("noise")] | None = None
    dataset: Annotated[Choice[Dataset], ChoiceOf("dataset")] | None = None


@dataclass(frozen=True)
class TrainingRun:
    """All that a training needs. ``module`` is trained in place, on ``device``.

    ``state_file`` is where epoch checkpoints go (written atomically: weights, optimiser, generators); when it exists,
    training resumes from it and ends with weights bit-identical to those of an uninterrupted training on the same
    machine with the same number of threads.
    """

    module: nn.Module
    images: Images
    indices: np.ndarray
    noise: Noise | None
    seed: int
    device: str
    state_file: Path
    progress: Progress


class Training(Component):
    """Trains a module. The framework caches the outcome by content, so equal trainings run once."""

    kind: ClassVar[str] = "training"
    Params: ClassVar[type[Params]] = TrainingParams

    @abstractmethod
    def train(self, run: TrainingRun) -> None:
        """Train ``run.module`` in place."""
