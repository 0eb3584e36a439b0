"""A data set. Change the generated stripes to reading your files."""

from __future__ import annotations

import numpy as np

from robustbench_rs.api import ArrayImages, Dataset, DatasetParams, Images, hookimpl

SIZES = {"train": 400, "test": 100}


class Example(Dataset):
    """Grey 8x8 images with horizontal or vertical stripes."""

    name = "example"

    class Params(DatasetParams):
        """``split``, ``every``, ``offset`` and ``limit`` are handled by the base; a path would be a ``SpecPath``."""

    def load(self, split: str) -> Images:
        """All images of a split; ``ValueError`` for a split that does not exist."""
        if split not in SIZES:
            raise ValueError(f"no split {split!r}; there are {', '.join(SIZES)}")
        generator = np.random.Generator(np.random.PCG64([SIZES[split], 8]))
        labels = np.arange(SIZES[split]) % 2
        rows = np.broadcast_to((np.arange(8)[:, None] // 2 % 2) * 0.5, (8, 8))
        stripes = np.stack([rows, rows.T])[labels]
        pixels = stripes + generator.uniform(0, 0.5, size=stripes.shape)
        return ArrayImages(pixels[:, None].astype(np.float32), labels, ["horizontal", "vertical"])


@hookimpl
def robustbench_rs_datasets() -> list[type[Example]]:
    """The data sets of this file."""
    return [Example]
