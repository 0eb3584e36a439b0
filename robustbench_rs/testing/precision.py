"""Draws in other precisions and on other devices than the one whose law is checked first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from robustbench_rs.api import Noise

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Drawn:
    """Draws as float64; ``eps``: relative distance of two neighbouring numbers of the precision that they came in."""

    values: np.ndarray
    eps: float
    where: str


def offered() -> list[tuple[str, torch.dtype]]:
    """Device types of this machine, each with the precisions to look at; the first entry is the reference."""
    import torch

    found = [("cpu", torch.float64), ("cpu", torch.bfloat16)]
    if torch.cuda.is_available():
        found += [("cuda", torch.float32), ("cuda", torch.bfloat16)]
    return found


def draw_in(noise: Noise, shape: tuple[int, ...], seed: int, place: str, dtype: torch.dtype) -> Drawn:
    """Raises ``ValueError`` when the draws are of another type or elsewhere, besides what the noise raises."""
    import torch

    drawn = noise.sample(shape, torch.Generator(place).manual_seed(seed), place, dtype)
    where = f"{str(dtype).removeprefix('torch.')} on {place}"
    if drawn.shape != shape or drawn.dtype != dtype or drawn.device.type != place:
        raise ValueError(f"asked for {where}, got {drawn.dtype} on {drawn.device.type}")
    return Drawn(drawn.to("cpu", torch.float64).numpy(), float(torch.finfo(dtype).eps), where)


def refusal(error: Exception, place: str, dtype: torch.dtype) -> str | None:
    """What is wrong with this error: nothing when it says, to people, that the precision is not offered."""
    name = str(dtype).removeprefix("torch.")
    clear = isinstance(error, ValueError | NotImplementedError) and name in str(error) and "asked for" not in str(error)
    return None if clear else f"{name} on {place} raises {type(error).__name__} without refusing clearly: {error}"
