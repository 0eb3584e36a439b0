"""MNIST-style IDX files."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from robustbench_rs.api import Images
from robustbench_rs.errors import InputError
from robustbench_rs_plugins.datasets.idx import Idx

PIXELS = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


def image_bytes(header: tuple[int, ...] = (4, 5, 3), magic: bytes = b"\0\0\x08\x03") -> bytes:
    return magic + struct.pack(">3I", *header) + PIXELS.tobytes()


def label_bytes(labels: tuple[int, ...] = (7, 2, 1, 0)) -> bytes:
    return b"\0\0\x08\x01" + struct.pack(">I", len(labels)) + bytes(labels)


def write(folder: Path, images: bytes, labels: bytes, prefix: str = "t10k", suffix: str = "") -> Path:
    for name, content in ((f"{prefix}-images-idx3-ubyte", images), (f"{prefix}-labels-idx1-ubyte", labels)):
        (folder / (name + suffix)).write_bytes(gzip.compress(content) if suffix else content)
    return folder


def load(folder: Path, split: str = "test", **params: object) -> Images:
    return Idx(Idx.Params(path=folder, **params)).load(split)


@pytest.mark.parametrize(("split", "prefix"), [("test", "t10k"), ("train", "train"), ("test", "test")])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_reads(tmp_path: Path, split: str, prefix: str, suffix: str) -> None:
    images = load(write(tmp_path, image_bytes(), label_bytes(), prefix, suffix), split)
    assert images.shape == (1, 5, 3)
    assert images.labels.tolist() == [7, 2, 1, 0]
    assert images.class_names == tuple("0123456789")
    assert np.array_equal(np.rint(images.pixels(np.arange(4))[:, 0] * 255), PIXELS)


def test_class_names(tmp_path: Path) -> None:
    folder = write(tmp_path, image_bytes(), label_bytes((0, 1, 1, 26)))
    assert load(folder).num_classes == 27
    with pytest.raises(InputError, match="label 26 of image 3 is out of range; classes are 0 to 1"):
        load(folder, class_names=("a", "b"))


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (image_bytes((5, 5, 3)), label_bytes(), r"announces \(5, 5, 3\) = 75 bytes, but 60 bytes follow"),
        (image_bytes((3, 5, 3)), label_bytes(), "but more bytes follow"),
        (image_bytes((2**32 - 1,) * 3), label_bytes(), "does not fit into memory|but 60 bytes follow"),
        (image_bytes(magic=b"\0\0\x0d\x03"), label_bytes(), "found 00 00 0d 03"),
        (image_bytes(magic=b"PK\3\4"), label_bytes(), "not an IDX file"),
        (b"\0\0", label_bytes(), "not an IDX file"),
        (image_bytes(), label_bytes((1, 2)), "4 images but 2 labels"),
        (image_bytes((0, 5, 3))[:16], label_bytes(()), "holds no image"),
        (label_bytes(), label_bytes(), r"expected an IDX file of bytes with 3 axes|not an IDX file"),
    ],
)
def test_damaged(tmp_path: Path, images: bytes, labels: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(write(tmp_path, images, labels))


def test_damaged_gz(tmp_path: Path) -> None:
    folder = write(tmp_path, image_bytes(), label_bytes(), suffix=".gz")
    path = folder / "t10k-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    for damaged in (whole[:-12], b"no gzip at all", whole[:12] + b"\xff\xff\xff" + whole[15:]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"t10k-images-idx3-ubyte\.gz: damaged or truncated"):
            load(folder)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images of split 'train'; looked for train-images-idx3-ubyte"):
        load(tmp_path, "train")
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        load(tmp_path / "nowhere")


def test_real_mnist(data_dir: Path) -> None:
    images = load(data_dir / "mnist")
    assert len(images) == 10_000
    assert images.shape == (1, 28, 28)
    assert images.labels[:5].tolist() == [7, 2, 1, 0, 4]
