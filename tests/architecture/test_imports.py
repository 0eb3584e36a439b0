"""The core knows no plugin, heavy packages are imported where they are used, and data flows one way."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HEAVY = ("torch", "matplotlib", "plotly", "sklearn", "PIL", "jinja2")
LISTED = "import sys; print(' '.join(sorted({name.partition('.')[0] for name in sys.modules})))"


def modules(folder: Path) -> list[str]:
    """Every importable module below a package's folder."""
    files = [file.relative_to(folder.parent).with_suffix("") for file in sorted(folder.rglob("*.py"))]
    return [".".join(file.parts[:-1] if file.name == "__init__" else file.parts) for file in files]


def test_importing_the_whole_core_imports_no_plugin(root: Path, fresh: Callable[[str], str]) -> None:
    names = [name for name in modules(root / "robustbench_rs") if ".templates." not in name]
    assert len(names) > 50
    code = f"import importlib\nfor name in {names}: importlib.import_module(name)\n{LISTED}"
    loaded = fresh(code).split()
    assert "robustbench_rs" in loaded
    assert "robustbench_rs_plugins" not in loaded


def test_loading_every_plugin_imports_nothing_heavy(root: Path, fresh: Callable[[str], str]) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = list(project["entry-points"]["robustbench_rs"].values())
    assert len(names) > 20
    code = f"import importlib\nfor name in {names}: importlib.import_module(name)\n{LISTED}"
    loaded = fresh(code).split()
    assert "robustbench_rs_plugins" in loaded
    assert [name for name in HEAVY if name in loaded] == []


@pytest.mark.parametrize("module", ["robustbench_rs", "robustbench_rs.api", "robustbench_rs.evaluation"])
def test_importing_what_users_import_is_light(module: str, fresh: Callable[[str], str]) -> None:
    loaded = fresh(f"import {module}; {LISTED}").split()
    assert [name for name in HEAVY if name in loaded] == []


def test_import_contracts_hold(root: Path) -> None:
    command = shutil.which("lint-imports", path=str(Path(sys.executable).parent)) or "lint-imports"
    done = subprocess.run([command, "--no-cache"], cwd=root, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def environment_reads(tree: ast.AST) -> Iterator[int]:
    """Lines that name ``os.environ`` or ``os.getenv``, however imported."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Attribute):
            names = [node.attr]
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            names = [alias.name for alias in node.names]
        if {"environ", "environb", "getenv", "putenv"} & set(names):
            yield node.lineno


def test_only_the_command_line_reads_the_environment(root: Path) -> None:
    readers = {
        f"{file.relative_to(root)}:{line}"
        for folder in ("robustbench_rs", "plugins")
        for file in (root / folder).rglob("*.py")
        if "cli" not in file.relative_to(root).parts
        for line in environment_reads(ast.parse(file.read_text(encoding="utf-8")))
    }
    assert readers == set()


def test_the_search_for_environment_reads_finds_them() -> None:
    for code in ("import os\nos.environ['X']", "from os import getenv", "import os as o\no.getenv('X')"):
        assert list(environment_reads(ast.parse(code)))


def test_no_main_module_that_would_put_the_working_directory_on_the_path(root: Path) -> None:
    assert list((root / "robustbench_rs").rglob("__main__.py")) == []
