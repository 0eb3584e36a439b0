"""The specs that come with the package, by name."""

from __future__ import annotations

from pathlib import Path

from robustbench_rs.errors import InputError, did_you_mean, shorten


def _folder() -> Path:
    """Beside the package in a checkout (an editable install would read a stale copy), else inside the package."""
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent
    return checkout / "specs" if (checkout / "pyproject.toml").is_file() else package / "specs"


def shipped_specs() -> dict[str, Path]:
    """Name -> file of every shipped spec, sorted by name."""
    return {path.stem: path for path in sorted(_folder().glob("*.yaml"))}


def find_spec(name_or_path: str) -> Path:
    """The file of a spec: an existing file wins over a shipped name. Raises :class:`InputError` if there is neither."""
    path, shipped = Path(name_or_path), shipped_specs()
    try:
        if path.is_file():
            return path
    except (OSError, ValueError) as error:
        raise InputError(f"{shorten(name_or_path)} cannot be a file name: {_reason(error)}") from None
    if name_or_path in shipped:
        return shipped[name_or_path]
    if path.is_dir():
        raise InputError(f"{name_or_path} is a directory; give a spec file, or the name of a shipped spec")
    kind = "no such file" if path.suffix in (".yaml", ".yml") or len(path.parts) > 1 else "no such file or shipped spec"
    raise InputError(f"{shorten(name_or_path)}: {kind}{did_you_mean(path.stem, shipped)}")


def _reason(error: Exception) -> str:
    return error.strerror or "" if isinstance(error, OSError) else str(error)
