"""CIFAR-10 as published: the python batches (Krizhevsky 2009), in the official order, without running pickled code."""

from __future__ import annotations

import io
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from robustbench_rs.api import Dataset, DatasetParams, Images, SpecPath, hookimpl
from robustbench_rs.errors import InputError, shorten
from robustbench_rs_plugins.datasets.checks import checked_images, for_split

FILES = {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SHAPE = (3, 32, 32)


class Cifar10(Dataset):
    """CIFAR-10 from ``cifar-10-batches-py``, shape (3, 32, 32), kept as uint8."""

    name = "cifar10"

    class Params(DatasetParams):
        """``path``: the folder with ``data_batch_1`` to ``_5`` and ``test_batch``, or the folder above it."""

        path: SpecPath

    params: Params

    def load(self, split: str) -> Images:
        """Split "train" (50,000) or "test" (10,000, official order: every 20th is the subset of Cohen et al.)."""
        if split not in FILES:
            raise InputError(f"cifar10: no split {shorten(split)}; there are 'train' and 'test'")
        folder = for_split(self.params.path, split)
        if (folder / "cifar-10-batches-py").is_dir():
            folder = folder / "cifar-10-batches-py"
        batches = [read_batch(folder / name) for name in FILES[split]]
        pixels = np.concatenate([batch[0] for batch in batches])
        labels = np.concatenate([batch[1] for batch in batches])
        return checked_images(pixels, labels, CLASSES, str(folder))


def read_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 3, 32, 32) uint8 and labels (N,) of one batch file. Raises ``InputError`` that says what is wrong."""
    try:
        batch = _BatchUnpickler(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; unpack cifar-10-python.tar.gz there") from None
    except _Refused as error:
        raise InputError(
            f"{path}: {error}; this is not the published CIFAR-10 file, and nothing of it was run"
        ) from None
    except Exception as error:  # a damaged pickle can raise anything
        raise InputError(f"{path}: damaged batch file ({type(error).__name__}: {error}); fetch it again") from error
    data, labels = _entry(batch, "data"), _entry(batch, "labels")
    if not isinstance(data, _Array) or not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise InputError(f"{path}: not a CIFAR-10 batch: expected an array 'data' and a list of integers 'labels'")
    pixels = data.bytes_array(path)
    if pixels.shape != (len(labels), math.prod(SHAPE)):
        raise InputError(f"{path}: 'data' has shape {pixels.shape}, expected ({len(labels)} labels, 3072)")
    return pixels.reshape(-1, *SHAPE), np.asarray(labels, dtype=np.int64)


def _entry(batch: object, key: str) -> object:
    return batch.get(key.encode(), batch.get(key)) if isinstance(batch, dict) else None


class _Refused(pickle.UnpicklingError):
    """The file asks for something other than a plain array."""


class _Array:
    """Stands in for a pickled ``numpy.ndarray``: remembers its state instead of building it.

    Even numpy's own unpickling trusts the file (a crafted dtype corrupts memory); this reads nothing but bytes.
    """

    def __init__(self, *_ignored: object) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def bytes_array(self, path: Path) -> np.ndarray:
        """The array, if it holds unsigned bytes."""
        try:
            _version, shape, dtype, fortran_order, data = self.state
            if dtype.code not in ("u1", b"u1") or not isinstance(data, bytes):
                raise ValueError(f"its elements are {shorten(dtype.code)}, not bytes")
            return np.frombuffer(data, dtype=np.uint8).reshape(shape, order="F" if fortran_order else "C")
        except (TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{path}: 'data' is no array of bytes ({error})") from error


class _Dtype:
    """Stands in for a pickled ``numpy.dtype``."""

    def __init__(self, code: object = None, *_ignored: object) -> None:
        self.code = code

    def __setstate__(self, state: object) -> None:
        pass


def _latin1(text: str, encoding: str) -> bytes:
    """Stands in for ``_codecs.encode``, which is how Python 3 writes bytes into old pickle protocols."""
    if encoding != "latin1":
        raise _Refused(f"bytes in encoding {shorten(encoding)}")
    return text.encode("latin1")


class _BatchUnpickler(pickle.Unpickler):
    """Builds containers, numbers and texts; every global is one of three stand-ins, or refused."""

    ADMITTED = {  # noqa: RUF012 - never changed
        ("numpy.core.multiarray", "_reconstruct"): _Array,
        ("numpy._core.multiarray", "_reconstruct"): _Array,
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Dtype,
        ("_codecs", "encode"): _latin1,
    }

    def find_class(self, module: str, name: str) -> Any:
        """A stand-in. Raises ``_Refused`` for everything else."""
        if (module, name) not in self.ADMITTED:
            raise _Refused(f"it wants to run {shorten(module + '.' + name)}")
        return self.ADMITTED[module, name]


@hookimpl
def robustbench_rs_datasets() -> list[type[Dataset]]:
    """The data set ``cifar10``."""
    return [Cifar10]
