"""Epoch checkpoints: everything that the next epoch depends on, in one file, written whole or not at all."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from robustbench_rs.files import write_atomic

FORMAT = 1


@dataclass(frozen=True)
class State:
    """After ``epoch`` epochs. ``identity``: what the training was; another training's state is not resumed."""

    identity: str
    epoch: int
    module: dict[str, Any]
    optimizer: dict[str, Any]
    generators: dict[str, torch.Tensor]

    def save(self, path: Path) -> None:
        """Write atomically. Raises ``OSError``."""
        buffer = io.BytesIO()
        torch.save({"format": FORMAT, **vars(self)}, buffer)
        write_atomic(path, buffer.getvalue())


def load_state(path: Path, identity: str) -> State:
    """The state in ``path``. Raises ``ValueError`` that says why it cannot be used."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever torch raises for a damaged file
        raise ValueError(f"it cannot be read ({type(error).__name__})") from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise ValueError("it has another format")
    try:
        state = State(**content)
    except TypeError as error:
        raise ValueError("it is incomplete") from error
    if state.identity != identity:
        raise ValueError("it belongs to a training with other settings or data")
    return state
