"""The results store: nothing lost, nothing repeated, one writer, and errors in words."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from robustbench_rs.api import Chunk, StageCounts
from robustbench_rs.errors import InputError, RunError
from robustbench_rs.store import WHOLE_DATA_SET, CandidateRow, RunDirectory, TaskRow, open_run, set_aside

TASK = TaskRow("t", 0, "d", {"noise.sigma": 0.25}, {"config": {}}, {"noise": None})


def part(index: int, start: int, counts: list[int], stage: str = "estimation") -> StageCounts:
    return StageCounts(index, stage, start, start + sum(counts), np.array(counts, dtype=np.int64))


def chunk(*parts: StageCounts) -> Chunk:
    return Chunk(list(parts), {"estimation": 0.5}, 32)


@pytest.fixture
def store(tmp_path):
    with open_run(tmp_path / "run.sqlite", write=True) as store:
        store.put_task(TASK)
        yield store


def test_chunks_of_one_input_merge_into_one_row(store):
    store.add_chunk("t", chunk(part(7, 0, [3, 1]), part(9, 0, [0, 2])), "cpu")
    store.add_chunk("t", chunk(part(7, 4, [1, 5])), "cpu")
    assert store.counts("t", "estimation")[7].tolist() == [4, 6]
    assert store.drawn("t") == {(7, "estimation"): 10, (9, "estimation"): 2}
    [cost] = store.costs()
    assert (cost.samples, cost.seconds) == (12, 1.0)
    assert store.tasks()[0].details["batch_size"] == 32


@pytest.mark.parametrize("start", [3, 5], ids=["repeat", "gap"])
def test_a_gap_or_a_repeat_is_refused_and_nothing_of_the_chunk_is_kept(store, start):
    store.add_chunk("t", chunk(part(7, 0, [3, 1])), "cpu")
    with pytest.raises(RunError, match="input 7, estimation"):
        store.add_chunk("t", chunk(part(8, 0, [1, 1]), part(7, start, [1, 0])), "cpu")
    assert store.drawn("t") == {(7, "estimation"): 4}


def test_counts_that_do_not_add_up_are_refused(store):
    with pytest.raises(RunError, match="got 2 counts for draws 0 to 3"):
        store.add_chunk("t", chunk(StageCounts(1, "estimation", 0, 3, np.array([1, 1]))), "cpu")


def test_a_closed_store_is_one_file(tmp_path):
    with open_run(tmp_path / "run.sqlite", write=True) as store:
        store.set_meta({"name": "x"})
    assert [path.name for path in tmp_path.iterdir()] == ["run.sqlite"]


def test_full_disk_is_a_run_error_and_keeps_what_was_stored(store):
    store.add_chunk("t", chunk(part(1, 0, [1, 0])), "cpu")
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(RunError, match="disk is full"):
        store.add_chunk("t", chunk(*(part(i, 0, [1] * 500) for i in range(2, 99))), "cpu")
    store._connection.execute("PRAGMA max_page_count = 1073741823")
    assert store.drawn("t") == {(1, "estimation"): 1}


def test_another_file_or_format_is_refused(tmp_path):
    (tmp_path / "run.sqlite").write_bytes(b"not a database, but long enough to look at" * 50)
    with pytest.raises(InputError, match="no results file"):
        open_run(tmp_path / "run.sqlite", write=True)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("CREATE TABLE x (y)")
    with pytest.raises(InputError, match="format 99"):
        open_run(other)
    with pytest.raises(InputError, match="no such file"):
        open_run(tmp_path / "absent.sqlite")


def test_reading_does_not_create_or_change(tmp_path):
    with open_run(tmp_path / "run.sqlite", write=True) as store:
        store.set_meta({"name": "x"})
    before = (tmp_path / "run.sqlite").read_bytes()
    with open_run(tmp_path / "run.sqlite") as store:
        assert store.meta("name") == "x"
    assert (tmp_path / "run.sqlite").read_bytes() == before


HOLDER = """
import sys, time
from pathlib import Path
from robustbench_rs.store import RunDirectory
with RunDirectory(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_live_lock_names_its_process_and_a_killed_one_never_blocks(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"in use by process {holder.pid}"), RunDirectory(tmp_path):
            pass
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with RunDirectory(tmp_path):
        pass


def test_fresh_never_deletes(tmp_path):
    run = tmp_path / "run"
    for number in (1, 2):
        run.mkdir()
        (run / "mark").write_text(str(number))
        assert set_aside(run) == tmp_path / f"run.{number}"
    assert set_aside(run) is None
    assert [(tmp_path / f"run.{number}" / "mark").read_text() for number in (1, 2)] == ["1", "2"]


def test_absorb_takes_the_union_and_refuses_contradictions(tmp_path):
    stores = []
    for name, index in (("a", 1), ("b", 2)):
        one = open_run(tmp_path / f"{name}.sqlite", write=True)
        one.put_task(TASK)
        one.add_inputs([index], [0])
        one.add_chunk("t", chunk(part(index, 0, [2, 0])), "cpu")
        stores.append(one)
    with open_run(tmp_path / "merged.sqlite", write=True) as merged:
        for one in stores:
            merged.absorb(one)
        assert merged.drawn("t") == {(1, "estimation"): 2, (2, "estimation"): 2}
        assert merged.inputs().indices.tolist() == [1, 2]
        clash = open_run(tmp_path / "c.sqlite", write=True)
        clash.put_task(TASK)
        clash.add_chunk("t", chunk(part(1, 0, [0, 2])), "cpu")
        with pytest.raises(RunError, match="differently"):
            merged.absorb(clash)
        assert merged.counts("t", "estimation")[1].tolist() == [2, 0]


def test_meta_is_json(store):
    store.set_meta({"draws": {"estimation": 10}, "shard": None})
    assert json.loads(json.dumps(store.meta("draws"))) == {"estimation": 10}
    assert store.meta("shard") is None
    assert Path(store.path).name == "run.sqlite"


def candidate(index: int, number: int, *, chosen: bool = False, value: float = 0.5) -> CandidateRow:
    return CandidateRow(index, number, {"beta": 1.0 + number}, value, "proved", chosen)


def test_candidates_are_kept_in_order_and_no_other_run_has_their_table(store):
    assert store.candidates("t") == []
    rows = [candidate(3, 2, chosen=True, value=0.1 + 0.2), candidate(3, 1), candidate(WHOLE_DATA_SET, 1)]
    store.add_candidates("t", rows)
    assert store.candidates("t") == [rows[2], rows[1], rows[0]]
    assert store.candidates("other") == []


def test_what_was_chosen_is_never_chosen_again(store):
    store.add_candidates("t", [candidate(3, 1)])
    with pytest.raises(sqlite3.IntegrityError):
        store.add_candidates("t", [candidate(4, 1), candidate(3, 1, chosen=True)])
    assert store.candidates("t") == [candidate(3, 1)]


def test_costs_of_all_candidates_are_one_line(store):
    stages = ['tuning {"beta":1.5}', 'tuning {"beta":2.0}']
    store.add_chunk("t", Chunk([part(7, 0, [3, 1], stage) for stage in stages], dict.fromkeys(stages, 0.5), 32), "cpu")
    assert [(cost.stage, cost.samples, cost.seconds) for cost in store.costs()] == [("tuning", 8, 1.0)]
    assert store.drawn("t") == {(7, stage): 4 for stage in stages}


def test_absorb_takes_candidates_and_refuses_another_choice(tmp_path):
    stores = {}
    for name, rows in {
        "a": [candidate(1, 1, chosen=True)],
        "b": [candidate(1, 1, chosen=True), candidate(2, 1, chosen=True)],
        "c": [candidate(1, 1)],
        "target": [],
    }.items():
        stores[name] = open_run(tmp_path / name, write=True)
        stores[name].put_task(TASK)
        if rows:
            stores[name].add_candidates("t", rows)
    stores["target"].absorb(stores["a"])
    stores["target"].absorb(stores["b"])
    assert stores["target"].candidates("t") == stores["b"].candidates("t")
    with pytest.raises(RunError, match="chose different noise parameters"):
        stores["target"].absorb(stores["c"])
    for each in stores.values():
        each.close()
