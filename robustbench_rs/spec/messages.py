"""Pydantic's errors, said for people and put where the user wrote the mistake."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from robustbench_rs.api import Directory
from robustbench_rs.errors import Problem, did_you_mean, shorten
from robustbench_rs.spec.nodes import ListNode, Node, child
from robustbench_rs.spec.schema import Spec
from robustbench_rs.spec.shapes import Shape, child_shape, known_keys

_Place: TypeAlias = tuple[str, Path | None, int | None]

PLUGIN_HINT = "if a plugin file has it, load that with -p FILE; if a package, install that"

_EXPECTED: Mapping[str, str] = {
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "path_type": "must be a path",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "dict_type": "must be a map",
    "model_type": "must be a map",
    "model_attributes_type": "must be a map",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
}
_COUNTED: Mapping[str, str] = {
    "too_short": "must have at least {min_length} entries, not {actual_length}",
    "too_long": "must have at most {max_length} entries, not {actual_length}",
}


def problems_of(
    error: ValidationError, tree: Node, shape: Shape, directory: Directory, *, missing_keys: bool = True
) -> list[Problem]:
    """One problem per mistake, each at the node of ``tree`` that pydantic's location names.

    What several members of a union say about one value becomes one problem. ``missing_keys``: False leaves out that a
    key is missing (because a file could not be included, say).
    """
    found: dict[_Place, list[str]] = defaultdict(list)
    of_unions: set[_Place] = set()
    for details in error.errors(include_url=False):
        if details["type"] == "missing" and not missing_keys:
            continue
        spot, message = _explain(details, tree, shape, directory)
        if details["type"] == "too_short" and _is_long_enough(spot.node, details):
            continue
        problem = spot.node.problem(message, *spot.unstated)
        place = (problem.key_path, problem.file, problem.line)
        found[place].append(message)
        if spot.of_union:
            of_unions.add(place)
    return [
        Problem("; or ".join(dict.fromkeys(messages)), *place)
        for place, messages in found.items()
        if not (place in of_unions and any(key_path.startswith(f"{place[0]}.") for key_path, _, _ in of_unions))
    ]


@dataclass(frozen=True)
class _Spot:
    """Where a location leads: a node, its shape, and keys below it that the file does not state.

    ``of_union``: it names a member of a union, which is no key.
    """

    node: Node
    shape: Shape
    unstated: tuple[str, ...] = ()
    of_union: bool = False


def _explain(details: ErrorDetails, tree: Node, shape: Shape, directory: Directory) -> tuple[_Spot, str]:
    location, kind = details["loc"], details["type"]
    if kind not in ("extra_forbidden", "missing"):
        return _descend(location, tree, shape, directory), _message(details)
    key, parent = str(location[-1]), _descend(location[:-1], tree, shape, directory)
    if kind == "missing":
        hint = "" if key != "defenses" else " (a spec has either 'defenses' or 'validation')"
        return replace(parent, unstated=(*parent.unstated, key)), f"is required but missing{hint}"
    unknown = _unknown_key(key, parent.node, parent.shape, directory)
    return replace(parent, node=child(parent.node, key) or parent.node), unknown


def _descend(location: Iterable[int | str], tree: Node, shape: Shape, directory: Directory) -> _Spot:
    spot = _Spot(tree, shape)
    for key in location:
        below = child(spot.node, key)
        if below is not None and not spot.unstated:
            spot = replace(spot, node=below, shape=child_shape(spot.shape, spot.node, key, directory))
        elif spot.unstated or str(key) in (known_keys(spot.shape, spot.node, directory) or {}):
            spot = replace(spot, unstated=(*spot.unstated, str(key)))
        else:
            spot = replace(spot, of_union=True)
    return spot


def _is_long_enough(node: Node, details: ErrorDetails) -> bool:
    """Pydantic does not count the invalid entries, each of which has its own error."""
    return isinstance(node, ListNode) and len(node.items) >= details["ctx"]["min_length"]


def _unknown_key(key: str, parent: Node, shape: Shape, directory: Directory) -> str:
    if key == "<<":
        return "merge keys '<<' are not supported; use 'include', or write the keys out"
    known = list(known_keys(shape, parent, directory) or {})
    if shape.model is Spec:
        known.append("validation")
    return f"unknown key {shorten(key)}{did_you_mean(key, known)}"


def _message(details: ErrorDetails) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind in _EXPECTED:
        hint = _hint(kind, details["input"], context)
        return f"{_filled(_EXPECTED[kind], context)}, not {shorten(details['input'])}{hint}"
    if kind in _COUNTED:
        return _filled(_COUNTED[kind], context).replace("at least 1 entries", "at least 1 entry")
    if kind == "component":
        return _component(details["msg"], details["input"])
    if kind == "component_failed":
        return details["msg"]
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", details["msg"]))
    return f"{details['msg'][:1].lower()}{details['msg'][1:]}, not {shorten(details['input'])}"


def _filled(template: str, context: Mapping[str, Any]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: _bound(context.get(match.group(1))), template)


def _bound(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _hint(kind: str, value: object, context: Mapping[str, Any]) -> str:
    if kind == "string_type" and isinstance(value, bool | int | float):
        return "; put it in quotes"
    if kind == "literal_error" and isinstance(value, str):
        hint = did_you_mean(value, re.findall(r"'([^']*)'", str(context.get("expected"))))
        return hint if "did you mean" in hint else ""
    return ""


def _component(message: str, value: object) -> str:
    """What the registry said, and how to get a component that it does not have."""
    named = value.get("name") if isinstance(value, dict) else value
    if not isinstance(named, str):
        return f"{message}; got {shorten(value)}"
    return message if "-p FILE" in message else f"{message} ({PLUGIN_HINT})"
