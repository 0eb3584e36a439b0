"""Training images in memory, and their augmentation."""

from __future__ import annotations

import numpy as np
import torch

from robustbench_rs.api import Images
from robustbench_rs_plugins.training.batches import Batches, as_floats, crop_flip

CPU = torch.device("cpu")


def test_bytes_stay_bytes_and_lose_nothing(colours: Images) -> None:
    indices = np.array([5, 3, 59])
    batches = Batches(colours, indices, CPU)
    assert batches.pixels.dtype == torch.uint8
    assert np.array_equal(as_floats(batches.pixels).numpy(), colours.pixels(indices))
    assert batches.labels.tolist() == colours.labels[indices].tolist()


def test_other_floats_stay_floats(digits: Images) -> None:
    indices = np.arange(1437)
    batches = Batches(digits, indices, CPU)
    assert batches.pixels.dtype == torch.float32
    assert np.array_equal(batches.pixels.numpy(), digits.pixels(indices))


def test_an_epoch_is_a_permutation_without_a_lonely_image(colours: Images) -> None:
    batches = Batches(colours, np.arange(33), CPU)
    generator = torch.Generator().manual_seed(0)
    sizes = [len(labels) for _, labels in batches.epoch(16, False, generator, generator)]
    assert sizes == [16, 16]
    seen = [x.numpy().tobytes() for batch, _ in batches.epoch(11, False, generator, generator) for x in batch]
    assert sorted(seen) == sorted(x.tobytes() for x in colours.pixels(np.arange(33)))
    assert [len(labels) for _, labels in batches.epoch(1, False, generator, generator)] == [1] * 33


def test_crop_flip_gives_shifted_mirrored_windows() -> None:
    image = torch.arange(1, 2 * 5 * 6 + 1, dtype=torch.uint8).reshape(1, 2, 5, 6)
    padded = np.pad(image[0].numpy(), ((0, 0), (4, 4), (4, 4)))
    windows = {}
    for top in range(9):
        for left in range(9):
            window = padded[:, top : top + 5, left : left + 6]
            windows[window.tobytes()] = (top, left, False)
            windows[window[:, :, ::-1].tobytes()] = (top, left, True)
    augmented = crop_flip(image.repeat(4000, 1, 1, 1), torch.Generator().manual_seed(0))
    found = [windows[one.contiguous().numpy().tobytes()] for one in augmented]
    # 162 equally likely windows, 4,000 draws: one stays unseen with probability below 162 exp(-4000/162) = 3e-9.
    assert len(set(found)) == 9 * 9 * 2


def test_augmentation_is_reproducible() -> None:
    images = torch.randint(0, 256, (7, 3, 8, 8), dtype=torch.uint8)
    first, again, other = (crop_flip(images, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
