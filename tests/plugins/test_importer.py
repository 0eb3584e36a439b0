"""A spec alone never makes code run."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from robustbench_rs.errors import InputError
from robustbench_rs.plugins import AllowedImporter, load_registry


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that leaves a trace when it is imported."""
    (tmp_path / "imported_module.py").write_text(
        f"open({str(tmp_path / 'trace')!r}, 'w').close()\nclass Models:\n    small = 'a model'\ndef make(): return 1\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "imported_module", raising=False)
    return "imported_module"


def test_what_was_not_allowed_is_not_imported(package: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--allow-import imported_module"):
        AllowedImporter().load(f"{package}:make")
    assert not (tmp_path / "trace").exists()


def test_what_was_allowed_is(package: str) -> None:
    importer = AllowedImporter([package])
    assert importer.load(f"{package}:make")() == 1
    assert importer.load(f"{package}:Models.small") == "a model"


def test_allowing_a_package_does_not_allow_its_neighbours(package: str) -> None:
    with pytest.raises(InputError, match="--allow-import os"):
        AllowedImporter([package]).load("os:system")


@pytest.mark.parametrize("reference", ["", "module", "module:", ":function", "module.function"])
def test_a_reference_of_another_form(reference: str) -> None:
    with pytest.raises(InputError, match=r"not of the form 'package\.module:function'"):
        AllowedImporter(["module"]).load(reference)


def test_an_attribute_that_is_missing(package: str) -> None:
    with pytest.raises(InputError, match="has no 'absent'"):
        AllowedImporter([package]).load(f"{package}:absent")


def test_a_module_that_cannot_be_imported() -> None:
    with pytest.raises(InputError, match=r"cannot import 'no_such_module'.*ModuleNotFoundError"):
        AllowedImporter(["no_such_module"]).load("no_such_module:f")


def test_a_plugin_file_is_allowed_by_its_name(write_file) -> None:
    registry = load_registry([write_file("my_model.py", "def make():\n    return 7\n")])
    assert isinstance(registry.modules["my_model"], ModuleType)
    assert AllowedImporter(files=registry.modules).load("my_model:make")() == 7
