"""Inputs on the device, read lazily in groups, so that memory does not grow with the data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from robustbench_rs.api import Images, Noise
from robustbench_rs.errors import InputError, RobustbenchError
from robustbench_rs.sampling.requests import StageRequest

GROUP_ELEMENTS = 2**22
GROUP_INPUTS = 1024
ROUNDING = 2.0**-22
"""How far a pixel in [0, 1] may lie from k / levels: a few roundings of float32, and far less than half a step."""


class PixelWindow:
    """The inputs of the requests at hand. A group of them is read at once, in the order of the requests.

    ``noises``: what the inputs are for; each may ask for pixels in a range, and on a grid, of its own.
    """

    def __init__(
        self, images: Images, requests: Sequence[StageRequest], device: torch.device, noises: Iterable[Noise] = ()
    ) -> None:
        self.images = images
        self.requests = requests
        self.device = device
        self.size = max(1, min(GROUP_INPUTS, GROUP_ELEMENTS // int(np.prod(images.shape))))
        asking = list(noises)
        self._needed = {
            noise.pixel_range: f", which {noise.name} noise needs" for noise in asking if not _allows(noise, images)
        }
        self._grids = {noise.pixel_levels: noise.name for noise in asking if noise.pixel_levels is not None}
        self._group: dict[int, torch.Tensor] = {}

    def of(self, request: int) -> torch.Tensor:
        """The input (\\*shape), float32, of request number ``request``.

        Raises ``InputError`` naming the index of an input that cannot be read or has pixels outside [0, 1] or off
        the grid (more exactly: what the data set and every noise allow).
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
        shape = tuple(self.images.shape)
        check_pixels(pixels, indices, shape, self.images.pixel_range)
        for limits, reason in self._needed.items():
            check_pixels(pixels, indices, shape, limits, reason)
        for levels, name in self._grids.items():
            check_grid(pixels, indices, levels, name)
        return dict(zip(indices, torch.from_numpy(pixels).to(self.device), strict=True))


def _allows(noise: Noise, images: Images) -> bool:
    """Whether the noise takes every pixel that the data set may have."""
    (low, high), (least, most) = noise.pixel_range, images.pixel_range
    return low <= least and most <= high


def check_pixels(
    pixels: np.ndarray,
    indices: Sequence[int],
    shape: tuple[int, ...],
    limits: tuple[float, float] = (0.0, 1.0),
    reason: str = "",
) -> None:
    """``InputError`` unless ``pixels`` is (len(indices), \\*shape), finite and within ``limits``.

    ``reason``: ends the message, such as ", which the noise needs".
    """
    if pixels.shape != (len(indices), *shape):
        raise InputError(f"the data set gave pixels of shape {pixels.shape}, expected {(len(indices), *shape)}")
    flat = pixels.reshape(len(indices), -1)
    low, high = limits
    allowed = (flat >= low) & (flat <= high) & np.isfinite(flat)
    wrong = np.flatnonzero(~allowed.all(axis=1))
    if wrong.size:
        value = flat[wrong[0]][~allowed[wrong[0]]][0]
        raise InputError(
            f"input {indices[wrong[0]]} of the data set has a pixel of {value:g}, outside [{low:g}, {high:g}]{reason}"
        )


def check_grid(pixels: np.ndarray, indices: Sequence[int], levels: int, noise: str) -> None:
    """``InputError`` unless all pixels (len(indices), \\*shape) are k / ``levels`` for integers k, up to rounding."""
    flat = pixels.reshape(len(indices), -1).astype(np.float64)
    off = np.abs(flat - np.rint(flat * levels) / levels) > ROUNDING
    wrong = np.flatnonzero(off.any(axis=1))
    if wrong.size:
        value = flat[wrong[0]][off[wrong[0]]][0]
        raise InputError(
            f"input {indices[wrong[0]]} of the data set has a pixel of {value:.9g}, no multiple of 1/{levels}, which "
            f"{noise} noise needs: its 'levels' are {levels}, so pixels must be k / {levels} for integers k"
        )
