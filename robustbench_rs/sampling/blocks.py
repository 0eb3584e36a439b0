"""Whole blocks of noise, each drawn from its own generator, several at a time on the CPU."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import torch

from robustbench_rs.api import Noise
from robustbench_rs.errors import RobustbenchError, RunError
from robustbench_rs.sampling.memory import is_out_of_memory
from robustbench_rs.sampling.requests import CLEAN, ENUMERATION, StageRequest
from robustbench_rs.sampling.streams import block_generator

Laws = Mapping[tuple[int, str], Noise]
"""(input index, stage) -> the noise of its draws."""

BLOCKS_PER_THREAD = 8
"""Blocks that one thread draws in a go: enough to make up for waking it, few enough to stay in its cache."""


@dataclass(frozen=True)
class BlockKey:
    """What a block's generator is keyed with, beside the seed."""

    index: int
    stage: str
    block: int


class Sampler:
    """Draws blocks (rows, \\*shape) of noise, float32 on ``device``, in one thread.

    ``laws``: the noise of single inputs and stages, ``noise`` that of all others.
    """

    def __init__(
        self, noise: Noise, seed: int, shape: tuple[int, ...], device: torch.device, laws: Laws | None = None
    ) -> None:
        self.noise = noise
        self.laws = laws or {}
        self.seed = seed
        self.shape = shape
        self.device = device
        self._zero = torch.zeros((), device=device)

    def law(self, index: int, stage: str) -> Noise:
        """The noise of an input in a stage."""
        return self.laws.get((index, stage), self.noise)

    def draw(self, key: BlockKey) -> torch.Tensor:
        """One block. Raises ``RunError`` naming the noise family when its sampler raises or returns something else."""
        noise = self.law(key.index, key.stage)
        try:
            drawn = self._drawn(noise, key)
        except RobustbenchError:
            raise
        except Exception as error:
            raise RunError(
                f"noise {noise.name!r} failed to sample shape {self.shape}: {type(error).__name__}: {error}"
            ) from error
        self._check(drawn, noise.name)
        drawn = drawn.to(self.device, torch.float32)
        # Zero times the extremes is 0, or NaN as soon as one value is not finite: nothing here waits for the device.
        self._zero += drawn.amin() * 0 + drawn.amax() * 0
        return drawn

    def _drawn(self, noise: Noise, key: BlockKey) -> torch.Tensor:
        if key.stage == ENUMERATION:
            return noise.outcome(key.block * self.shape[0], self.shape, self.device, torch.float32)
        generator = block_generator(self.seed, key.index, key.stage, key.block, self.device)
        return noise.sample(self.shape, generator, self.device, torch.float32)

    def all_finite(self) -> bool:
        """Whether every value drawn so far was finite. Waits for the device."""
        return bool(self._zero.isfinite())

    def _check(self, drawn: object, name: str) -> None:
        if not isinstance(drawn, torch.Tensor):
            raise RunError(f"noise {name!r} returned {type(drawn).__name__}, expected a tensor")
        if tuple(drawn.shape) != self.shape or not drawn.is_floating_point():
            raise RunError(
                f"noise {name!r} returned {drawn.dtype} of shape {tuple(drawn.shape)}, "
                f"expected floats of shape {self.shape}"
            )


class NoiseBlocks:
    """Noise of the requests at hand, in their order.

    ``threads`` > 1 draws blocks ahead in parallel; every thread has its own copy of the noise, so a sampler need not be
    safe to share. What is drawn does not depend on it.
    """

    def __init__(self, sampler: Sampler, requests: Sequence[StageRequest], threads: int) -> None:
        self.requests = requests
        self.rows = sampler.shape[0]
        self._samplers = [sampler, *(_duplicate(sampler) for _ in range(threads - 1))]
        self._pool = ThreadPoolExecutor(threads, "noise") if threads > 1 else None
        self._depth = threads * BLOCKS_PER_THREAD if threads > 1 else 1
        self._slots = torch.empty((self._depth, *sampler.shape)) if threads > 1 else torch.empty(0)
        self._ready: dict[BlockKey, torch.Tensor] = {}

    def draws(self, request: int, start: int, stop: int) -> torch.Tensor:
        """Noise (stop - start, \\*shape) of draws ``start`` <= i < ``stop`` of a request, in one block; read only."""
        block, row = divmod(start, self.rows)
        key = BlockKey(self.requests[request].index, self.requests[request].stage, block)
        if key not in self._ready:
            self._ready = {}
            self._ready = self._draw(list(islice(self._following(request, block), self._depth)))
        return self._ready[key][row : row + stop - start]

    def write(self, request: int, start: int, stop: int, pixels: torch.Tensor, out: torch.Tensor) -> None:
        """Write ``pixels`` (\\*shape) under the draws of :meth:`draws` into ``out`` (stop - start, \\*shape).

        Raises ``RunError`` naming the noise family when it fails to, or gives another shape.
        """
        noise = self._samplers[0].law(self.requests[request].index, self.requests[request].stage)
        drawn = self.draws(request, start, stop)
        try:
            noisy = noise.apply(pixels, drawn, out=out)
        except Exception as error:
            if isinstance(error, RobustbenchError) or is_out_of_memory(error):
                raise
            raise RunError(
                f"noise {noise.name!r} could not be applied to inputs: {type(error).__name__}: {error}"
            ) from error
        if noisy is not out:
            _check_applied(noisy, out.shape, noise.name)
            out.copy_(noisy)

    def check(self) -> None:
        """Raise ``RunError`` when any block so far held a value that is not finite. Waits for the device."""
        if not all(sampler.all_finite() for sampler in self._samplers):
            raise RunError(f"noise {self._samplers[0].noise.name!r} drew a value that is not finite (in float32)")

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _following(self, request: int, block: int) -> Iterator[BlockKey]:
        """Blocks from a request's ``block`` on, in the order in which they will be asked for."""
        for number in range(request, len(self.requests)):
            asked = self.requests[number]
            if asked.stage == CLEAN or not asked.draws:
                continue
            begin = block if number == request else asked.start // self.rows
            for each in range(begin, -(-asked.stop // self.rows)):
                yield BlockKey(asked.index, asked.stage, each)

    def _draw(self, keys: list[BlockKey]) -> dict[BlockKey, torch.Tensor]:
        if self._pool is None:
            return {key: self._samplers[0].draw(key) for key in keys}
        shares = [range(first, len(keys), len(self._samplers)) for first in range(len(self._samplers))]
        for done in [
            self._pool.submit(self._draw_share, *each, keys) for each in zip(self._samplers, shares, strict=True)
        ]:
            done.result()
        return dict(zip(keys, self._slots, strict=False))

    def _draw_share(self, sampler: Sampler, share: range, keys: list[BlockKey]) -> None:
        with torch.inference_mode():
            for position in share:
                self._slots[position].copy_(sampler.draw(keys[position]))


def _check_applied(noisy: object, shape: torch.Size, name: str) -> None:
    if not isinstance(noisy, torch.Tensor) or noisy.shape != shape:
        found = tuple(noisy.shape) if isinstance(noisy, torch.Tensor) else type(noisy).__name__
        raise RunError(f"noise {name!r} applied to inputs gave {found}, expected a tensor of shape {tuple(shape)}")


def _duplicate(sampler: Sampler) -> Sampler:
    noise, laws = copy.deepcopy((sampler.noise, sampler.laws))
    return Sampler(noise, sampler.seed, sampler.shape, sampler.device, laws)
