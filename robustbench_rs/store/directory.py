"""The directory of a run: who may write to it, and how an old one is set aside."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

import filelock

from robustbench_rs.errors import InputError

DATABASE = "run.sqlite"
LOCK = ".lock"


class RunDirectory:
    """Exclusive use of a run's directory, as a context manager.

    The lock is the operating system's, so that of a killed process never blocks; a live holder is an
    :class:`InputError` naming its process id.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: filelock.BaseFileLock | None = None

    @property
    def database(self) -> Path:
        return self.path / DATABASE

    def __enter__(self) -> RunDirectory:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = filelock.FileLock(self.path / LOCK, timeout=0)
            self._lock.acquire()
            self._owner_file.write_text(f"{os.getpid()}\n")
        except filelock.Timeout:
            raise InputError(
                f"{self.path} is in use by process {self._owner()}; wait for it or use another --out"
            ) from None
        except OSError as error:
            self._release()
            raise InputError(f"cannot write to {self.path}: {error.strerror or error}; choose another --out") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._owner_file.unlink(missing_ok=True)
        self._release()

    @property
    def _owner_file(self) -> Path:
        return self.path / f"{LOCK}.pid"

    def _owner(self) -> str:
        try:
            return self._owner_file.read_text().strip()
        except OSError:
            return "(unknown)"

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release(force=True)


def set_aside(path: Path) -> Path | None:
    """Rename ``path`` to ``path.1`` (or the next free number); None when there is nothing to rename."""
    if not path.exists():
        return None
    number = 1
    while (target := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    try:
        path.rename(target)
    except OSError as error:
        raise InputError(f"--fresh: cannot move {path} to {target}: {error.strerror or error}") from error
    return target
