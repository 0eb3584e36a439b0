"""The batch size that is fastest here: a few powers of two are timed on the module itself."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from robustbench_rs.sampling.classifier import Classifier
from robustbench_rs.sampling.memory import OutOfMemoryError, device_errors, growth_limit, peak_bytes, release

SMALLEST = 32
LARGEST = {"cpu": 4096}
LARGEST_DEVICE = 16384
INPUT_ELEMENTS = {"cpu": 2**23}
INPUT_ELEMENTS_DEVICE = 2**27
GOOD_ENOUGH = 0.97
"""The smallest batch with this share of the best throughput is taken: less memory, less waste at the end."""

STEP_SECONDS = 1e-4
"""Host work per batch beside the forward pass and its noise."""

TIMING_SECONDS = 0.03
"""A candidate is timed again and again for this long, at least twice, and its fastest batch counts."""

SHARE_OF_WORK = 0.05
LONGEST_BATCH = 1.0
LONGEST = 4.0
"""Calibration ends after this share of the estimated whole, a batch of that many seconds, or that many seconds."""


@dataclass(frozen=True)
class _Timing:
    batch: int
    throughput: float


def calibrate(classifier: Classifier, shape: tuple[int, ...], draws: int, device: torch.device) -> int:
    """Batch size (a power of two) for ``draws`` inputs of ``shape``, bounded in time and memory.

    Raises ``RunError`` when the model fails, or when not even one input fits.
    """
    began = time.perf_counter()
    limit = peak_bytes(device) + growth_limit(device)
    timings: list[_Timing] = []
    batch = min(SMALLEST, _power_of_two(draws))
    while True:
        seconds = _seconds(classifier, (batch, *shape), device, draws)
        if seconds is None:
            release(device)
            if timings or batch == 1:
                break
            batch //= 2
            continue
        timings.append(_Timing(batch, batch / seconds))
        allowed = min(LONGEST, SHARE_OF_WORK * draws * seconds / batch)
        too_long = time.perf_counter() - began > allowed or seconds > LONGEST_BATCH
        if too_long or peak_bytes(device) > limit or _settled(timings) or 2 * batch > _largest(shape, draws, device):
            break
        batch *= 2
    return _choose(timings)


def _seconds(classifier: Classifier, shape: tuple[int, ...], device: torch.device, draws: int) -> float | None:
    """The fastest batch of this size (the first one also pays for choosing kernels); None: out of memory."""
    began = time.perf_counter()
    best = float("inf")
    runs = 0
    try:
        with device_errors(device):
            batch = torch.full(shape, 0.5, device=device)
            while runs < 2 or time.perf_counter() - began < min(
                TIMING_SECONDS, SHARE_OF_WORK * best * draws / shape[0]
            ):
                start = time.perf_counter()
                classifier.classes(batch).cpu()
                best = min(best, time.perf_counter() - start)
                runs += 1
    except OutOfMemoryError:
        return None
    return best + STEP_SECONDS


def _settled(timings: list[_Timing]) -> bool:
    """Two doublings in a row brought nothing."""
    if len(timings) < 3:
        return False
    return max(timing.throughput for timing in timings[-2:]) < timings[-3].throughput / GOOD_ENOUGH


def _choose(timings: list[_Timing]) -> int:
    best = max((timing.throughput for timing in timings), default=0.0)
    return next((timing.batch for timing in timings if timing.throughput >= GOOD_ENOUGH * best), 1)


def _largest(shape: tuple[int, ...], draws: int, device: torch.device) -> int:
    elements = INPUT_ELEMENTS.get(device.type, INPUT_ELEMENTS_DEVICE) // max(1, torch.Size(shape).numel())
    return min(LARGEST.get(device.type, LARGEST_DEVICE), _power_of_two(draws), max(1, elements))


def _power_of_two(number: int) -> int:
    """The largest power of two that is at most ``number`` (1 for less)."""
    return 1 << max(0, number.bit_length() - 1)
