"""Image files sorted into folders by class, in a directory or a zip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from pydantic import Field

from robustbench_rs.api import Dataset, DatasetParams, Images, SpecPath, content_digest, hookimpl
from robustbench_rs.errors import InputError
from robustbench_rs_plugins.datasets.checks import for_split, require_only_split
from robustbench_rs_plugins.datasets.decoding import View
from robustbench_rs_plugins.datasets.image_files import ImageFiles, open_files

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"})


class ImageFolder(Dataset):
    """Files laid out as ``split/class/file``, or as ``class/file`` for one split; classes and files in sorted order.

    Files of other kinds, and hidden ones, are left aside. Images are decoded when they are asked for.
    """

    name = "image-folder"

    class Params(DatasetParams):
        """``path``: directory or ``.zip``; ``{split}`` in it is replaced. ``mode``: "rgb" or "grey".

        ``resize``: shorter side in pixels; ``crop``: central square, in pixels (ImageNet: 256 and 224).
        """

        path: SpecPath
        mode: Literal["rgb", "grey"] = "rgb"
        resize: int | None = Field(default=None, ge=1)
        crop: int | None = Field(default=None, ge=1)

    params: Params

    def load(self, split: str) -> Images:
        """Images of a split. Every file is read once here, for the digest and its size."""
        path = for_split(self.params.path, split)
        files = open_files(path)
        names = _choose(files.names(split), split, path, self.params.path)
        return FolderImages(files, names, View(self.params.mode, self.params.resize, self.params.crop))


class FolderImages(Images):
    """Images decoded on demand. ``names``: ``.../class/file``, in the order of the indices.

    The digest covers the files' bytes, their classes and the view, so that a folder and a zip of it are the same data.
    """

    def __init__(self, files: ImageFiles, names: Sequence[str], view: View) -> None:
        self._files, self._names, self._view = files, tuple(names), view
        classes = [_class_of(name) for name in names]
        self.class_names = tuple(sorted(set(classes)))
        numbers = {name: number for number, name in enumerate(self.class_names)}
        self.labels = np.array([numbers[name] for name in classes], dtype=np.int64)
        self.shape = ()
        self.digest = content_digest(self._contents())

    def pixels(self, indices: np.ndarray) -> np.ndarray:
        chosen = np.empty((len(indices), *self.shape), dtype=np.float32)
        for row, index in enumerate(np.asarray(indices).tolist()):
            name = self._names[index]
            chosen[row] = self._view.pixels(self._files.read(name), self._files.where(name))
        return chosen / np.float32(255)

    def _contents(self) -> Iterator[str | bytes]:
        yield repr(self._view)
        for name in self._names:
            data = self._files.read(name)
            self._check_size(name, self._view.size(data, self._files.where(name)))
            yield _class_of(name)
            yield data

    def _check_size(self, name: str, size: tuple[int, int]) -> None:
        if not self.shape:
            self.shape = (1 if self._view.mode == "grey" else 3, *size)
        if size != self.shape[1:]:
            raise InputError(
                f"{self._files.path}: images of different size: {self._names[0]} is {self.shape[2]}x{self.shape[1]}, "
                f"{name} is {size[1]}x{size[0]}; give 'resize' and 'crop'"
            )


def _class_of(name: str) -> str:
    return PurePosixPath(name).parts[-2]


def _is_image(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not any(part.startswith((".", "__MACOSX")) for part in path.parts)


def _choose(names: Sequence[str], split: str, path: Path, template: Path) -> list[str]:
    """The images of a split, sorted by class and file. Raises ``InputError`` when there are none."""
    images = [PurePosixPath(name).parts for name in names if _is_image(name)]
    splits = sorted({parts[0] for parts in images if len(parts) == 3})
    chosen: list[tuple[str, ...]] = [parts for parts in images if len(parts) == 3 and parts[0] == split]
    if not chosen and splits:
        raise InputError(f"{path}: no split {split!r}; there are {', '.join(map(repr, splits[:10]))}")
    if not chosen:
        chosen = images
        if not chosen:
            raise InputError(f"{path}: no image found; expected {split}/<class>/<image> or <class>/<image>")
        require_only_split(template, split, "lay files out as <split>/<class>/<file>, or write '{split}' in 'path'")
    return ["/".join(parts) for parts in sorted(chosen)]


@hookimpl
def robustbench_rs_datasets() -> list[type[Dataset]]:
    """The data set ``image-folder``."""
    return [ImageFolder]
