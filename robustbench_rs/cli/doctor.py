"""``robustbench-rs doctor``: what is installed here and what works, for a bug report or a new machine."""

from __future__ import annotations

import importlib
import os
import platform
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

from robustbench_rs.cli.output import print_json
from robustbench_rs.cli.settings import DATA_VARIABLE, PLUGINS_VARIABLE, Command, Settings, data_folder, pass_settings

PACKAGES = (
    "robustbench-rs",
    "torch",
    "numpy",
    "scipy",
    "pydantic",
    "pluggy",
    "click",
    "plotly",
    "matplotlib",
    "scikit-learn",
)
EXTRAS: Mapping[str, Sequence[str]] = {"parquet": ("pyarrow",), "vision": ("torchvision",)}


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_settings
def doctor(settings: Settings, as_json: bool) -> None:
    """Say what is installed, which devices there are, and what is broken."""
    findings = examine(settings)
    if as_json:
        print_json(findings)
        return
    for name, value in findings.items():
        click.echo(f"{name}:")
        for line in _lines(value):
            click.echo(f"  {line}")


def examine(settings: Settings) -> dict[str, Any]:
    """Everything that ``doctor`` reports, as plain values."""
    return {
        "python": {"version": platform.python_version(), "platform": platform.platform()},
        "packages": {name: package_version(name) for name in PACKAGES},
        "torch": _torch(),
        "extras": {extra: {name: import_state(name) for name in names} for extra, names in EXTRAS.items()},
        "plugins": {
            "loaded": len(settings.registry.owners()),
            "files": [str(file) for file in settings.plugin_files],
            "broken": [str(broken) for broken in settings.registry.broken],
        },
        "cache": {"path": str(settings.cache), "writable": writable(settings.cache)},
        "environment": {
            PLUGINS_VARIABLE: os.environ.get(PLUGINS_VARIABLE),
            DATA_VARIABLE: os.environ.get(DATA_VARIABLE),
            "data folder found": bool((folder := data_folder(None)) and folder.is_dir()),
        },
    }


def package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def import_state(module: str) -> str:
    """``ok``, ``not installed``, or why importing fails (torchvision beside another build of torch: RuntimeError)."""
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        return "not installed" if error.name == module else f"broken: {error}"
    except Exception as error:
        return f"broken: {type(error).__name__}: {error}"
    return "ok"


def _torch() -> dict[str, Any]:
    state = import_state("torch")
    if state != "ok":
        return {"import": state}
    import torch

    gpus = (
        [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    return {
        "import": state,
        "built for CUDA": torch.version.cuda,
        "devices": ["cpu", *gpus, *(["mps"] if torch.backends.mps.is_available() else [])],
        "threads": torch.get_num_threads(),
        "processors": os.cpu_count(),
    }


def writable(folder: Path) -> bool:
    """Whether files can be made in ``folder``, or in the nearest folder above it that exists. Leaves nothing behind."""
    existing = next((place for place in (folder, *folder.absolute().parents) if place.is_dir()), None)
    try:
        with tempfile.TemporaryFile(dir=existing):
            return True
    except OSError:
        return False


def _lines(value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield str(value)
        return
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield f"{key}: " + ", ".join(f"{name} {state}" for name, state in item.items())
        elif isinstance(item, list) and len(item) > 1:
            yield f"{key}:"
            yield from (f"  {line}" for line in item)
        elif isinstance(item, list):
            yield f"{key}: {item[0] if item else 'none'}"
        else:
            yield f"{key}: {'-' if item is None else item}"
