"""Running out of memory, recognised on any device, and how much there is to use."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from robustbench_rs.errors import RunError

HOST_GROWTH = 512 * 2**20
"""Bytes by which calibration may raise the peak memory of the process on the CPU."""

LARGE_BLOCK = 31 * 2**20
"""glibc's largest dynamic mmap threshold is 32 MiB."""

PHRASES = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED", "alloc_cpu")
"""How torch's allocators, cuBLAS and cuDNN put it in a plain ``RuntimeError``."""


class OutOfMemoryError(Exception):
    """A batch did not fit."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a smaller batch may help."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(phrase in str(error) for phrase in PHRASES)


@contextmanager
def device_errors(device: torch.device) -> Iterator[None]:
    """Errors that torch raises inside become ``OutOfMemoryError``, or a ``RunError`` naming the device."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise OutOfMemoryError from None
        raise RunError(f"sampling failed on {device}: {type(error).__name__}: {error}") from error


def release(device: torch.device) -> None:
    """Hand cached blocks back, so that fragments of the batch that failed are not in the way of a smaller one."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def keep_freed_memory(device: torch.device) -> None:
    """glibc returns large freed blocks to the kernel, and every batch pays for its pages again (up to half the time of
    a small network). Freeing one block just below 32 MiB raises that limit to it; other allocators do not care.
    """
    if device.type == "cpu":
        torch.empty(LARGE_BLOCK, dtype=torch.uint8)


def peak_bytes(device: torch.device) -> int:
    """Peak memory so far: of torch's allocator on a CUDA device, of the whole process elsewhere (0 if unknown)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def growth_limit(device: torch.device) -> int:
    """Bytes by which calibration may raise :func:`peak_bytes`: a quarter of the free memory on a CUDA device."""
    return torch.cuda.mem_get_info(device)[0] // 4 if device.type == "cuda" else HOST_GROWTH
