"""``--set key.path=value``: the last word on a value; replaces, never merges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from robustbench_rs.errors import Problem, SpecError, shorten
from robustbench_rs.spec.include import KEY as INCLUDE
from robustbench_rs.spec.nodes import ListNode, MapNode, Mark, Node, ScalarNode, Source
from robustbench_rs.spec.yaml_nodes import parse_text

FLAG = Path("--set")


def apply_settings(root: MapNode, settings: Sequence[str], folder: Path, problems: list[Problem]) -> MapNode:
    """``root`` with every ``key.path=value`` applied in order; ``folder``: what paths in values are relative to.

    A value is YAML. A key path names map keys and list positions (from 0); maps on the way are made where missing.
    What cannot be applied is added to ``problems``.
    """
    source = Source(FLAG, folder, has_lines=False)
    for setting in settings:
        try:
            keys, value = _parse(setting, source, problems)
            changed = _assign(root, keys, value, ())
        except SpecError as error:
            problems.extend(error.problems)
            continue
        assert isinstance(changed, MapNode)
        root = changed
    return root


def _parse(setting: str, source: Source, problems: list[Problem]) -> tuple[list[str], Node]:
    path, equals, text = setting.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise _error(f"expected key.path=value, not {shorten(setting)}")
    if keys[0] == INCLUDE:
        raise _error("'include' cannot be set; give the including file instead")
    found: list[Problem] = []
    try:
        value = parse_text(text, source, found)
    except SpecError as error:
        raise SpecError([replace(problem, key_path=".".join(keys)) for problem in error.problems]) from None
    problems += [replace(problem, key_path=".".join(keys)) for problem in found]
    return keys, ScalarNode(Mark(source), None) if value is None else value


def _assign(node: Node | None, keys: Sequence[str], value: Node, done: tuple[str, ...]) -> Node:
    """``node`` with ``value`` at ``keys`` below it; ``done``: the keys from the root to ``node``."""
    if not keys:
        return value
    key, rest = keys[0], keys[1:]
    if node is None or (isinstance(node, ScalarNode) and node.value is None):
        node = MapNode(value.mark, {})
    if isinstance(node, MapNode):
        entry = _assign(node.entries.get(key), rest, value, (*done, key))
        return replace(node, entries={**node.entries, key: entry})
    if isinstance(node, ListNode):
        index = _index(node, key, done)
        item = _assign(node.items[index], rest, value, (*done, key))
        return replace(node, items=(*node.items[:index], item, *node.items[index + 1 :]))
    assert isinstance(node, ScalarNode)
    raise _error(_no_map(node, key, done), *done, *keys)


def _index(node: ListNode, key: str, done: tuple[str, ...]) -> int:
    if not (key.isascii() and key.isdigit()):
        raise _error(f"{'.'.join(done)} is a list: give a position from 0, not {shorten(key)}", *done, key)
    if len(key) > 9 or int(key) >= len(node.items):
        have = f"positions 0 to {len(node.items) - 1}" if node.items else "no entries"
        raise _error(f"the list {'.'.join(done)} has {have}", *done, key)
    return int(key)


def _no_map(node: ScalarNode, key: str, done: tuple[str, ...]) -> str:
    where = ".".join(done)
    text = f"{where} is {shorten(node.value)}, which has no key {shorten(key)}"
    if isinstance(node.value, str):
        text += f"; give the whole map: --set '{where}={{name: {node.value}, {key}: ...}}'"
    return text


def _error(message: str, *keys: str) -> SpecError:
    return SpecError([Problem(message, ".".join(keys), FLAG)])
