"""What a run stores, table by table. Counts are the measurement; everything else can be derived again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robustbench_rs.api.executor import Chunk, StageCounts
from robustbench_rs.errors import RunError
from robustbench_rs.store.database import connect, transaction, translated, use_write_ahead_log

FIXED_N_LOOK = 0
"""A bound with a fixed n looks at the counts once."""

ADD_COST = (
    "INSERT INTO costs VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "samples = samples + excluded.samples, seconds = seconds + excluded.seconds"
)


@dataclass(frozen=True)
class TaskRow:
    """One defense at one sweep point. ``identity`` is everything that determines its counts; ``id`` is its hash."""

    id: str
    position: int
    defense: str
    point: Mapping[str, Any]
    identity: Mapping[str, Any]
    details: Mapping[str, Any]

    @property
    def outcomes(self) -> int | None:
        """How many draws its noise has in all, where all of them are tried for every input; None: they are random."""
        found: int | None = self.details.get("outcomes")
        return found

    @property
    def is_random(self) -> bool:
        """Whether it has noise, and draws it at random."""
        return self.details.get("noise") is not None and self.outcomes is None


@dataclass(frozen=True)
class CostRow:
    """Draws and seconds of one task's stage on one device type."""

    task: str
    stage: str
    device: str
    samples: int
    seconds: float


@dataclass(frozen=True)
class CandidateRow:
    """One candidate of a finished noise optimisation, number ``number`` of the input ``index`` (see WHOLE_DATA_SET).

    ``value``: of the objective, with the weakest ``guarantee`` behind it ("" where no solver gave a radius).
    """

    index: int
    number: int
    params: Mapping[str, float]
    value: float
    guarantee: str
    chosen: bool


@dataclass(frozen=True)
class InputsRow:
    """The evaluated inputs: original indices and labels, (m,) int64, ascending."""

    indices: np.ndarray
    labels: np.ndarray


WHOLE_DATA_SET = -1
"""In place of an input's index: noise parameters that hold for all inputs."""

CANDIDATES = (
    "CREATE TABLE IF NOT EXISTS candidates (task TEXT NOT NULL, idx INTEGER NOT NULL, number INTEGER NOT NULL, "
    "params TEXT NOT NULL, value REAL NOT NULL, guarantee TEXT NOT NULL, chosen INTEGER NOT NULL, "
    "PRIMARY KEY (task, idx, number)) WITHOUT ROWID"
)
"""Only runs that optimise their noise have this table, so that it changes no other file's format."""


def open_run(path: Path, *, write: bool = False) -> RunStore:
    """The store in ``path`` (a file); created when ``write`` and absent."""
    return RunStore(path, write=write)


