"""Data sets: images with labels, known by their original index."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from robustbench_rs.api.component import Component, Params


class DatasetParams(Params):
    """Which inputs: of ``split``, every ``every``-th from ``offset`` on, at most ``limit``.

    ``title``: what reports call the data, by default the plugin's name (and the split, if that is not "test").
    Results and published logs are comparable only where it is the same.
    """

    title: str | None = Field(default=None, min_length=1, max_length=80)
    split: str = "test"
    every: int = Field(default=1, ge=1)
    offset: int = Field(default=0, ge=0)
    limit: int | None = Field(default=None, ge=1)

    def indices(self, size: int) -> np.ndarray:
        """Original indices chosen from a split of ``size`` inputs, ascending, int64."""
        return np.arange(self.offset, size, self.every, dtype=np.int64)[: self.limit]


class Images(ABC):
    """All inputs of one split. Picklable; pixels may be read lazily.

    ``labels`` (N,) int64; ``shape`` (C, H, W) of one input; ``digest`` changes whenever any pixel or label does.
    """

    labels: np.ndarray
    shape: tuple[int, ...]
    class_names: Sequence[str]
    digest: str
    pixel_range: tuple[float, float] = (0.0, 1.0)
    """Finite values outside are refused: a data set that forgot to scale would get radii in other units."""

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def pixels(self, indices: np.ndarray) -> np.ndarray:
        """Inputs (m, \\*shape), float32 in [0, 1], of the given original indices (m,)."""


class ArrayImages(Images):
    """Images that fit in memory: ``pixels`` (N, \\*shape), float32 in [0, 1] or uint8 in [0, 255]."""

    def __init__(self, pixels: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> None:
        self._pixels = pixels
        self.labels = np.asarray(labels, dtype=np.int64)
        self.shape = tuple(pixels.shape[1:])
        self.class_names = tuple(class_names)
        self.digest = content_digest([pixels.dtype.str, str(pixels.shape), pixels, self.labels, "|".join(class_names)])

    def pixels(self, indices: np.ndarray) -> np.ndarray:
        chosen: np.ndarray = self._pixels[indices]
        return chosen.astype(np.float32) / np.float32(255) if chosen.dtype == np.uint8 else chosen.astype(np.float32)


class Dataset(Component):
    """Reads one data set. Raises ``InputError`` (or ``ValueError``, ``OSError``) naming the file when it cannot."""

    kind: ClassVar[str] = "dataset"
    Params: ClassVar[type[Params]] = DatasetParams

    @abstractmethod
    def load(self, split: str) -> Images:
        """All images of a split ("train", "test", ...), whatever ``every``, ``offset`` and ``limit`` choose."""


def content_digest(parts: Iterable[str | bytes | Path | np.ndarray]) -> str:
    """SHA-256 over texts, bytes, whole files and arrays, each preceded by its length."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            digest.update(part.stat().st_size.to_bytes(8, "little"))
            with part.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
            continue
        data = np.ascontiguousarray(part).tobytes() if isinstance(part, np.ndarray) else part
        encoded = data.encode() if isinstance(data, str) else data
        digest.update(len(encoded).to_bytes(8, "little"))
        digest.update(encoded)
    return digest.hexdigest()
