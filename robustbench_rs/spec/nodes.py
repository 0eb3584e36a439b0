"""A spec as a tree whose every node knows where it was written.

Files, ``--set`` and Python mappings all become such trees; merging, sweeps and error messages work on them, and only
validation turns them into plain values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from robustbench_rs.api import LocatedStr
from robustbench_rs.errors import Problem, shorten

MAX_DEPTH = 50

Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True)
class Source:
    """What stated a node: ``label``, a file or a flag (None: a Python mapping). Paths are relative to ``folder``."""

    label: Path | None
    folder: Path
    has_lines: bool = True

    def line(self, index: int) -> int | None:
        """Line number for people of the line ``index`` (from 0); None where lines mean nothing, as in a flag."""
        return index + 1 if self.has_lines else None


@dataclass(frozen=True)
class Mark:
    """Where a node stands. ``line`` counts from 1; for a value in a map it is the line of its key."""

    source: Source
    line: int | None = None


@dataclass(frozen=True)
class Node:
    """``path``: the keys from the root of the merged spec, before sweeps are expanded (set by :func:`place`)."""

    mark: Mark
    path: tuple[str, ...] = field(default=(), kw_only=True)

    def problem(self, message: str, *keys: str) -> Problem:
        """A problem with this node, or with the key below it that ``keys`` names."""
        return Problem(message, ".".join(self.path + keys), self.mark.source.label, self.mark.line)


@dataclass(frozen=True)
class ScalarNode(Node):
    value: Scalar


@dataclass(frozen=True)
class ListNode(Node):
    items: tuple[Node, ...]


@dataclass(frozen=True)
class MapNode(Node):
    entries: Mapping[str, Node]


def child(node: Node, key: object) -> Node | None:
    """The node under a map's key or a list's index (int, or its text); None when there is none."""
    if isinstance(node, MapNode):
        return node.entries.get(str(key))
    if isinstance(node, ListNode) and str(key).isascii() and str(key).isdigit() and int(str(key)) < len(node.items):
        return node.items[int(str(key))]
    return None


def place(node: Node, path: tuple[str, ...] = ()) -> Node:
    """The same tree, every node with its ``path``."""
    if isinstance(node, MapNode):
        entries = {key: place(value, (*path, key)) for key, value in node.entries.items()}
        return replace(node, entries=entries, path=path)
    if isinstance(node, ListNode):
        return replace(node, items=tuple(place(item, (*path, str(i))) for i, item in enumerate(node.items)), path=path)
    return replace(node, path=path)


def map_strings(node: Node, change: Callable[[ScalarNode, str], ScalarNode]) -> Node:
    """The same tree with every string scalar replaced by ``change(scalar, its text)``."""
    if isinstance(node, MapNode):
        return replace(node, entries={key: map_strings(value, change) for key, value in node.entries.items()})
    if isinstance(node, ListNode):
        return replace(node, items=tuple(map_strings(item, change) for item in node.items))
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return change(node, node.value)
    return node


def plain(node: Node) -> object:
    """Plain dicts, lists and scalars; strings are :class:`LocatedStr`, so that paths resolve."""
    if isinstance(node, MapNode):
        return {key: plain(value) for key, value in node.entries.items()}
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    assert isinstance(node, ScalarNode)
    return LocatedStr(node.value, node.mark.source.folder) if isinstance(node.value, str) else node.value


def from_python(value: object, source: Source, problems: list[Problem], path: tuple[str, ...] = ()) -> Node:
    """The tree of a Python value; what is no map, list, path or scalar is added to ``problems`` and becomes null."""
    mark = Mark(source)
    if len(path) >= MAX_DEPTH:
        problems.append(Problem(f"nested more than {MAX_DEPTH} deep", path[0]))
        return ScalarNode(mark, None)
    if isinstance(value, Mapping):
        entries = {str(key): from_python(item, source, problems, (*path, str(key))) for key, item in value.items()}
        return MapNode(mark, entries)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        items = [from_python(item, source, problems, (*path, str(index))) for index, item in enumerate(value)]
        return ListNode(mark, tuple(items))
    if isinstance(value, Path):
        return ScalarNode(mark, str(value))
    if value is None or isinstance(value, str | bool | int | float):
        return ScalarNode(mark, value)
    problems.append(Problem(f"must be a map, list, text, number or true/false, not {shorten(value)}", ".".join(path)))
    return ScalarNode(mark, None)
