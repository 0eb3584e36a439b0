"""Files of a folder or a zip, by relative name; picklable, so that worker processes can read on."""

from __future__ import annotations

import os
import zipfile
import zlib
from abc import ABC, abstractmethod
from pathlib import Path

from robustbench_rs.errors import InputError

LARGEST_FILE = 1 << 28
"""No image file is larger; a zip whose entries inflate beyond is refused."""


class ImageFiles(ABC):
    """Where the bytes of images come from. ``path``: the folder or archive."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def names(self, split: str) -> list[str]:
        """Names of files two or three levels deep, ``/`` between parts; those of other splits may be left out."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The bytes of one file. Raises ``InputError`` naming it."""

    def where(self, name: str) -> str:
        """The file's place, for messages."""
        return f"{self.path}: {name}"


class FolderFiles(ImageFiles):
    """A folder."""

    def names(self, split: str) -> list[str]:
        within = self.path / split
        if within.is_dir() and any(child.is_dir() for child in within.iterdir()):
            return self._below(within, "*/*")
        return self._below(self.path, "*/*") + self._below(self.path, "*/*/*")

    def _below(self, folder: Path, pattern: str) -> list[str]:
        return [path.relative_to(self.path).as_posix() for path in folder.glob(pattern)]

    def read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise InputError(f"{self.where(name)}: cannot be read ({error.strerror or error})") from error


class ZipFiles(ImageFiles):
    """A zip, read in place. Each process opens its own handle: a shared one would share its file position."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._archive: zipfile.ZipFile | None = None
        self._owner = 0

    def names(self, split: str) -> list[str]:  # noqa: ARG002
        return [name for name in self._open().namelist() if name.count("/") in (1, 2) and not name.endswith("/")]

    def read(self, name: str) -> bytes:
        archive = self._open()
        try:
            if archive.getinfo(name).file_size > LARGEST_FILE:
                raise InputError(f"{self.where(name)}: larger than {LARGEST_FILE >> 20} MiB, which no image is")
            return archive.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError) as error:
            raise InputError(f"{self.where(name)}: damaged in the archive ({error}); fetch the zip again") from error
        except (RuntimeError, NotImplementedError) as error:  # encrypted, or an unknown compression
            raise InputError(f"{self.where(name)}: cannot be unpacked ({error})") from error

    def _open(self) -> zipfile.ZipFile:
        if self._archive is None or self._owner != os.getpid():
            try:
                self._archive = zipfile.ZipFile(self.path)
            except (zipfile.BadZipFile, EOFError, ValueError) as error:
                raise InputError(f"{self.path}: truncated or not a zip file ({error}); fetch it again") from error
            except OSError as error:
                raise InputError(f"{self.path}: cannot be read ({error.strerror or error})") from error
            self._owner = os.getpid()
        return self._archive

    def __getstate__(self) -> dict[str, object]:
        return {"path": self.path, "_archive": None, "_owner": 0}


def open_files(path: Path) -> ImageFiles:
    """The files of a folder, else of a zip. Raises ``InputError``."""
    return FolderFiles(path) if path.is_dir() else ZipFiles(path)
