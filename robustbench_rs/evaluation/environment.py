"""Where a run was made: versions, plugins, hardware. Recorded for people, never part of a result's identity."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from robustbench_rs.plugins import Registry

PACKAGES = ("robustbench-rs", "torch", "numpy", "scipy", "pydantic", "pluggy")


def environment(registry: Registry, devices: Sequence[str]) -> list[tuple[str, str]]:
    """(name, value) pairs: interpreter, packages, processor, devices and their threads, plugins from outside.

    Imports torch only where there are devices.
    """
    pairs = [("python", platform.python_version()), *((name, package_version(name)) for name in PACKAGES)]
    pairs += [("platform", platform.platform()), ("processors", str(os.cpu_count()))]
    pairs += _devices(devices) if devices else []
    home = f"robustbench-rs {package_version('robustbench-rs')}"
    pairs += [("plugin", f"{owner} sha256:{owner.sha256[:16]}") for owner in registry.owners() if owner.origin != home]
    return pairs


def _devices(devices: Sequence[str]) -> list[tuple[str, str]]:
    import torch

    return [("threads", str(torch.get_num_threads())), *(("device", device_name(device)) for device in devices)]


def package_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def device_name(device: str) -> str:
    """The device with its model name where torch knows one."""
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})" if device.startswith("cuda") else device
