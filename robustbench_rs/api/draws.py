"""Independent draws for noise families: exact in the tails, and all randomness from the generator that is handed in.

On the CPU a numpy bit generator (SFC64) is keyed from the torch generator (189 bits): its 64-bit ziggurat
has the whole tail, where torch's float32 normals end at 5.74 standard deviations, it is faster, and a value never
depends on vector lengths or threads. Other devices use torch's own float64 generators.

This module imports torch only inside its functions, like everything that plugins import.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence

if TYPE_CHECKING:
    import torch

KEY_WORDS = 3
"""Words of 63 bits that are the initial state of one call's SFC64: 189 bits, so that no two calls share a stream."""

UNIFORM_BITS = 52
HALF_STEP = 2.0 ** -(UNIFORM_BITS + 1)


def standard_normal(
    shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
) -> torch.Tensor:
    """Independent standard normal draws, computed in float64, rounded to ``dtype``."""
    import torch

    if _on_host(device):
        return _tensor(_numpy(generator).standard_normal(shape), device, dtype)
    return torch.randn(shape, generator=generator, device=device, dtype=torch.float64).to(dtype)


def standard_exponential(
    shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
) -> torch.Tensor:
    """Independent exponential draws of mean 1, computed in float64, rounded to ``dtype``."""
    import torch

    if _on_host(device):
        return _tensor(_numpy(generator).standard_exponential(shape), device, dtype)
    return torch.empty(shape, device=device, dtype=torch.float64).exponential_(generator=generator).to(dtype)


def random_signs(
    shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
) -> torch.Tensor:
    """Independent draws of -1 and +1, each with probability 1/2."""
    import torch

    if _on_host(device):
        size = math.prod(shape)
        packed = np.frombuffer(_numpy(generator).bytes(-(-size // 8)), dtype=np.uint8)
        bits = np.unpackbits(packed, count=size).reshape(shape)
        return _tensor(bits.astype(np.int8), device, dtype).mul_(2).sub_(1)
    coins = torch.randint(0, 2, shape, generator=generator, device=device, dtype=torch.int8)
    return coins.to(dtype).mul_(2).sub_(1)


def uniform(shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str) -> torch.Tensor:
    """Independent float64 draws strictly inside (0, 1): the midpoints (k + 1/2) / 2^52, each equally likely.

    The law is symmetric about 1/2 and its smallest value is 2^-53. On a device without float64 (Apple's mps) the
    tensor is on the CPU.
    """
    import torch

    if _on_host(device):
        words = _numpy(generator).bit_generator.random_raw(math.prod(shape))
        words >>= np.uint64(64 - UNIFORM_BITS)
        return torch.from_numpy(_midpoints(words).reshape(shape))
    cells = torch.randint(0, 1 << UNIFORM_BITS, shape, generator=generator, device=device, dtype=torch.int64)
    return cells.to(torch.float64).mul_(2 * HALF_STEP).add_(HALF_STEP)


def _midpoints(words: np.ndarray) -> np.ndarray:
    """(k + 1/2) / 2^52 of k in [0, 2^52): every step is exact in float64."""
    values = words.astype(np.float64)
    values *= 2 * HALF_STEP
    values += HALF_STEP
    return values


def _on_host(device: torch.device | str) -> bool:
    """mps has no float64, which every draw here starts from."""
    import torch

    return torch.device(device).type in ("cpu", "mps")


class _Key(ISeedSequence):
    """Hands a bit generator its initial state as it is: words that are random already need no mixing."""

    def __init__(self, words: np.ndarray) -> None:
        self._words = words

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> np.ndarray:
        return self._words[:n_words].astype(dtype, copy=False)


def _numpy(generator: torch.Generator) -> np.random.Generator:
    import torch

    words = torch.empty(KEY_WORDS, dtype=torch.int64, device=generator.device).random_(generator=generator)
    key: Any = _Key(words.cpu().numpy().view(np.uint64))
    return np.random.Generator(np.random.SFC64(key))


def _tensor(values: np.ndarray, device: torch.device | str, dtype: torch.dtype) -> torch.Tensor:
    import torch

    return torch.from_numpy(values).to(dtype).to(device)
