"""Sweeps: a list where a parameter is a scalar (always: ``{sweep: [...]}``) stands for one setting per value.

Sweeps multiply inside one defense, at any depth of its model and its noise.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from robustbench_rs.api import Directory
from robustbench_rs.errors import Problem
from robustbench_rs.spec.nodes import ListNode, MapNode, Node, Scalar, ScalarNode, plain
from robustbench_rs.spec.shapes import ANYTHING, Shape, known_keys

MAX_POINTS = 1_000
SWEEP = "sweep"


@dataclass(frozen=True)
class Variant:
    """One point of a sweep: the tree without sweeps, and the values chosen, by key path (``noise.sigma``)."""

    node: Node
    point: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class Expansion:
    """Expands sweeps below a defense. ``problems`` collects empty, repeated and too many values."""

    directory: Directory
    problems: list[Problem]

    def defense(self, node: MapNode, shapes: Mapping[str, Shape]) -> list[Variant]:
        """All points of one defense; ``shapes``: its keys, of which those of components may sweep."""
        parts = {
            key: self._expand(value, shapes[key], key)
            for key, value in node.entries.items()
            if key in shapes and shapes[key].kind is not None
        }
        return self._product(node, node.entries, parts)

    def _expand(self, node: Node, shape: Shape, path: str) -> list[Variant]:
        values = _sweep_values(node, shape)
        if values is None:
            return self._expand_value(node, shape, path)
        if not values:
            self.problems.append(node.problem("a sweep needs at least one value"))
            return [Variant(node)]
        self._refuse_repeated(values)
        labels = _labels(values)
        points = [
            Variant(variant.node, {path: label, **variant.point})
            for value, label in zip(values, labels, strict=True)
            for variant in self._expand_value(value, shape, path)
        ]
        return self._capped(node, points)

    def _expand_value(self, node: Node, shape: Shape, path: str) -> list[Variant]:
        if isinstance(node, MapNode):
            keys = known_keys(shape, node, self.directory) or {}
            parts = {
                key: self._expand(value, keys.get(key, ANYTHING), f"{path}.{key}")
                for key, value in node.entries.items()
                if key in keys and key != "name"
            }
            return self._product(node, node.entries, parts)
        if isinstance(node, ListNode) and shape.items is not None:
            items = {str(i): item for i, item in enumerate(node.items)}
            # The parameter is the whole list, so a list in it is no sweep; only {sweep: [...]} is.
            one = replace(shape.items, items=shape.items.items or ANYTHING)
            parts = {i: self._expand(item, one, f"{path}.{i}") for i, item in items.items()}
            return self._product(node, items, parts)
        return [Variant(node)]

    def _product(
        self, node: MapNode | ListNode, entries: Mapping[str, Node], parts: Mapping[str, list[Variant]]
    ) -> list[Variant]:
        """Every combination of the parts' variants, in a copy of ``node``; the last part varies fastest."""
        combinations = itertools.islice(itertools.product(*parts.values()), MAX_POINTS + 1)
        variants = []
        for chosen in combinations:
            replaced = dict(entries) | {key: variant.node for key, variant in zip(parts, chosen, strict=True)}
            point = {key: value for variant in chosen for key, value in variant.point.items()}
            variants.append(Variant(_rebuilt(node, replaced), point))
        return self._capped(node, variants)

    def _capped(self, node: Node, variants: list[Variant]) -> list[Variant]:
        if len(variants) > MAX_POINTS:
            self.problems.append(node.problem(f"its sweeps make more than {MAX_POINTS:,} settings"))
            return variants[:1]
        return variants

    def _refuse_repeated(self, values: Sequence[Node]) -> None:
        seen: list[object] = []
        for value in values:
            if plain(value) in seen:
                self.problems.append(value.problem("stands twice in this sweep; remove one"))
            seen.append(plain(value))


def _sweep_values(node: Node, shape: Shape) -> Sequence[Node] | None:
    """The values of a sweep, None where there is none."""
    if isinstance(node, ListNode):
        return node.items if shape.items is None else None
    if isinstance(node, MapNode) and set(node.entries) == {SWEEP}:
        values = node.entries[SWEEP]
        return values.items if isinstance(values, ListNode) else None
    return None


def _rebuilt(node: MapNode | ListNode, entries: Mapping[str, Node]) -> Node:
    if isinstance(node, MapNode):
        return replace(node, entries=entries)
    return replace(node, items=tuple(entries.values()))


def _labels(values: Sequence[Node]) -> list[Scalar]:
    """What names each value of a sweep: itself, a component's name if that tells them apart, else compact JSON."""
    labels = [_label(value) for value in values]
    if len(set(labels)) == len(labels):
        return labels
    return [value.value if isinstance(value, ScalarNode) else _json(value) for value in values]


def _label(value: Node) -> Scalar:
    if isinstance(value, ScalarNode):
        return value.value
    name = value.entries.get("name") if isinstance(value, MapNode) else None
    return name.value if isinstance(name, ScalarNode) else _json(value)


def _json(value: Node) -> str:
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"))
