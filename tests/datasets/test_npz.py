"""Images in .npz files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robustbench_rs.api import Images
from robustbench_rs.errors import InputError
from robustbench_rs_plugins.datasets.npz import Npz

X = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 6), dtype=np.uint8)
Y = np.array([0, 1, 2, 1, 0])
FLOATS = X / 255


def with_value(value: float) -> np.ndarray:
    changed = FLOATS.copy()
    changed[3, 1, 2, 2] = value
    return changed


def load(path: Path, split: str = "test", **params: object) -> Images:
    return Npz(Npz.Params(path=path, **params)).load(split)


@pytest.mark.parametrize("keys", [("test_images", "test_labels"), ("x_test", "y_test"), ("x", "y")])
@pytest.mark.parametrize("x", [X, FLOATS, FLOATS.astype(np.float32)])
def test_reads(tmp_path: Path, keys: tuple[str, str], x: np.ndarray) -> None:
    np.savez(tmp_path / "d.npz", **{keys[0]: x, keys[1]: Y[:, None]})
    images = load(tmp_path / "d.npz")
    assert images.labels.tolist() == Y.tolist()
    assert images.num_classes == 3
    assert np.allclose(images.pixels(np.arange(5)), FLOATS, rtol=1e-6, atol=0)


def test_layouts(tmp_path: Path) -> None:
    np.savez(tmp_path / "nhwc.npz", x=X.transpose(0, 2, 3, 1), y=Y)
    assert np.array_equal(np.rint(load(tmp_path / "nhwc.npz", layout="NHWC").pixels(np.arange(5)) * 255), X)
    with pytest.raises(InputError, match=r"look like \(H, W, C\); say 'layout: NHWC'"):
        load(tmp_path / "nhwc.npz")
    np.savez(tmp_path / "grey.npz", x=X[:, 0], y=Y)
    assert load(tmp_path / "grey.npz").shape == (1, 4, 6)


def test_classes_of_all_splits(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x_test=X[:2], y_test=Y[:2], x_train=X, y_train=Y)
    assert load(tmp_path / "d.npz", "test").num_classes == 3
    assert load(tmp_path / "d.npz", "train").num_classes == 3


def test_plain_keys_are_one_split(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", x=X, y=Y)
    assert len(load(tmp_path / "{split}.npz", "train")) == 5
    assert len(load(tmp_path / "train.npz", "train")) == 5
    with pytest.raises(InputError, match="no split 'test', only 'train'"):
        load(tmp_path / "train.npz", "test")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": with_value(np.nan), "y": Y}, r"image 3 has NaN; float pixels must lie in \[0, 1\]"),
        ({"x": with_value(1.5), "y": Y}, r"image 3 has pixels from 0\S* to 1\.5"),
        ({"x": with_value(-0.1), "y": Y}, r"image 3 has pixels from -0\.1"),
        ({"x": with_value(np.inf), "y": Y}, "image 3 has pixels from .* to inf"),
        ({"x": X.astype(np.int64), "y": Y}, "pixels are int64; store uint8"),
        ({"x": X, "y": Y - 1}, "label -1 of image 0 is out of range"),
        ({"x": X, "y": Y.astype(float)}, "labels are float64, not whole numbers"),
        ({"x": X, "y": Y[:4]}, "5 images but 4 labels"),
        ({"x": X, "y": np.eye(5, dtype=int)}, r"labels have shape \(5, 5\)"),
        ({"x": X[:0], "y": Y[:0]}, "holds no image"),
        ({"x": X[0, 0], "y": Y[:4]}, r"images have shape \(4, 6\)"),
        ({"x": X}, "no images of split 'test': expected the keys .*; found x"),
        ({"x": np.array([{}, {}], dtype=object), "y": Y[:2]}, "not a readable .npz file of plain arrays"),
    ],
)
def test_wrong_content(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(InputError, match=message):
        load(tmp_path / "d.npz")


def test_label_beyond_the_class_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=X, y=Y)
    with pytest.raises(InputError, match="label 2 of image 2 is out of range; classes are 0 to 1"):
        load(tmp_path / "d.npz", class_names=("a", "b"))


def test_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    with pytest.raises(InputError, match="no such file"):
        load(path)
    np.savez_compressed(path, x=X, y=Y)
    whole = path.read_bytes()
    for damaged in (b"", b"hello", whole[:-50], whole[:200] + b"\0" * 50 + whole[250:]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="not a readable"):
            load(path)
    np.save(tmp_path / "single.npy", X)
    with pytest.raises(InputError, match="a single array"):
        load(tmp_path / "single.npy")
