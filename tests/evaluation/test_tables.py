"""Tables on disk: shared, never trusted, never fatal."""

from __future__ import annotations

import numpy as np
import pytest

from robustbench_rs.evaluation.tables import DiskTables

ARRAYS = {"radius": np.linspace(0, 1, 5), "labels": np.arange(3)}


def only_file(folder):
    [file] = (folder / "tables").iterdir()
    return file


def test_another_process_finds_what_was_saved(tmp_path):
    DiskTables(tmp_path).save("a key", ARRAYS)
    found = DiskTables(tmp_path).load("a key")
    assert found is not None
    assert {name: values.tolist() for name, values in found.items()} == {k: v.tolist() for k, v in ARRAYS.items()}
    assert DiskTables(tmp_path).load("another key") is None


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 no archive", b"\x80\x04 a pickle"], ids=["empty", "cut", "pickle"]
)
def test_a_damaged_file_counts_as_absent(tmp_path, content):
    DiskTables(tmp_path).save("key", ARRAYS)
    only_file(tmp_path).write_bytes(content)
    assert DiskTables(tmp_path).load("key") is None


def test_a_file_of_another_key_counts_as_absent(tmp_path):
    DiskTables(tmp_path).save("key", ARRAYS)
    DiskTables(tmp_path / "other").save("another", ARRAYS)
    only_file(tmp_path / "other").replace(only_file(tmp_path))
    assert DiskTables(tmp_path).load("key") is None


def test_pickled_objects_are_not_read(tmp_path):
    tables = DiskTables(tmp_path)
    tables.save("key", ARRAYS)
    np.savez(only_file(tmp_path).open("wb"), key=np.array("key"), bad=np.array([{}], dtype=object))
    assert DiskTables(tmp_path).load("key") is None


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path):
    (tmp_path / "tables").write_text("in the way")
    tables = DiskTables(tmp_path)
    tables.save("key", ARRAYS)
    assert tables.load("key") is not None
    assert DiskTables(tmp_path).load("key") is None
