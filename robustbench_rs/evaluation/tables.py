"""Solvers' tables on disk, shared by runs and processes."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from robustbench_rs.api import MemoryTables
from robustbench_rs.files import write_atomic


class DiskTables(MemoryTables):
    """One ``.npz`` file per key below ``cache/tables``, without pickled objects; what cannot be read is not there."""

    def __init__(self, cache: Path) -> None:
        super().__init__()
        self._folder = cache.expanduser() / "tables"

    def load(self, key: str) -> Mapping[str, np.ndarray] | None:
        found = super().load(key)
        if found is None:
            found = self._read(key)
            if found is not None:
                super().save(key, found)
        return found

    def save(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        super().save(key, arrays)
        file = io.BytesIO()
        np.savez_compressed(file, allow_pickle=False, key=np.array(key), **arrays)
        try:
            write_atomic(self._path(key), file.getvalue())
        except OSError:
            return  # a full or read-only disk costs time later, not a result now

    def _read(self, key: str) -> dict[str, np.ndarray] | None:
        try:
            with np.load(self._path(key), allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError):
            return None
        return arrays if str(arrays.pop("key", "")) == key else None

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()}.npz"
