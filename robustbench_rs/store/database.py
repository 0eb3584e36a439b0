"""The SQLite file itself: opening, journal mode, schema, and errors in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robustbench_rs.errors import InputError, RunError

SCHEMA_VERSION = 1
"""Stored as SQLite's ``user_version``; a file of another version is refused, never guessed at."""

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE tasks (
    id TEXT PRIMARY KEY, position INTEGER NOT NULL, defense TEXT NOT NULL, point TEXT NOT NULL,
    identity TEXT NOT NULL, details TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE inputs (idx INTEGER PRIMARY KEY, label INTEGER NOT NULL);
CREATE TABLE counts (
    task TEXT NOT NULL REFERENCES tasks (id), idx INTEGER NOT NULL, stage TEXT NOT NULL, look INTEGER NOT NULL,
    n INTEGER NOT NULL, counts BLOB NOT NULL, PRIMARY KEY (task, stage, look, idx)
) WITHOUT ROWID;
CREATE TABLE costs (
    task TEXT NOT NULL REFERENCES tasks (id), stage TEXT NOT NULL, device TEXT NOT NULL,
    samples INTEGER NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (task, stage, device)
) WITHOUT ROWID;
CREATE TABLE certificates (
    task TEXT NOT NULL, idx INTEGER NOT NULL, norm TEXT NOT NULL, solver TEXT NOT NULL, solver_used TEXT NOT NULL,
    guarantee TEXT NOT NULL, prediction INTEGER, abstained INTEGER NOT NULL, correct INTEGER NOT NULL,
    radius REAL NOT NULL, p_lower REAL, p_upper REAL, n INTEGER, bound TEXT NOT NULL, alpha REAL,
    PRIMARY KEY (task, norm, solver, idx)
) WITHOUT ROWID;
CREATE TABLE gallery (
    task TEXT NOT NULL, position INTEGER NOT NULL, rank TEXT NOT NULL, idx INTEGER NOT NULL,
    clean BLOB NOT NULL, noisy BLOB NOT NULL, PRIMARY KEY (task, position)
) WITHOUT ROWID;
CREATE TABLE logs (name TEXT PRIMARY KEY, text TEXT NOT NULL, meta TEXT NOT NULL) WITHOUT ROWID;
"""


def connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """Open a run file. Raises :class:`InputError` when it is missing, not ours, or of another version."""
    if not create and not path.is_file():
        raise InputError(f"{path}: no such file; is {path.parent} the directory of a run?")
    with translated(path):
        connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
            version = SCHEMA_VERSION
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        raise InputError(
            f"{path} is no results file of robustbench-rs ({error}); move it away or use --fresh"
        ) from error
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path} has format {version}, this version reads {SCHEMA_VERSION}; use --fresh or another --out"
        )


def use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """WAL where the file system allows it (network ones may not), else SQLite's rollback journal."""
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        connection.execute("PRAGMA journal_mode = DELETE")


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[sqlite3.Connection]:
    """All statements inside, or none; a full disk leaves what was stored before."""
    with translated(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's operational errors (disk full, read-only, locked) as a :class:`RunError` that names the file."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise RunError(f"{path}: cannot store results: {error}; what was stored before is intact") from error
