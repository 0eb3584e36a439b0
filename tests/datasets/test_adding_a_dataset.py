"""The example in docs/adding-a-dataset.md works as it stands, and the page names every data set."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from robustbench_rs.api import Images
from robustbench_rs.errors import InputError
from robustbench_rs.plugins import load_registry
from robustbench_rs_plugins.datasets import cifar10, digits, idx, image_folder, npz

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding-a-dataset.md"
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 16))
LABELS = np.array([3, 1, 4, 1, 5])


def load(folder: Path, rows: np.ndarray) -> Images:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (folder / "my_dataset.py").write_text(code, encoding="utf-8")
    np.savetxt(folder / "test.csv", rows, fmt="%d", delimiter=",")
    dataset = load_registry([folder / "my_dataset.py"]).find("dataset", "csv-images")
    return dataset(dataset.Params(path=folder)).load("test")


def test_the_example(tmp_path: Path) -> None:
    images = load(tmp_path, np.column_stack([LABELS, PIXELS]))
    assert images.shape == (1, 4, 4)
    assert images.labels.tolist() == LABELS.tolist()
    assert np.array_equal(np.rint(images.pixels(np.arange(5)).reshape(5, 16) * 255), PIXELS)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.column_stack([LABELS, PIXELS[:, :15]]), "15 pixels per line are no square image"),
        (np.column_stack([LABELS, PIXELS + 256]), "between 0 and 255"),
    ],
)
def test_the_example_refuses(tmp_path: Path, rows: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path, rows)


def test_every_data_set_is_named() -> None:
    table = re.findall(r"^\| `([\w-]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    modules = (cifar10, digits, idx, image_folder, npz)
    assert sorted(table) == sorted(one.name for module in modules for one in module.robustbench_rs_datasets())
