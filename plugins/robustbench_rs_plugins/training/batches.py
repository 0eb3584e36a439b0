"""Training images in memory, on the device, and random batches of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from robustbench_rs.api import Images
from robustbench_rs.errors import InputError

BLOCK = 1024
PADDING = 4
"""Pixels by which an augmented image may be shifted (He et al. 2016, section 4.2)."""


class Batches:
    """The chosen images of a training set, as uint8 where that loses nothing (a quarter of the memory).

    ``pixels`` (m, C, H, W), ``labels`` (m,), both on ``device``. Raises ``InputError`` when there are none.
    """

    def __init__(self, images: Images, indices: np.ndarray, device: torch.device) -> None:
        if len(indices) == 0:
            raise InputError("training: no image is chosen; correct the training data set's 'every', 'offset', 'limit'")
        self.pixels = _in_memory(images, indices).to(device)
        self.labels = torch.from_numpy(images.labels[indices].astype(np.int64)).to(device)
        self.largest_label = int(images.labels[indices].max())

    def __len__(self) -> int:
        return len(self.labels)

    def epoch(
        self, size: int, augment: bool, order: torch.Generator, shifts: torch.Generator
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """All images once, in random order: batches ((b, C, H, W) float32 in [0, 1], (b,) labels).

        A single left-over image is left out: batch normalisation cannot train on it.
        """
        for chosen in torch.split(torch.randperm(len(self), generator=order), size):
            if len(chosen) == 1 and len(self) > 1 and size > 1:
                continue
            rows = chosen.to(self.pixels.device)
            batch = self.pixels[rows]
            if augment:
                batch = crop_flip(batch, shifts)
            yield as_floats(batch), self.labels[rows]


def as_floats(pixels: Tensor) -> Tensor:
    """float32 in [0, 1]."""
    return pixels.float().div_(255) if pixels.dtype == torch.uint8 else pixels


def crop_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image (b, C, H, W) shifted by up to ``PADDING`` pixels both ways, and mirrored with probability 1/2."""
    number, _, height, width = images.shape
    shift = torch.randint(0, 2 * PADDING + 1, (number, 2), generator=generator)
    mirrored = torch.randint(0, 2, (number, 1), generator=generator).bool()
    rows = shift[:, :1] + torch.arange(height)
    columns = shift[:, 1:] + torch.arange(width)
    columns = torch.where(mirrored, columns.flip(1), columns)
    padded = torch.nn.functional.pad(images, (PADDING,) * 4)
    image = torch.arange(number, device=images.device)[:, None, None]
    cut = padded.permute(0, 2, 3, 1)[image, rows[:, :, None].to(images.device), columns[:, None, :].to(images.device)]
    return cut.permute(0, 3, 1, 2)


def _in_memory(images: Images, indices: np.ndarray) -> Tensor:
    """Pixels (m, C, H, W): uint8 if every one is k/255 exactly, else float32."""
    blocks = [_packed(images.pixels(indices[start : start + BLOCK])) for start in range(0, len(indices), BLOCK)]
    if any(block.dtype != np.uint8 for block in blocks):
        blocks = [block / np.float32(255) if block.dtype == np.uint8 else block for block in blocks]
    return torch.from_numpy(np.concatenate(blocks))


def _packed(pixels: np.ndarray) -> np.ndarray:
    whole = np.rint(pixels * np.float32(255)).astype(np.uint8)
    return whole if np.array_equal(whole / np.float32(255), pixels) else pixels
