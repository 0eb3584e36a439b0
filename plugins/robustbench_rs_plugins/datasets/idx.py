"""MNIST-style IDX files (MNIST, Fashion-MNIST, KMNIST, EMNIST), plain or ``.gz``."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np

from robustbench_rs.api import Dataset, DatasetParams, Images, SpecPath, hookimpl
from robustbench_rs.errors import InputError
from robustbench_rs_plugins.datasets.checks import checked_images, for_split

UNSIGNED_BYTE = 0x08
PREFIXES = {"test": ("t10k", "test")}


class Idx(Dataset):
    """IDX image and label files, in the order of the file. Grey images of shape (1, H, W)."""

    name = "idx"

    class Params(DatasetParams):
        """``path``: folder with ``train-images-idx3-ubyte[.gz]``, ``t10k-labels-idx1-ubyte[.gz]``, and so on.

        ``class_names``: default "0" to "9", or as many as the labels need.
        """

        path: SpecPath
        class_names: tuple[str, ...] | None = None

    params: Params

    def load(self, split: str) -> Images:
        """Split "train" (files ``train-*``), "test" (``t10k-*`` or ``test-*``), or any other prefix."""
        folder = for_split(self.params.path, split)
        image_file, label_file = find(folder, split, "images", 3), find(folder, split, "labels", 1)
        pixels, labels = read_idx(image_file, 3), read_idx(label_file, 1)
        names = self.params.class_names
        if names is None and len(labels) and labels.max() < 10:
            names = tuple(str(digit) for digit in range(10))
        return checked_images(pixels[:, None], labels, names, f"{image_file} and {label_file.name}")


def find(folder: Path, split: str, what: str, axes: int) -> Path:
    """The file of a split's images or labels. Raises ``InputError`` that says what was looked for."""
    names = [
        f"{prefix}-{what}{dot}idx{axes}-ubyte{suffix}"
        for prefix in PREFIXES.get(split, (split,))
        for dot in ("-", ".")
        for suffix in ("", ".gz")
    ]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{folder}: no {what} of split {split!r}; looked for {', '.join(names)}")


def read_idx(path: Path, axes: int) -> np.ndarray:
    """The uint8 array with ``axes`` axes in an IDX file: magic (0, 0, type, axes), big-endian sizes, then the data.

    Raises ``InputError`` for a damaged ``.gz``, another element type, or a file shorter or longer than its header says.
    """
    try:
        with _open(path) as file:
            shape = _shape(file.read(4 + 4 * axes), axes, path)
            expected = math.prod(shape)
            # One byte more than announced tells a longer file; a hostile .gz is not inflated any further.
            data = file.read(expected + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: damaged or truncated .gz file ({error}); fetch it again") from error
    except (MemoryError, OverflowError) as error:
        raise InputError(f"{path}: the header announces {shape}, which does not fit into memory") from error
    if len(data) != expected:
        found = f"{len(data)} bytes follow" if len(data) < expected else "more bytes follow"
        raise InputError(f"{path}: the header announces {shape} = {expected} bytes, but {found}; fetch it again")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def _open(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _shape(header: bytes, axes: int, path: Path) -> tuple[int, ...]:
    if len(header) < 4 + 4 * axes or header[:2] != b"\0\0":
        raise InputError(f"{path}: not an IDX file (bad header {header[:4].hex(' ')!r})")
    if header[2] != UNSIGNED_BYTE or header[3] != axes:
        raise InputError(
            f"{path}: expected an IDX file of bytes with {axes} axes (magic 00 00 08 {axes:02x}), "
            f"found {header[:4].hex(' ')}"
        )
    return tuple(int(size) for size in np.frombuffer(header[4:], dtype=">u4"))


@hookimpl
def robustbench_rs_datasets() -> list[type[Dataset]]:
    """The data set ``idx``."""
    return [Idx]