class RunStore:
    """One run's SQLite file. One writer at a time (:class:`RunDirectory`); closed, it can be copied alone."""

    def __init__(self, path: Path, *, write: bool = False) -> None:
        self.path = path
        self._write = write
        self._connection = connect(path, create=write)
        if write:
            with translated(path):
                use_write_ahead_log(self._connection)

    def __enter__(self) -> RunStore:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Fold the write-ahead log into the file."""
        if self._write:
            try:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._connection.execute("PRAGMA journal_mode = DELETE")
            except sqlite3.OperationalError:
                pass  # A reader or a full disk: the log stays beside the file, and nothing is lost.
        self._connection.close()

    def meta(self, key: str) -> Any:
        """A JSON value, None when never set."""
        row = self._one("SELECT value FROM meta WHERE key = ?", key)
        return None if row is None else json.loads(row[0])

    def set_meta(self, values: Mapping[str, Any]) -> None:
        rows = [(key, json.dumps(value, sort_keys=True)) for key, value in values.items()]
        with transaction(self._connection, self.path) as connection:
            connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    def tasks(self) -> list[TaskRow]:
        """All tasks in the order of the spec."""
        rows = self._all("SELECT id, position, defense, point, identity, details FROM tasks ORDER BY position, id")
        return [TaskRow(row[0], row[1], row[2], *(json.loads(text) for text in row[3:])) for row in rows]

    def put_task(self, task: TaskRow) -> None:
        """Insert a task, or update its position and details."""
        texts = [json.dumps(value, sort_keys=True) for value in (task.point, task.identity, task.details)]
        with transaction(self._connection, self.path) as connection:
            connection.execute(
                "INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                "position = excluded.position, details = excluded.details",
                (task.id, task.position, task.defense, *texts),
            )

    def inputs(self) -> InputsRow:
        rows = np.array(self._all("SELECT idx, label FROM inputs ORDER BY idx"), dtype=np.int64).reshape(-1, 2)
        return InputsRow(rows[:, 0], rows[:, 1])

    def add_inputs(self, indices: Iterable[int], labels: Iterable[int]) -> None:
        rows = [(int(index), int(label)) for index, label in zip(indices, labels, strict=True)]
        with transaction(self._connection, self.path) as connection:
            connection.executemany("INSERT OR REPLACE INTO inputs VALUES (?, ?)", rows)

    def drawn(self, task: str) -> dict[tuple[int, str], int]:
        """(input index, stage) -> draws counted so far: always draws 0 to n - 1 of the stream."""
        rows = self._all("SELECT idx, stage, n FROM counts WHERE task = ? AND look = ?", task, FIXED_N_LOOK)
        return {(index, stage): n for index, stage, n in rows}

    def counts(self, task: str, stage: str) -> dict[int, np.ndarray]:
        """Input index -> class counts (K,) int64."""
        rows = self._all(
            "SELECT idx, counts FROM counts WHERE task = ? AND stage = ? AND look = ?", task, stage, FIXED_N_LOOK
        )
        return {index: np.frombuffer(blob, dtype="<i8").astype(np.int64) for index, blob in rows}

    def add_chunk(self, task: str, chunk: Chunk, device: str) -> None:
        """Merge a finished chunk into its rows, with its cost, in one transaction."""
        with transaction(self._connection, self.path) as connection:
            for part in chunk.counts:
                _merge(connection, task, part)
            for stage, seconds in chunk.seconds.items():
                samples = sum(part.stop - part.start for part in chunk.counts if part.stage == stage)
                # The first word names the purpose: candidates of an optimisation share one line.
                connection.execute(ADD_COST, (task, stage.partition(" ")[0], device, samples, seconds))
            connection.execute(
                "UPDATE tasks SET details = json_set(details, '$.batch_size', ?) WHERE id = ?", (chunk.batch_size, task)
            )

    def candidates(self, task: str) -> list[CandidateRow]:
        """Of every finished optimisation, its candidates in the order of evaluation."""
        if not self._all("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'candidates'"):
            return []
        query = (
            "SELECT idx, number, params, value, guarantee, chosen FROM candidates WHERE task = ? ORDER BY idx, number"
        )
        return [
            CandidateRow(index, number, json.loads(params), value, guarantee, bool(chosen))
            for index, number, params, value, guarantee, chosen in self._all(query, task)
        ]

    def add_candidates(self, task: str, rows: Iterable[CandidateRow]) -> None:
        """All candidates of finished optimisations, in one transaction. What is chosen is never chosen again."""
        with transaction(self._connection, self.path) as connection:
            connection.execute(CANDIDATES)
            connection.executemany(
                "INSERT INTO candidates VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (task, r.index, r.number, json.dumps(r.params, sort_keys=True), r.value, r.guarantee, int(r.chosen))
                    for r in rows
                ],
            )

    def costs(self) -> list[CostRow]:
        return [
            CostRow(*row)
            for row in self._all("SELECT task, stage, device, samples, seconds FROM costs ORDER BY 1, 2, 3")
        ]

    def replace_certificates(self, rows: Iterable[Sequence[Any]]) -> None:
        """All certificates at once, in the order of the table's columns."""
        with transaction(self._connection, self.path) as connection:
            connection.execute("DELETE FROM certificates")
            connection.executemany(f"INSERT INTO certificates VALUES ({', '.join('?' * 15)})", rows)

    def replace_gallery(self, task: str, rows: Iterable[tuple[str, int, bytes, bytes]]) -> None:
        """(rank, index, clean PNG, noisy PNG) of one task."""
        with transaction(self._connection, self.path) as connection:
            connection.execute("DELETE FROM gallery WHERE task = ?", (task,))
            connection.executemany(
                "INSERT INTO gallery VALUES (?, ?, ?, ?, ?, ?)",
                [(task, position, *row) for position, row in enumerate(rows)],
            )

    def gallery(self, task: str) -> list[tuple[str, int, bytes, bytes]]:
        return self._all("SELECT rank, idx, clean, noisy FROM gallery WHERE task = ? ORDER BY position", task)

    def absorb(self, other: RunStore) -> None:
        """Take over tasks, inputs, counts, costs and pictures of another store, all or nothing.

        Raises :class:`RunError` when both hold counts of the same draws that differ. The merged rows keep the longer.
        """
        self.add_inputs(other.inputs().indices, other.inputs().labels)
        with transaction(self._connection, self.path) as connection:
            for table in ("tasks", "gallery"):
                for row in other._all(f"SELECT * FROM {table}"):
                    connection.execute(f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * len(row))})", row)
            for cost in other.costs():
                connection.execute(ADD_COST, (cost.task, cost.stage, cost.device, cost.samples, cost.seconds))
            for row in other._all("SELECT task, idx, stage, look, n, counts FROM counts"):
                _keep_longer(connection, row)
        for task in other.tasks():
            self._absorb_candidates(task.id, other.candidates(task.id))

    def _absorb_candidates(self, task: str, rows: Sequence[CandidateRow]) -> None:
        known = {(row.index, row.number): row for row in self.candidates(task)}
        if any(known.get((row.index, row.number), row) != row for row in rows):
            raise RunError("two runs chose different noise parameters for the same inputs; they cannot be merged")
        if fresh := [row for row in rows if (row.index, row.number) not in known]:
            self.add_candidates(task, fresh)

    def logs(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Imported published logs: (file name, text, metadata)."""
        return [(name, text, json.loads(meta)) for name, text, meta in self._all("SELECT * FROM logs ORDER BY name")]

    def add_log(self, name: str, text: str, meta: Mapping[str, Any]) -> None:
        with transaction(self._connection, self.path) as connection:
            connection.execute("INSERT OR REPLACE INTO logs VALUES (?, ?, ?)", (name, text, json.dumps(meta)))

    def _all(self, statement: str, *values: Any) -> list[Any]:
        with translated(self.path):
            return self._connection.execute(statement, values).fetchall()

    def _one(self, statement: str, *values: Any) -> Any:
        with translated(self.path):
            return self._connection.execute(statement, values).fetchone()


def _merge(connection: sqlite3.Connection, task: str, part: StageCounts) -> None:
    """Add one input's new draws. They must follow on those stored: a gap or a repeat is an error, never a guess."""
    key = (task, part.stage, FIXED_N_LOOK, part.index)
    row = connection.execute(
        "SELECT n, counts FROM counts WHERE task = ? AND stage = ? AND look = ? AND idx = ?", key
    ).fetchone()
    done, counts = (0, np.zeros_like(part.counts)) if row is None else (row[0], np.frombuffer(row[1], dtype="<i8"))
    drawn = part.stop - part.start
    if done != part.start or int(part.counts.sum()) != drawn:
        raise RunError(
            f"input {part.index}, {part.stage}: got {int(part.counts.sum())} counts for draws {part.start} to "
            f"{part.stop}, while {done} are stored; nothing of this chunk was stored"
        )
    total = (counts + part.counts).astype("<i8").tobytes()
    connection.execute(
        "INSERT OR REPLACE INTO counts VALUES (?, ?, ?, ?, ?, ?)",
        (task, part.index, part.stage, FIXED_N_LOOK, part.stop, total),
    )


def _keep_longer(connection: sqlite3.Connection, row: tuple[Any, ...]) -> None:
    """Insert a row of counts unless one with at least as many draws is there."""
    task, index, stage, look, n, counts = row
    query = "SELECT n, counts FROM counts WHERE task = ? AND stage = ? AND look = ? AND idx = ?"
    old = connection.execute(query, (task, stage, look, index)).fetchone()
    if old is not None and old[0] == n and old[1] != counts:
        raise RunError(
            f"input {index}, {stage}: two runs counted the same {n} draws differently; they cannot be merged"
        )
    if old is None or old[0] < n:
        connection.execute("INSERT OR REPLACE INTO counts VALUES (?, ?, ?, ?, ?, ?)", row)
