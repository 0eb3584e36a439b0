"""Images in a numpy ``.npz`` file (MedMNIST's keys, Keras' keys, or plain ``x`` and ``y``)."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Literal

import numpy as np

from robustbench_rs.api import Dataset, DatasetParams, Images, SpecPath, hookimpl
from robustbench_rs.errors import InputError
from robustbench_rs_plugins.datasets.checks import checked_images, for_split, require_only_split

UNREADABLE = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, MemoryError, tokenize.TokenError)


class Npz(Dataset):
    """Arrays from one ``.npz`` file, looked up under the first pair of keys that exists:

    ``{split}_images``, ``{split}_labels``; ``x_{split}``, ``y_{split}``; ``x``, ``y`` (one split: the one that the
    file's name says, else "test"). Images are (N, H, W), or (N, C, H, W) as ``layout`` says, uint8 or floats in
    [0, 1]; labels (N,) or (N, 1), integers. Pickled objects are refused.
    """

    name = "npz"

    class Params(DatasetParams):
        """``path``: the file; ``{split}`` in it is replaced. ``class_names``: default "0", "1", ... up to the last."""

        path: SpecPath
        layout: Literal["NCHW", "NHWC"] = "NCHW"
        class_names: tuple[str, ...] | None = None

    params: Params

    def load(self, split: str) -> Images:
        """Images of a split. Raises ``InputError`` that names the file and the key or image at fault."""
        path = for_split(self.params.path, split)
        pixels, labels, all_labels = _read(path, split, self.params.path)
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
        if labels.ndim != 1:
            raise InputError(f"{path}: labels have shape {labels.shape}, expected (N,): one class number per image")
        names = self.params.class_names
        if names is None and all_labels.dtype.kind in "iu" and all_labels.size:
            # From every split of the file, so that a split that lacks the last class has the same classes.
            names = tuple(str(number) for number in range(int(all_labels.max()) + 1))
        return checked_images(_channels_first(pixels, self.params.layout, path), labels, names, str(path))


def _read(path: Path, split: str, template: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    try:
        opened = np.load(path, allow_pickle=False)
        if not isinstance(opened, np.lib.npyio.NpzFile):
            raise InputError(f"{path}: a single array; save images and labels with numpy.savez(path, x=..., y=...)")
        with opened as file:
            image_key, label_key = _keys(file.files, split, path, template)
            labels = [file[key] for key in file.files if key.endswith("_labels") or key == "y" or key.startswith("y_")]
            return file[image_key], file[label_key], np.concatenate([array.reshape(-1) for array in labels])
    except UNREADABLE as error:
        raise InputError(f"{path}: not a readable .npz file of plain arrays ({error})") from error


def _keys(present: list[str], split: str, path: Path, template: Path) -> tuple[str, str]:
    for images, labels in ((f"{split}_images", f"{split}_labels"), (f"x_{split}", f"y_{split}")):
        if images in present and labels in present:
            return images, labels
    if "x" in present and "y" in present:
        require_only_split(template, split, "store further splits as 'x_train' and 'y_train', and so on")
        return "x", "y"
    raise InputError(
        f"{path}: no images of split {split!r}: expected the keys '{split}_images' and '{split}_labels', "
        f"'x_{split}' and 'y_{split}', or 'x' and 'y'; found {', '.join(present[:8]) or 'nothing'}"
    )


def _channels_first(pixels: np.ndarray, layout: str, path: Path) -> np.ndarray:
    if pixels.ndim == 3:
        return pixels[:, None]
    if pixels.ndim != 4:
        raise InputError(f"{path}: images have shape {pixels.shape}, expected (N, H, W) or four axes as 'layout' says")
    if layout == "NHWC":
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    if pixels.shape[1] not in (1, 3) and pixels.shape[3] in (1, 3):
        raise InputError(f"{path}: images of shape {pixels.shape[1:]} look like (H, W, C); say 'layout: NHWC'")
    return pixels


@hookimpl
def robustbench_rs_datasets() -> list[type[Dataset]]:
    """The data set ``npz``."""
    return [Npz]
