"""The first layer of an image network: radii are in units of the input *before* it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Normalize(nn.Module):
    """(x - mean) / std per channel; x itself while both are trivial.

    ``mean`` and ``std`` (C, 1, 1) are buffers, so they are saved with the weights and come back with a checkpoint.
    ``stated``: the user gave them, so a checkpoint must not say otherwise.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int, constants: tuple[Sequence[float], Sequence[float]] | None = None) -> None:
        super().__init__()
        mean, std = constants if constants is not None else ([0.0] * channels, [1.0] * channels)
        self.stated = constants is not None
        self.register_buffer("mean", torch.tensor(mean).reshape(channels, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(channels, 1, 1))
        self._note_whether_trivial()

    def forward(self, x: Tensor) -> Tensor:
        return x if self._trivial else (x - self.mean) / self.std

    def _note_whether_trivial(self) -> None:
        self._trivial = bool((self.mean == 0).all() and (self.std == 1).all())

    def _load_from_state_dict(self, *arguments: Any, **options: Any) -> None:
        super()._load_from_state_dict(*arguments, **options)
        self._note_whether_trivial()
