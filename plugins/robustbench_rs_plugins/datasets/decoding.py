"""From the bytes of an image file to pixels: decode, resize, crop. Pillow is imported only here, on first use."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from robustbench_rs.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

PILLOW_MODE = {"rgb": "RGB", "grey": "L"}


@dataclass(frozen=True)
class View:
    """How an image is looked at: ``resize`` its shorter side (bilinear, antialiased), then ``crop`` the central square.

    With 256 and 224 these are the steps, and the rounding, of the usual ImageNet evaluation.
    """

    mode: Literal["rgb", "grey"] = "rgb"
    resize: int | None = None
    crop: int | None = None

    def size(self, data: bytes, where: str) -> tuple[int, int]:
        """(height, width) after resize and crop, from the file's header alone. Raises ``InputError``."""
        with _opened(data, where) as image:
            width, height = self._resized(*image.size)
        if self.crop is None:
            return height, width
        if min(width, height) < self.crop:
            raise InputError(f"{where}: {width}x{height} pixels are too few for 'crop: {self.crop}'; give 'resize' too")
        return self.crop, self.crop

    def pixels(self, data: bytes, where: str) -> np.ndarray:
        """Pixels (C, H, W) uint8. Raises ``InputError`` when the file cannot be decoded."""
        with _opened(data, where) as file:
            if file.mode.startswith(("I", "F")):
                raise InputError(
                    f"{where}: {file.mode!r} pixels (more than 8 bits) are not supported; convert to 8 bits"
                )
            try:
                image: Image.Image = file.convert(PILLOW_MODE[self.mode])
            except (OSError, SyntaxError, ValueError, EOFError) as error:
                raise InputError(f"{where}: truncated or damaged image ({error})") from error
        array = np.asarray(self._cropped(image))
        return array[None] if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        if self.resize is None or self.resize == min(width, height):
            return width, height
        if width <= height:
            return self.resize, int(self.resize * height / width)
        return int(self.resize * width / height), self.resize

    def _cropped(self, image: Image.Image) -> Image.Image:
        from PIL import Image

        size = self._resized(*image.size)
        if size != image.size:
            image = image.resize(size, Image.Resampling.BILINEAR)
        if self.crop is None:
            return image
        left, top = round((image.width - self.crop) / 2), round((image.height - self.crop) / 2)
        return image.crop((left, top, left + self.crop, top + self.crop))


def _opened(data: bytes, where: str) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(io.BytesIO(data))
    except UnidentifiedImageError:
        raise InputError(f"{where}: not an image that can be decoded; remove or replace the file") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{where}: not an image that can be decoded ({error}); remove or replace the file") from error
