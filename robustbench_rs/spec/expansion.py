"""A spec with every sweep written out: the defenses of an evaluation, the noises of a validation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from robustbench_rs.api import Directory
from robustbench_rs.errors import Problem, did_you_mean, shorten
from robustbench_rs.spec.nodes import ListNode, MapNode, Node, ScalarNode, plain
from robustbench_rs.spec.placeholders import Placeholders
from robustbench_rs.spec.schema import Defense, Spec
from robustbench_rs.spec.shapes import Shape, model_fields
from robustbench_rs.spec.sweeps import MAX_POINTS, Expansion, Variant

POINT = "point"
NOISE = {"noise": Shape(kind="noise")}
LATER_DEFENSE_KEYS = ("restoration",)


@dataclass(frozen=True)
class Expanded:
    """``root``: the spec without sweeps, every node still knowing its original place. ``points``: per defense."""

    root: MapNode
    points: list[dict[str, Any]]

    def plain(self) -> dict[str, Any]:
        """What :class:`Spec` validates."""
        values: dict[str, Any] = {key: plain(node) for key, node in self.root.entries.items()}
        for index, point in enumerate(self.points):
            defense = values["defenses"][index]
            if isinstance(defense, dict):
                defense[POINT] = point
        return values


def expand_defenses(root: MapNode, directory: Directory, problems: list[Problem]) -> Expanded:
    """Sweeps expanded and paths filled in. What does not look like defenses is left for validation to refuse."""
    placeholders = Placeholders(directory, problems)
    if "dataset" in root.entries:
        filled = placeholders.fill(replace(root, entries={"dataset": root.entries["dataset"]}), model_fields(Spec))
        root = replace(root, entries={**root.entries, **filled.entries})
    defenses = root.entries.get("defenses")
    if not isinstance(defenses, ListNode):
        return Expanded(root, [])
    _refuse_repeated_names(defenses, problems)
    variants = [
        variant for item in defenses.items for variant in _variants(item, placeholders, Expansion(directory, problems))
    ]
    if len(variants) > MAX_POINTS:
        problems.append(defenses.problem(f"all sweeps together make more than {MAX_POINTS:,} settings"))
        variants = variants[:MAX_POINTS]
    expanded = replace(defenses, items=tuple(variant.node for variant in variants))
    return Expanded(
        replace(root, entries={**root.entries, "defenses": expanded}), [dict(variant.point) for variant in variants]
    )


def expand_validation(root: MapNode, directory: Directory, problems: list[Problem]) -> Expanded:
    """Sweeps of ``validation.noises`` expanded, as below a defense's ``noise``; the points need no names."""
    section = root.entries.get("validation")
    noises = section.entries.get("noises") if isinstance(section, MapNode) else None
    if not isinstance(section, MapNode) or not isinstance(noises, ListNode):
        return Expanded(root, [])
    placeholders = Placeholders(directory, problems)
    expansion = Expansion(directory, problems)
    swept = [
        placeholders.fill(variant.node, NOISE).entries["noise"]
        for item in noises.items
        for variant in expansion.defense(MapNode(item.mark, {"noise": item}), NOISE)
        if isinstance(variant.node, MapNode)
    ]
    if len(swept) > MAX_POINTS:
        problems.append(noises.problem(f"all sweeps together make more than {MAX_POINTS:,} noises"))
        swept = swept[:MAX_POINTS]
    section = replace(section, entries={**section.entries, "noises": replace(noises, items=tuple(swept))})
    return Expanded(replace(root, entries={**root.entries, "validation": section}), [])


def _variants(node: Node, placeholders: Placeholders, expansion: Expansion) -> list[Variant]:
    if not isinstance(node, MapNode):
        return [Variant(node)]
    shapes = model_fields(Defense)
    del shapes[POINT]
    node = _without_foreign_keys(node, list(shapes), expansion.problems)
    return [
        replace(variant, node=placeholders.fill(variant.node, shapes))
        for variant in expansion.defense(node, shapes)
        if isinstance(variant.node, MapNode)
    ]


def _without_foreign_keys(node: MapNode, known: list[str], problems: list[Problem]) -> MapNode:
    """Without ``point``, which only the expansion writes, and without what later versions bring."""
    for key in (POINT, *LATER_DEFENSE_KEYS):
        if key in node.entries:
            unknown = f"unknown key {shorten(key)}{did_you_mean(key, known)}"
            message = unknown if key == POINT else f"{key!r} is not available in this version"
            problems.append(node.entries[key].problem(message))
    kept = {key: value for key, value in node.entries.items() if key not in (POINT, *LATER_DEFENSE_KEYS)}
    return replace(node, entries=kept)


def _refuse_repeated_names(defenses: ListNode, problems: list[Problem]) -> None:
    first: dict[str, Node] = {}
    for item in defenses.items:
        name = item.entries.get("name") if isinstance(item, MapNode) else None
        if not isinstance(name, ScalarNode) or not isinstance(name.value, str):
            continue
        if name.value in first:
            line = first[name.value].mark.line
            where = f" (first on line {line})" if line is not None else ""
            problems.append(
                name.problem(f"another defense is called {shorten(name.value)} too{where}; names are unique")
            )
        first.setdefault(name.value, name)
