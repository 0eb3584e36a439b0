"""Pictures for the report: the best and the worst inputs of a task, clean and in one noisy draw."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from robustbench_rs.api import Images, Noise
from robustbench_rs.results import Measured

PICTURES = 4
STAGE = "gallery"
"""The noisy draw shown comes from a stream of its own: it chose nothing and certified nothing."""


def pictured(measured: Sequence[Measured]) -> Measured:
    """Whose radii a gallery shows: the first solver in l2, the norm that most readers think in, else the first."""
    return next((one for one in measured if one.norm == 2), measured[0])


def choose_pictures(measured: Measured) -> list[tuple[str, int]]:
    """("best" or "worst", original index): largest radii; most confident mistakes, then abstentions."""
    score = np.where(measured.correct, measured.radius, np.where(measured.abstained, -1e-9, -measured.radius - 1e-6))
    order = np.argsort(-score, kind="stable")
    best = [int(i) for i in order[:PICTURES] if measured.correct[i]]
    worst = [int(i) for i in order[::-1][:PICTURES] if int(i) not in best]
    return [("best", int(measured.indices[i])) for i in best] + [("worst", int(measured.indices[i])) for i in worst]


def draw_pictures(
    pictures: list[tuple[str, int, Noise]], images: Images, seed: int
) -> list[tuple[str, int, bytes, bytes]]:
    """(rank, index, clean PNG, noisy PNG) of (rank, index, noise); nothing for inputs that are no images."""
    if len(images.shape) != 3 or images.shape[0] not in (1, 3):
        return []
    return [(rank, index, *_pair(images, noise, seed, index)) for rank, index, noise in pictures]


def _pair(images: Images, noise: Noise, seed: int, index: int) -> tuple[bytes, bytes]:
    import torch

    from robustbench_rs.sampling import block_generator

    clean = images.pixels(np.array([index]))[0]
    generator = block_generator(seed, index, STAGE, 0, "cpu")
    drawn = noise.sample((1, *clean.shape), generator, "cpu", torch.float32)
    noisy = noise.apply(torch.from_numpy(clean.copy()), drawn)[0].numpy()
    return _png(clean), _png(noisy)


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    levels = (np.clip(pixels, 0, 1) * 255).round().astype(np.uint8)
    picture = Image.fromarray(levels[0] if len(levels) == 1 else np.moveaxis(levels, 0, -1))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
