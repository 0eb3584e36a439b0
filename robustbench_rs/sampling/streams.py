"""Random streams: one generator per (seed, input index, stage, block), whatever the order, batches or workers are.

Draw i of an input in a stage is row ``i % rows`` of block ``i // rows``. Blocks are always drawn whole and sliced, so
a sampler may use its generator in any way and draw i is still the same bits.
"""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np
import torch

from robustbench_rs.errors import RunError

CPU_BLOCK_ELEMENTS = 2**15
"""torch splits elementwise work over threads above this size; below it a block's bits cannot depend on threads."""

DEVICE_BLOCK_ELEMENTS = 2**20

STATE_BYTES = 5056
"""torch's CPU generator: seed, left | seeded << 32, next, 624 words of MT19937 (one per uint64), normal caches."""

STATE_WORDS = 624
FIRST_WORD = 3


def block_rows(dim: int, device_type: str) -> int:
    """Draws per block for inputs of ``dim`` coordinates on a device type ("cpu", "cuda", ...); at least 1."""
    elements = CPU_BLOCK_ELEMENTS if device_type == "cpu" else DEVICE_BLOCK_ELEMENTS
    return max(1, elements // dim)


def block_generator(seed: int, index: int, stage: str, block: int, device: torch.device | str) -> torch.Generator:
    """The generator of one block of draws.

    torch's ``manual_seed`` uses 32 bits on the CPU: with that, two of 65,000 blocks would likely share their noise. So
    the whole state of the Mersenne Twister is filled, from a hash (SHAKE-128) of the key. Other devices take 64 bits.
    Raises ``RunError`` when this torch's CPU generator has another layout.
    """
    key = f"robustbench_rs|{seed}|{index}|{block}|{stage}".encode()
    generator = torch.Generator(device)
    if generator.device.type == "cpu":
        return generator.set_state(_cpu_state(mersenne_words(key)))
    return generator.manual_seed(int.from_bytes(hashlib.shake_128(key).digest(8), "little", signed=True))


def mersenne_words(key: bytes) -> np.ndarray:
    """624 words (uint32) of MT19937, from a key of any length."""
    return np.frombuffer(hashlib.shake_128(key).digest(4 * STATE_WORDS), dtype="<u4")


def _cpu_state(words: np.ndarray) -> torch.Tensor:
    state = _empty_state().copy()
    state[FIRST_WORD : FIRST_WORD + STATE_WORDS] = words
    return torch.from_numpy(state.view(np.uint8))


@cache
def _empty_state() -> np.ndarray:
    """A freshly seeded state (left = 1: the first draw mixes all words), as uint64, its layout checked once."""
    state = torch.Generator().manual_seed(1).get_state().numpy()
    known = np.random.MT19937()
    known._legacy_seeding(1)
    if state.size == STATE_BYTES:
        fields = state.view(np.uint64)
        words = fields[FIRST_WORD : FIRST_WORD + STATE_WORDS]
        if fields[1] == 1 | 1 << 32 and np.array_equal(words, known.state["state"]["key"]):
            return fields
    raise RunError(
        f"torch {torch.__version__} keeps its CPU generator's state in an unknown layout ({state.size} bytes, expected "
        f"{STATE_BYTES}): random streams cannot be keyed soundly; install a torch that robustbench_rs was tested with"
    )
