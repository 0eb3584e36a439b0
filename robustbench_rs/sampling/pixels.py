"""Inputs on the device, read lazily in groups, so that memory does not grow with the data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from robustbench_rs.api import Images
from robustbench_rs.errors import InputError, RobustbenchError
from robustbench_rs.sampling.requests import StageRequest

GROUP_ELEMENTS = 2**22
GROUP_INPUTS = 1024


class PixelWindow:
    """The inputs of the requests at hand. A group of them is read at once, in the order of the requests."""

    def __init__(self, images: Images, requests: Sequence[StageRequest], device: torch.device) -> None:
        self.images = images
        self.requests = requests
        self.device = device
        self.size = max(1, min(GROUP_INPUTS, GROUP_ELEMENTS // int(np.prod(images.shape))))
        self._group: dict[int, torch.Tensor] = {}

    def of(self, request: int) -> torch.Tensor:
        """The input (\\*shape), float32, of request number ``request``.

        Raises ``InputError`` naming the index of an input that cannot be read or has pixels outside [0, 1].
        """
        index = self.requests[request].index
        if index not in self._group:
            self._group = {}
            self._group = self._read(self._ahead(request))
        return self._group[index]

    def _ahead(self, request: int) -> list[int]:
        indices: dict[int, None] = {}
        for ahead in self.requests[request:]:
            indices[ahead.index] = None
            if len(indices) == self.size:
                break
        return list(indices)

    def _read(self, indices: list[int]) -> dict[int, torch.Tensor]:
        try:
            pixels = np.ascontiguousarray(self.images.pixels(np.array(indices, dtype=np.int64)), dtype=np.float32)
        except RobustbenchError:
            raise
        except Exception as error:
            some = ", ".join(map(str, indices[:3])) + (", ..." if len(indices) > 3 else "")
            raise InputError(f"cannot read inputs {some} of the data set: {type(error).__name__}: {error}") from error
        check_pixels(pixels, indices, tuple(self.images.shape), self.images.pixel_range)
        return dict(zip(indices, torch.from_numpy(pixels).to(self.device), strict=True))


def check_pixels(
    pixels: np.ndarray, indices: Sequence[int], shape: tuple[int, ...], limits: tuple[float, float] = (0.0, 1.0)
) -> None:
    """``InputError`` unless ``pixels`` is (len(indices), \\*shape), finite and within ``limits``."""
    if pixels.shape != (len(indices), *shape):
        raise InputError(f"the data set gave pixels of shape {pixels.shape}, expected {(len(indices), *shape)}")
    flat = pixels.reshape(len(indices), -1)
    low, high = limits
    allowed = (flat >= low) & (flat <= high) & np.isfinite(flat)
    wrong = np.flatnonzero(~allowed.all(axis=1))
    if wrong.size:
        value = flat[wrong[0]][~allowed[wrong[0]]][0]
        raise InputError(
            f"input {indices[wrong[0]]} of the data set has a pixel of {value:g}, outside [{low:g}, {high:g}]"
        )
