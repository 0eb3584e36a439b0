"""Rendered reports on disk: all files are rendered before the first one is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from robustbench_rs.api.report import Report
from robustbench_rs.api.reporter import Reporter
from robustbench_rs.errors import RunError, shorten
from robustbench_rs.files import write_atomic


def write_report(report: Report, reporters: Sequence[Reporter], folder: Path) -> list[Path]:
    """Render with each reporter, then write into ``folder``; each file whole or not at all.

    Returns the files, in the order of the reporters. Raises ``RunError`` naming the reporter that failed, or the file
    that could not be written; when rendering fails, no file has changed.
    """
    return [_write(folder / name, content) for name, content in render_report(report, reporters).items()]


def render_report(report: Report, reporters: Sequence[Reporter]) -> dict[str, str | bytes]:
    """File name -> content, in the order of the reporters. Raises ``RunError`` naming the reporter that failed."""
    files: dict[str, str | bytes] = {}
    owner: dict[str, str] = {}
    for reporter in reporters:
        for name, content in _render(reporter, report).items():
            if name in owner:
                raise RunError(
                    f"reporters {owner[name]!r} and {reporter.name!r} both write {name!r}: leave one of them out"
                )
            owner[name] = reporter.name
            files[name] = content
    return files


def _render(reporter: Reporter, report: Report) -> dict[str, str | bytes]:
    try:
        files = reporter.render(report)
    except Exception as error:
        raise RunError(
            f"reporter {reporter.name!r} failed: {type(error).__name__}: {error}; nothing was written. "
            "Leave it out of the formats, or report this to its author"
        ) from error
    if not isinstance(files, dict):
        raise RunError(
            f"reporter {reporter.name!r} returned {shorten(files)} instead of a dict of file name to content"
        )
    for name, content in files.items():
        if not _is_plain(name) or not isinstance(content, str | bytes):
            raise RunError(
                f"reporter {reporter.name!r} returned {shorten(name)}: {type(content).__name__}; "
                "it must map file names without folders to str or bytes"
            )
    return files


def _is_plain(name: object) -> bool:
    """A file name and nothing else: no folder of any system, no way out of the folder."""
    if not isinstance(name, str) or name in ("", ".", "..") or "\0" in name:
        return False
    return PurePosixPath(name).name == name and PureWindowsPath(name).name == name


def _write(path: Path, content: str | bytes) -> Path:
    try:
        write_atomic(path, content)
    except OSError as error:
        reason = error.strerror or error
        raise RunError(f"cannot write {path}: {reason}; the file that was there before is unchanged") from error
    return path
