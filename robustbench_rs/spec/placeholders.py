"""``{sigma}`` in a path parameter: the plain text of that parameter's value, so that one path serves a whole sweep."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from robustbench_rs.api import Directory
from robustbench_rs.errors import Problem, did_you_mean, shorten
from robustbench_rs.spec.nodes import ListNode, MapNode, Node, Scalar, ScalarNode
from robustbench_rs.spec.shapes import Shape, child_shape, component_of, known_keys

_PLACEHOLDER = re.compile(r"(?<!\$)\{([A-Za-z_][\w.-]*)(?::\.([0-9])f)?\}")
_LEFT_TO_DATASETS = frozenset({"split"})


@dataclass(frozen=True)
class _Scope:
    """The names that a path may use. ``complete``: False when a component is unknown, so that more names may exist."""

    values: Mapping[str, Scalar]
    complete: bool
    in_dataset: bool = False


@dataclass(frozen=True)
class Placeholders:
    """Replaces ``{name}`` and ``{name:.2f}`` in the paths of one expanded defense, or of the data set."""

    directory: Directory
    problems: list[Problem]

    def fill(self, root: MapNode, shapes: Mapping[str, Shape]) -> MapNode:
        """``root`` with its paths filled in; names come from its noise, then from its model, outermost first."""
        values: dict[str, Scalar] = {}
        stated = [key for key in ("noise", "model") if key in root.entries]
        for key in stated:
            named = self._scalars(root.entries[key], shapes[key], (key,))
            for keys, value in sorted(named, key=lambda pair: len(pair[0])):
                values.setdefault(keys[-1], value)
                values[".".join(keys)] = value
        found = [component_of(shapes[key], root.entries[key], self.directory) for key in stated]
        scope = _Scope(values, complete=None not in found)
        known = {key: node for key, node in root.entries.items() if key in shapes}
        filled = {key: self._filled(node, shapes[key], scope) for key, node in known.items()}
        return replace(root, entries={**root.entries, **filled})

    def _scalars(self, node: Node, shape: Shape, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Scalar]]:
        """Every scalar parameter below a component, stated or by default, except paths."""
        if isinstance(node, ScalarNode) and shape.kind is None:
            if not shape.path and node.value is not None:
                yield keys, node.value
            return
        yield from self._defaults(node, shape, keys)
        if isinstance(node, MapNode):
            for key, value in node.entries.items():
                if not (key == "name" and shape.kind is not None):
                    yield from self._scalars(value, child_shape(shape, node, key, self.directory), (*keys, key))
        elif isinstance(node, ListNode) and shape.items is not None and shape.items.kind is not None:
            for index, item in enumerate(node.items):
                yield from self._scalars(item, shape.items, (*keys, str(index)))

    def _defaults(self, node: Node, shape: Shape, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Scalar]]:
        component = component_of(shape, node, self.directory)
        if component is None:
            return
        stated = node.entries if isinstance(node, MapNode) else {}
        for key, field in component.Params.model_fields.items():
            if key not in stated and isinstance(field.default, str | bool | int | float):
                yield (*keys, key), field.default

    def _filled(self, node: Node, shape: Shape, scope: _Scope) -> Node:
        if shape.kind == "dataset":
            scope = replace(scope, in_dataset=True)
        if isinstance(node, MapNode):
            keys = known_keys(shape, node, self.directory) or {}
            known = {key: value for key, value in node.entries.items() if key in keys}
            filled = {key: self._filled(value, keys[key], scope) for key, value in known.items()}
            return replace(node, entries={**node.entries, **filled})
        if isinstance(node, ListNode) and shape.items is not None:
            return replace(node, items=tuple(self._filled(item, shape.items, scope) for item in node.items))
        if isinstance(node, ScalarNode) and isinstance(node.value, str) and shape.path:
            return replace(node, value=self._text(node, node.value, scope))
        return node

    def _text(self, node: Node, text: str, scope: _Scope) -> str:
        def change(match: re.Match[str]) -> str:
            name, digits = match.groups()
            if scope.in_dataset and name in _LEFT_TO_DATASETS:
                return match.group()
            if name in scope.values:
                return _plain_text(scope.values[name], digits)
            if scope.complete:
                known = did_you_mean(name, [key for key in scope.values if "." not in key])
                self.problems.append(node.problem(f"no parameter {name!r} here to replace {shorten(text)} with{known}"))
            return match.group()

        return _PLACEHOLDER.sub(change, text)


def _plain_text(value: Scalar, digits: str | None) -> str:
    """``0.25`` -> "0.25", with digits 3 -> "0.250"; ``true`` as in YAML; text as it is."""
    if isinstance(value, bool):
        return str(value).lower()
    if digits is not None and isinstance(value, int | float):
        return f"{value:.{digits}f}"
    return str(value)
