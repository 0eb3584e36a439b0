"""YAML text -> tree of nodes with file and line.

Stricter than plain YAML: duplicate keys, unknown tags, deep nesting and alias bombs are errors, and the scalars are
those of YAML 1.2's core schema (``no`` is text, ``1e-3`` is a number).
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from robustbench_rs.errors import Problem, SpecError, shorten
from robustbench_rs.spec.nodes import MAX_DEPTH, ListNode, MapNode, Mark, Node, Scalar, ScalarNode, Source

MAX_ALIAS_NODES = 1_000
MAX_BYTES = 1 << 20

_TAG = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """Composes nodes, never constructs objects; scalars are resolved as in YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """As in PyYAML, but refuses what would recurse too deep, before it does."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem=f"nested more than {MAX_DEPTH} deep",
                problem_mark=self.peek_event().start_mark,  # type: ignore[no-untyped-call]
            )
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


for _name, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+(_[0-9]+)*", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(_[0-9]+)*(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+0123456789."),
    ),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(f"^(?:{_pattern})$"), _first)


def read_nodes(path: Path, problems: list[Problem]) -> MapNode:
    """The tree of a spec file. What can be reported and passed over (duplicate keys) is added to ``problems``.

    Raises :class:`SpecError` for a file that cannot be read, is not UTF-8 text, not YAML, or not a map.
    """
    source = Source(path, path.absolute().parent)
    root = parse_text(_decode(path), source, problems)
    if not isinstance(root, MapNode):
        found = "a list" if isinstance(root, ListNode) else "a single value" if root is not None else "empty"
        raise SpecError([Problem(f"a spec is a map of keys and values; this file is {found}", file=path, line=1)])
    return root


def parse_text(text: str, source: Source, problems: list[Problem]) -> Node | None:
    """The tree of a YAML text, None for an empty one. Raises :class:`SpecError` for a syntax error."""
    try:
        loader = _Loader(text)
        composed = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = source.line(mark.line) if mark is not None else None
        raise SpecError([Problem(f"not valid YAML: {_explain(error)}", file=source.label, line=line)]) from None
    except yaml.reader.ReaderError as error:
        line = source.line(text.count("\n", 0, error.position))
        message = f"not text: it holds the control character {shorten(chr(error.character))}"
        raise SpecError([Problem(message, file=source.label, line=line)]) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise SpecError([Problem(f"not valid YAML: {error}", file=source.label)]) from None
    return None if composed is None else _Conversion(source, problems).convert(composed, composed.start_mark)


class _Conversion:
    """From PyYAML's nodes (a graph: aliases share nodes) to our tree."""

    def __init__(self, source: Source, problems: list[Problem]) -> None:
        self._source = source
        self._problems = problems
        self._keys: list[str] = []
        self._seen: set[int] = set()
        self._alias_nodes = 0
        self._alias_line = 0

    def convert(self, node: yaml.Node, mark: yaml.Mark, *, aliased: bool = False) -> Node:
        """``mark``: of the key for a value in a map, so that errors name the line where people look."""
        if not aliased and id(node) in self._seen:
            aliased, self._alias_line = True, mark.line
        self._seen.add(id(node))
        self._alias_nodes += aliased
        if self._alias_nodes > MAX_ALIAS_NODES:
            raise self._fatal(f"aliases expand to more than {MAX_ALIAS_NODES:,} nodes", self._alias_line)
        if len(self._keys) >= MAX_DEPTH:
            raise self._fatal(f"nested more than {MAX_DEPTH} deep", mark.line)
        here = Mark(self._source, self._source.line(mark.line))
        if isinstance(node, yaml.MappingNode) and self._known(node, "map"):
            return MapNode(here, self._entries(node, aliased=aliased))
        if isinstance(node, yaml.SequenceNode) and self._known(node, "seq"):
            return ListNode(here, self._items(node, mark, aliased=aliased))
        if isinstance(node, yaml.ScalarNode) and self._known(node, "str", "null", "bool", "int", "float"):
            return ScalarNode(here, _scalar(node))
        return ScalarNode(here, None)

    def _items(self, node: yaml.SequenceNode, mark: yaml.Mark, *, aliased: bool) -> tuple[Node, ...]:
        items = []
        for index, item in enumerate(node.value):
            # An alias has no mark of its own, only that of its anchor.
            own = mark if id(item) in self._seen else item.start_mark
            items.append(self._below(str(index), item, own, aliased=aliased))
        return tuple(items)

    def _entries(self, node: yaml.MappingNode, *, aliased: bool) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for key_node, value_node in node.value:
            key, line = key_node.value, key_node.start_mark.line
            if not isinstance(key_node, yaml.ScalarNode) or not isinstance(key, str):
                self._problems.append(self._problem("a key must be text, not a list or map", line))
            elif key in entries:
                first = entries[key].mark.line
                where = f" (first on line {first})" if first is not None else ""
                self._problems.append(self._problem(f"appears twice{where}; remove one", line, key))
            else:
                entries[key] = self._below(key, value_node, key_node.start_mark, aliased=aliased)
        return entries

    def _below(self, key: str, node: yaml.Node, mark: yaml.Mark, *, aliased: bool) -> Node:
        self._keys.append(key)
        try:
            return self.convert(node, mark, aliased=aliased)
        finally:
            self._keys.pop()

    def _known(self, node: yaml.Node, *kinds: str) -> bool:
        known = node.tag in [_TAG + kind for kind in kinds]
        if not known:
            message = f"tag {shorten(node.tag)} is not allowed in a spec"
            self._problems.append(self._problem(message, node.start_mark.line))
        return known

    def _fatal(self, message: str, line: int) -> SpecError:
        return SpecError([replace(self._problem(message, line), key_path="")])

    def _problem(self, message: str, line: int, *keys: str) -> Problem:
        return Problem(message, ".".join([*self._keys, *keys]), self._source.label, self._source.line(line))


def _decode(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else (error.strerror or str(error))
        raise SpecError([Problem(reason, file=path)]) from None
    if len(data) > MAX_BYTES:
        raise SpecError([Problem(f"larger than {MAX_BYTES:,} bytes: this is no spec", file=path)])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = (
            f"not UTF-8 text (byte 0x{data[error.start]:02x} at offset {error.start:,}): a spec is a YAML text file"
        )
        raise SpecError([Problem(message, file=path, line=data.count(b"\n", 0, error.start) + 1)]) from None


def _scalar(node: yaml.ScalarNode) -> Scalar:
    text, kind = str(node.value), node.tag.removeprefix(_TAG)
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        return text
    return {"null": None, "bool": text.lower() == "true"}.get(kind, text)


def _explain(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's words in one line; its line numbers stand in the problem's own place."""
    text = ", ".join(part for part in (error.context, error.problem) if part)
    hint = "; indent with spaces, not tabs" if r"'\t'" in text else ""
    return " ".join(text.split()) + hint
