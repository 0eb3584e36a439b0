"""The batch size, and on the CPU the number of threads, that are fastest here: timed on the module itself."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from robustbench_rs.sampling.classifier import Classifier, threads
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


WORTH_A_THREAD = 1.2
"""More threads are used only where they bring this factor. Where other work shares the processor they bring less than
nothing: threads that wait for one that is not running spin, and a small model gets a hundred times slower."""


@dataclass(frozen=True)
class Timing:
    """What a batch size brings, in inputs per second."""

    batch: int
    throughput: float


def calibrate_threads(
    classifier: Classifier, shape: tuple[int, ...], draws: int, device: torch.device, most: int
) -> tuple[int, int]:
    """(batch size, threads): all of ``most`` threads, or one. Other devices than the CPU leave the number as it is."""
    several = calibrate(classifier, shape, draws, device)
    if device.type != "cpu" or most == 1:
        return several.batch, most
    with threads(1):
        one = calibrate(classifier, shape, draws, device)
    return (several.batch, most) if several.throughput > WORTH_A_THREAD * one.throughput else (one.batch, 1)


def calibrate(classifier: Classifier, shape: tuple[int, ...], draws: int, device: torch.device) -> Timing:
    """The best batch size (a power of two) for ``draws`` inputs of ``shape``, bounded in time and memory.

    Raises ``RunError`` when the model fails, or when not even one input fits.
    """
    began = time.perf_counter()
    limit = peak_bytes(device) + growth_limit(device)
    timings: list[Timing] = []
    batch = min(SMALLEST, _power_of_two(draws))
    while True:
        seconds = _seconds(classifier, (batch, *shape), device, draws)
        if seconds is None:
            release(device)
            if timings or batch == 1:
                break
            batch //= 2
            continue
        timings.append(Timing(batch, batch / seconds))
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


def _settled(timings: list[Timing]) -> bool:
    """Two doublings in a row brought nothing."""
    if len(timings) < 3:
        return False
    return max(timing.throughput for timing in timings[-2:]) < timings[-3].throughput / GOOD_ENOUGH


def _choose(timings: list[Timing]) -> Timing:
    best = max((timing.throughput for timing in timings), default=0.0)
    return next((timing for timing in timings if timing.throughput >= GOOD_ENOUGH * best), Timing(1, 0.0))


def _largest(shape: tuple[int, ...], draws: int, device: torch.device) -> int:
    elements = INPUT_ELEMENTS.get(device.type, INPUT_ELEMENTS_DEVICE) // max(1, torch.Size(shape).numel())
    return min(LARGEST.get(device.type, LARGEST_DEVICE), _power_of_two(draws), max(1, elements))


def _power_of_two(number: int) -> int:
    """The largest power of two that is at most ``number`` (1 for less)."""
    return 1 << max(0, number.bit_length() - 1)
