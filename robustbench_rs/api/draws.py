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


def signed_tail(shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str) -> torch.Tensor:
    """u below 1/2 and u - 1 above, of :func:`uniform`: both tails of a law with their full relative precision."""
    u = uniform(shape, generator, device)
    return u.sub_((u > 0.5).to(u.dtype))


def standard_gamma(
    alpha: float, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str
) -> torch.Tensor:
    """Independent float64 draws of the gamma law of shape parameter ``alpha`` >= 1 and scale 1.

    On a device by the rejection method of Marsaglia and Tsang 2000 (numpy's too): more than 95 per cent are accepted,
    and what is rejected is drawn again. Without float64 (Apple's mps) the tensor is on the CPU.
    """
    import torch

    if alpha < 1:
        raise ValueError(
            f"a gamma law of shape parameter {alpha} is not offered: multiply one of alpha + 1 by U^(1/alpha)"
        )
    if _on_host(device):
        return torch.from_numpy(np.asarray(_numpy(generator).standard_gamma(alpha, shape)))
    drawn, accepted = _gamma_proposals(alpha, shape, generator, device)
    flat, open_ = drawn.view(-1), (~accepted).view(-1).nonzero()[:, 0]
    while len(open_):
        again, accepted = _gamma_proposals(alpha, tuple(open_.shape), generator, device)
        flat[open_[accepted]] = again[accepted]
        open_ = open_[~accepted]
    return drawn


def _gamma_proposals(
    alpha: float, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str
) -> tuple[torch.Tensor, torch.Tensor]:
    """d (1 + x / sqrt(9d))^3 with x normal and d = alpha - 1/3, and which of them are accepted."""
    import torch

    d = alpha - 1 / 3
    x = torch.randn(shape, generator=generator, device=device, dtype=torch.float64)
    cube = (1 + x / math.sqrt(9 * d)) ** 3
    level = x.square().div_(2).add_(d * (1 - cube + cube.clamp(min=1e-300).log()))
    return d * cube, (cube > 0) & (uniform(shape, generator, device).log_() < level)


def place(device: torch.device | str) -> torch.device | str:
    """Where float64 draws for ``device`` are made: on it, but for a device without float64 on the CPU."""
    return "cpu" if on_host(device) else device


def precise(dtype: torch.dtype) -> torch.dtype:
    """float32 in place of a half precision, so that what is scaled afterwards is rounded only once."""
    import torch

    return dtype if dtype == torch.float64 else torch.float32


def rounded(z: torch.Tensor, scale: float, device: torch.device | str, dtype: torch.dtype) -> torch.Tensor:
    """``scale`` times ``z`` (float64, overwritten), rounded once to ``dtype``; too large: to its largest number."""
    import torch

    z.mul_(scale)
    if dtype != torch.float64:
        limit = torch.finfo(dtype).max
        z.clamp_(-limit, limit)
    return z.to(dtype).to(device)


def _midpoints(words: np.ndarray) -> np.ndarray:
    """(k + 1/2) / 2^52 of k in [0, 2^52): every step is exact in float64."""
    values = words.astype(np.float64)
    values *= 2 * HALF_STEP
    values += HALF_STEP
    return values


def host_generator(generator: torch.Generator) -> np.random.Generator:
    """A numpy generator keyed from the next words of ``generator``, for laws that numpy draws exactly (gamma, ...).

    Meant for a few numbers per noise vector, which are drawn on the CPU whatever the device.
    """
    return _numpy(generator)


def on_host(device: torch.device | str) -> bool:
    """Whether draws for ``device`` are made on the CPU: also for mps, which has no float64."""
    return _on_host(device)


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
