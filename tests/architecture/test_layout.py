"""The house rules that a program can check: small files, annotated functions, postponed annotations."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

MAX_FILE, MAX_FUNCTION = 400, 60


def sources(root: Path) -> list[Path]:
    return sorted([*(root / "robustbench_rs").rglob("*.py"), *(root / "plugins").rglob("*.py")])


def test_files_are_small(root: Path) -> None:
    assert {
        str(f.relative_to(root)): n for f in sources(root) if (n := len(f.read_text().splitlines())) > MAX_FILE
    } == {}


def test_functions_are_small_and_annotated(root: Path) -> None:
    long, bare = [], []
    for file in sources(root):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            where = f"{file.relative_to(root)}:{node.lineno} {node.name}"
            if (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION:
                long.append(where)
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            if node.returns is None or any(a.annotation is None for a in arguments if a.arg not in ("self", "cls")):
                bare.append(where)
    assert (long, bare) == ([], [])


@pytest.mark.parametrize("folder", ["robustbench_rs", "plugins"])
def test_annotations_are_postponed(root: Path, folder: str) -> None:
    wrong = []
    for file in sorted((root / folder).rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if not any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body):
            continue
        futures = [n for n in tree.body if isinstance(n, ast.ImportFrom) and n.module == "__future__"]
        if not any(alias.name == "annotations" for node in futures for alias in node.names):
            wrong.append(str(file.relative_to(root)))
    assert wrong == []
