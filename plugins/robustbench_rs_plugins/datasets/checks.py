"""What the readers of data files share: where a split lies, and checks of what was read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from robustbench_rs.api import ArrayImages
from robustbench_rs.errors import InputError, shorten

SPLIT_NAMES = ("train", "test", "val", "validation", "valid")


def for_split(path: Path, split: str) -> Path:
    """``path`` with ``{split}`` replaced. Raises ``InputError`` when nothing is there."""
    located = Path(str(path).replace("{split}", split))
    if not located.exists():
        raise InputError(f"{located}: no such file or folder; correct the data set's 'path'")
    return located


def require_only_split(template: Path, split: str, advice: str) -> None:
    """Refuse any split but the one that data *without* splits stands for: the one of its name, else "test".

    Otherwise training, which asks for "train", would silently get the images that are evaluated. A path with
    ``{split}`` has answered the question already.
    """
    if "{split}" in str(template):
        return
    only = template.stem.lower() if template.stem.lower() in SPLIT_NAMES else "test"
    if split != only:
        raise InputError(
            f"{template}: has no split {shorten(split)}, only {only!r} (it is not divided into splits); {advice}"
        )


def checked_images(
    pixels: np.ndarray, labels: np.ndarray, class_names: Sequence[str] | None, source: str
) -> ArrayImages:
    """Images (N, C, H, W) with labels (N,), uint8 or floats in [0, 1].

    ``class_names`` None: "0", "1", ... up to the largest label. Raises ``InputError`` that names ``source`` and the
    first image at fault.
    """
    if len(pixels) == 0:
        raise InputError(f"{source}: holds no image")
    if pixels.size == 0:
        raise InputError(f"{source}: images of shape {pixels.shape[1:]} have no pixel")
    if len(pixels) != len(labels):
        raise InputError(f"{source}: {len(pixels)} images but {len(labels)} labels")
    checked = checked_labels(labels, class_names, source)
    names = class_names if class_names is not None else [str(number) for number in range(int(checked.max()) + 1)]
    return ArrayImages(_checked_pixels(pixels, source), checked, names)


def checked_labels(labels: np.ndarray, class_names: Sequence[str] | None, source: str) -> np.ndarray:
    """Labels as int64. Raises ``InputError`` when they are no whole numbers, negative, or beyond the class names."""
    if labels.dtype.kind not in "iu":
        raise InputError(
            f"{source}: labels are {labels.dtype}, not whole numbers; store class numbers 0, 1, ... as integers"
        )
    wrong = labels < 0
    if class_names is not None:
        wrong = wrong | (labels >= len(class_names))
    if wrong.any():
        first = int(np.argmax(wrong))
        known = f"0 to {len(class_names) - 1}" if class_names is not None else "0, 1, ..."
        raise InputError(f"{source}: label {labels[first]} of image {first} is out of range; classes are {known}")
    if class_names is None and labels.max() > 100_000:
        raise InputError(f"{source}: label {labels.max()} is no class number; give 'class_names' if it is")
    checked: np.ndarray = labels.astype(np.int64)
    return checked


def _checked_pixels(pixels: np.ndarray, source: str) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind != "f":
        raise InputError(f"{source}: pixels are {pixels.dtype}; store uint8 in [0, 255] or floats in [0, 1]")
    for number, image in enumerate(pixels):
        low, high = float(image.min()), float(image.max())
        if not (low >= 0 and high <= 1):  # also for NaN
            found = "NaN" if np.isnan(image).any() else f"pixels from {low:g} to {high:g}"
            raise InputError(f"{source}: image {number} has {found}; float pixels must lie in [0, 1] (divide by 255?)")
    converted: np.ndarray = pixels.astype(np.float32)
    return converted
