"""Reports are rendered whole before a file changes, and each file is written whole or not at all."""

from __future__ import annotations

import pytest

from robustbench_rs.api import Reporter
from robustbench_rs.errors import RunError
from robustbench_rs.reporting import build_report, write_report


def reporter(label, result):
    class Stand(Reporter):
        name = label

        def render(self, report):
            if isinstance(result, Exception):
                raise result
            return result

    return Stand()


@pytest.fixture
def report(source, measured):
    return build_report([source(measured([0.1, 0.2]))], [0.0], "t")


def test_it_writes_text_and_bytes_in_order(report, tmp_path):
    folder = tmp_path / "deep" / "report"
    files = write_report(report, [reporter("b", {"b.txt": "\u03c3\n"}), reporter("a", {"a.bin": b"\0"})], folder)
    assert files == [folder / "b.txt", folder / "a.bin"]
    assert files[0].read_bytes() == "\u03c3\n".encode()
    assert files[1].read_bytes() == b"\0"
    assert sorted(folder.iterdir()) == sorted(files)


def test_a_reporter_that_raises_is_named_and_nothing_changes(report, tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(RunError, match=r"reporter 'bad' failed: ZeroDivisionError: oh") as caught:
        write_report(report, [reporter("a", {"a.txt": "new"}), reporter("bad", ZeroDivisionError("oh"))], tmp_path)
    assert caught.value.exit_code == 1
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "/x", "a/b", "a\\b", "C:x", "a\0b", 3])
def test_a_reporter_writes_into_its_folder_only(report, tmp_path, name):
    with pytest.raises(RunError, match="reporter 'odd'"):
        write_report(report, [reporter("odd", {name: "x"})], tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("result", [None, "text", {"a.txt": 3}])
def test_a_reporter_that_returns_something_else_is_named(report, tmp_path, result):
    with pytest.raises(RunError, match="reporter 'odd'"):
        write_report(report, [reporter("odd", result)], tmp_path)


def test_two_reporters_that_write_the_same_file(report, tmp_path):
    with pytest.raises(RunError, match=r"'one' and 'two' both write 'a.txt'"):
        write_report(report, [reporter("one", {"a.txt": "1"}), reporter("two", {"a.txt": "2"})], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(report, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="cannot write"):
        write_report(report, [reporter("a", {"a.txt": "x"})], tmp_path / "file")
