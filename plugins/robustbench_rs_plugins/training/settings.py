"""What a training with noise augmentation can be told."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Literal

from pydantic import Field, model_validator

from robustbench_rs.api import TrainingParams


class NoiseAugmentationParams(TrainingParams):
    """``learning_rate``: at the start; ``schedule`` "cosine" lowers it to 0 batch by batch, "step" multiplies it by
    ``gamma`` at each epoch of ``milestones``, "constant" keeps it.

    ``momentum``: of sgd (adam uses its usual 0.9 and 0.999). ``augment`` "crop-flip": shifted by up to 4 pixels
    (zeros move in) and mirrored at random. The paper's CIFAR-10 setting: 90 epochs, batches of 256, sgd 0.1,
    weight decay 1e-4, milestones 30 and 60, crop-flip.
    """

    epochs: int = Field(default=20, ge=1)
    batch_size: int = Field(default=128, ge=1)
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = Field(default=0.1, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=1e-4, ge=0)
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    milestones: tuple[int, ...] = ()
    gamma: float = Field(default=0.1, gt=0, le=1)
    augment: Literal["none", "crop-flip"] = "none"

    @model_validator(mode="after")
    def _milestones_for_steps(self) -> NoiseAugmentationParams:
        if (self.schedule == "step") != bool(self.milestones):
            raise ValueError("give 'milestones' (epochs) with 'schedule: step', and only then")
        return self

    def rate(self, epoch: int, fraction: float) -> float:
        """The learning rate in epoch ``epoch`` (from 0), of which ``fraction`` is done."""
        if self.schedule == "cosine":
            return self.learning_rate * (1 + math.cos(math.pi * (epoch + fraction) / self.epochs)) / 2
        if self.schedule == "step":
            return self.learning_rate * self.gamma ** bisect_right(sorted(self.milestones), epoch)
        return self.learning_rate
