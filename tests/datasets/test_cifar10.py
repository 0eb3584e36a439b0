"""CIFAR-10's python batches, and pickles that are none."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from robustbench_rs.errors import InputError
from robustbench_rs_plugins.datasets.cifar10 import Cifar10

DATA = np.random.default_rng(0).integers(0, 256, (2, 3072), dtype=np.uint8)


def published_bytes(data: np.ndarray, labels: tuple[int, int]) -> bytes:
    """A batch in the opcodes of Python 2's pickle protocol 2, as the published files are."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    dtype = (
        b"cnumpy\ndtype\n"
        + text(b"u1")
        + b"K\0K\1\x87R(K\3"
        + text(b"|")
        + b"NNN"
        + b"J\xff\xff\xff\xff" * 2
        + b"K\0tb"
    )
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85" + text(b"b") + b"\x87R"
    array += b"(K\1K\2M" + struct.pack("<H", 3072) + b"\x86" + dtype
    array += b"\x89T" + struct.pack("<I", data.size) + data.tobytes() + b"tb"
    numbers = b"](K" + bytes([labels[0]]) + b"K" + bytes([labels[1]]) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(b"labels") + numbers + b"u."


def load(folder: Path, split: str = "test") -> object:
    return Cifar10(Cifar10.Params(path=folder)).load(split)


def test_reads_the_published_format(tmp_path: Path) -> None:
    content = published_bytes(DATA, (3, 8))
    assert np.array_equal(pickle.loads(content, encoding="bytes")[b"data"], DATA)  # the fixture is a real pickle
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(content)
    images = load(tmp_path)
    assert images.labels.tolist() == [3, 8]
    assert images.shape == (3, 32, 32)
    assert images.class_names[3] == "cat"
    pixels = np.rint(images.pixels(np.arange(2)) * 255)
    assert np.array_equal(pixels[1, 2, 5], DATA[1, 2048 + 5 * 32 : 2048 + 6 * 32])


def test_training_batches_in_order(tmp_path: Path) -> None:
    for number in range(1, 6):
        batch = {b"data": np.full((2, 3072), number, dtype=np.uint8), b"labels": [number, 0]}
        (tmp_path / f"data_batch_{number}").write_bytes(pickle.dumps(batch, protocol=2))
    images = load(tmp_path, "train")
    assert images.labels.tolist() == [1, 0, 2, 0, 3, 0, 4, 0, 5, 0]
    assert np.rint(images.pixels(np.arange(10))[:, 0, 0, 0] * 255).tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


class Evil:
    """Unpickled the ordinary way, it creates a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.target), "w")


def test_pickled_code_does_not_run(tmp_path: Path) -> None:
    target = tmp_path / "it_ran"
    content = pickle.dumps({b"data": Evil(target), b"labels": [1]}, protocol=2)
    pickle.loads(content)[b"data"].close()
    assert target.exists()
    target.unlink()
    (tmp_path / "test_batch").write_bytes(content)
    with pytest.raises(InputError, match=r"test_batch: it wants to run 'io\.open'.*nothing of it was run"):
        load(tmp_path)
    assert not target.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged batch file"),
        (published_bytes(DATA, (3, 8))[:3000], "damaged batch file"),
        (pickle.dumps([1, 2]), "not a CIFAR-10 batch"),
        (pickle.dumps({"data": 3, "labels": [1]}, 2), "not a CIFAR-10 batch"),
        (pickle.dumps({"data": DATA, "labels": [1, "2"]}, 2), "not a CIFAR-10 batch"),
        (pickle.dumps({"data": DATA.astype(float), "labels": [1, 2]}, 2), "'f8', not bytes"),
        (pickle.dumps({"data": DATA, "labels": [1, 2, 3]}, 2), r"shape \(2, 3072\), expected \(3 labels, 3072\)"),
        (pickle.dumps({"data": DATA, "labels": [1, 10]}, 2), "label 10 of image 1 is out of range"),
        (pickle.dumps({"data": DATA, "labels": [-1, 1]}, 2), "label -1 of image 0 is out of range"),
    ],
)
def test_damaged(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "test_batch").write_bytes(content)
    with pytest.raises(InputError, match=message):
        load(tmp_path)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="data_batch_1: no such file; unpack"):
        load(tmp_path, "train")
    with pytest.raises(InputError, match="no split 'val'"):
        load(tmp_path, "val")
