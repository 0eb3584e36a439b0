"""scikit-learn's bundled real digits: 1,797 images of 8x8 pixels (UCI; Alpaydin and Kaynak 1998)."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np

from robustbench_rs.api import ArrayImages, Dataset, Images, hookimpl
from robustbench_rs.errors import InputError

TEST_SIZE = 360


class Digits(Dataset):
    """Handwritten digits, shape (1, 8, 8), pixels k/16 in [0, 1]; a fixed stratified split of 1,437 / 360.

    Needs no file and no network.
    """

    name = "digits"

    def load(self, split: str) -> Images:
        """Split "train" or "test". Raises ``InputError`` for any other."""
        if split not in ("train", "test"):
            raise InputError(f"digits: no split {split!r}; there are 'train' (1,437 images) and 'test' (360)")
        pixels, labels = _all_digits()
        in_test = held_out(labels)
        chosen = in_test if split == "test" else ~in_test
        return ArrayImages(pixels[chosen], labels[chosen], [str(digit) for digit in range(10)])


@lru_cache(maxsize=1)
def _all_digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    flat, labels = load_digits(return_X_y=True)
    return (flat / 16).astype(np.float32).reshape(-1, 1, 8, 8), labels.astype(np.int64)


def held_out(labels: np.ndarray) -> np.ndarray:
    """Which of the images belong to the test split (N,), bool: a pure function of the labels, on any library version.

    Each class gives its proportional share, left-over places going to the largest remainders (then the smaller class
    number); within a class, the images whose SHA-256 of "digits/<position>" is smallest.
    """
    exact = np.bincount(labels) * TEST_SIZE / len(labels)
    share = np.floor(exact).astype(int)
    remainders = np.argsort(share - exact, kind="stable")
    share[remainders[: TEST_SIZE - share.sum()]] += 1
    mask = np.zeros(len(labels), dtype=bool)
    for label, count in enumerate(share):
        members = sorted(np.flatnonzero(labels == label).tolist(), key=_rank)
        mask[members[:count]] = True
    return mask


def _rank(position: int) -> bytes:
    return hashlib.sha256(f"digits/{position}".encode()).digest()


@hookimpl
def robustbench_rs_datasets() -> list[type[Dataset]]:
    """The data set ``digits``."""
    return [Digits]
