"""Independent draws for noise families: exact in the tails, and all randomness from the generator that is handed in.

torch's float32 normals on the CPU are three times faster than any other exact sampler here, but end at 5.77 standard
deviations: their Box-Muller transform starts from 24 bits. So what falls beyond 4.5 is drawn again from the exact tail.
All else on the CPU comes from a numpy bit generator (SFC64), keyed from the torch generator (189 bits), in float64.
Other devices use torch's own float64 generators.

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

TAIL = 4.5
"""Standard deviations; 6.8e-6 of the mass lies beyond."""

UNIFORM_BITS = 52
HALF_STEP = 2.0 ** -(UNIFORM_BITS + 1)


def standard_normal(
    shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
) -> torch.Tensor:
    """Independent standard normal draws, rounded to ``dtype``; float32: cdf right to 2^-23, tails exact."""
    import torch

    if _on_host(device):
        if dtype == torch.float32:
            return _normal_float32(shape, generator).to(device)
        return _tensor(_numpy(generator).standard_normal(shape), device, dtype)
    return torch.randn(shape, generator=generator, device=device, dtype=torch.float64).to(dtype)


def _normal_float32(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Given the angle, the radius of Box-Muller errs by one cell of 2^-24 in probability: of P(abs(z) > 4.5) that is
    less than one part in a hundred, and beyond it the law is exact."""
    import torch
    from scipy.special import ndtr, ndtri

    z = torch.empty(shape).normal_(generator=generator)
    if z.numel() and (z.amax() > TAIL or z.amin() < -TAIL):
        flat = z.view(-1)
        where = (flat.abs() > TAIL).nonzero()[:, 0]
        mass = uniform((len(where),), generator, "cpu").numpy() * ndtr(-TAIL)
        flat[where] = torch.from_numpy(-ndtri(mass)).to(torch.float32).copysign_(flat[where])
    return z


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
