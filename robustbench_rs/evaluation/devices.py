"""``--device``: what it may say, and which torch devices it means."""

from __future__ import annotations

import re

from robustbench_rs.errors import InputError


def resolve_devices(asked: str) -> list[str]:
    """``auto`` (all GPUs, else MPS, else CPU), ``cpu``, ``mps``, ``cuda`` (all GPUs) or ``cuda:0,1`` as torch names."""
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked == "auto":
        if gpus:
            return [f"cuda:{number}" for number in range(gpus)]
        return ["mps"] if torch.backends.mps.is_available() else ["cpu"]
    if asked == "cpu":
        return ["cpu"]
    if asked == "mps":
        if not torch.backends.mps.is_available():
            raise InputError("--device mps: this machine or this build of torch has no MPS device")
        return ["mps"]
    return [f"cuda:{number}" for number in _gpu_numbers(asked, gpus)]


def _gpu_numbers(asked: str, gpus: int) -> list[int]:
    match = re.fullmatch(r"cuda(?::(\d+(?:,\d+)*))?", asked)
    if match is None:
        raise InputError(f"--device {asked}: expected auto, cpu, mps, cuda, or cuda:0,1")
    if not gpus:
        raise InputError(f"--device {asked}: torch sees no CUDA device here (is its CUDA build installed?)")
    numbers = range(gpus) if match[1] is None else [int(number) for number in match[1].split(",")]
    if missing := [number for number in numbers if number >= gpus]:
        raise InputError(f"--device {asked}: there is no cuda:{missing[0]}; torch sees {gpus} device(s)")
    return list(dict.fromkeys(numbers))


def device_type(devices: list[str]) -> str:
    """``cpu``, ``cuda`` or ``mps``: part of a task's identity, because noise may differ between device types."""
    return devices[0].partition(":")[0]
