"""scikit-learn's digits and their fixed split."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from robustbench_rs.errors import InputError
from robustbench_rs_plugins.datasets.digits import Digits


@pytest.mark.parametrize(("split", "size"), [("train", 1437), ("test", 360)])
def test_shape_range_and_size(split: str, size: int) -> None:
    images = Digits().load(split)
    pixels = images.pixels(np.arange(size))
    assert len(images) == size
    assert images.shape == (1, 8, 8)
    assert images.num_classes == 10
    assert pixels.dtype == np.float32
    assert pixels.min() == 0
    assert pixels.max() == 1
    assert np.array_equal(pixels * 16, np.rint(pixels * 16))


def test_split_is_stratified_and_disjoint_and_whole() -> None:
    train, test = Digits().load("train"), Digits().load("test")
    everything = np.concatenate([train.pixels(np.arange(1437)), test.pixels(np.arange(360))])
    from sklearn.datasets import load_digits

    original = (load_digits().data / 16).astype(np.float32)
    assert sorted(row.tobytes() for row in everything.reshape(1797, 64)) == sorted(row.tobytes() for row in original)
    sizes = np.bincount(train.labels) + np.bincount(test.labels)
    assert np.all(np.abs(np.bincount(test.labels) - sizes * 360 / 1797) < 1)


def test_split_never_changes() -> None:
    labels = Digits().load("test").labels
    assert hashlib.sha256(labels.tobytes()).hexdigest()[:16] == "37a97b502628bd0c"
    assert Digits().load("test").digest[:16] == "b30d9b59b17a4d1f"


def test_unknown_split() -> None:
    with pytest.raises(InputError, match="no split 'validation'"):
        Digits().load("validation")
