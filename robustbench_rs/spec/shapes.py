"""What a parameter model expects where: read off its annotations, to find sweeps, paths and known keys.

This only guides; pydantic decides what is valid.
"""

from __future__ import annotations

import collections.abc
import types
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from robustbench_rs.api import ChoiceOf, Component, Directory
from robustbench_rs.spec.nodes import MapNode, Node, ScalarNode

_LISTS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Set)
_MAPS = (dict, collections.abc.Mapping)


@dataclass(frozen=True)
class Shape:
    """``kind``: a component; ``model``: a map with its fields; ``values``: a map with any keys; ``items``: a list.

    Several may hold at once.
    """

    kind: str | None = None
    model: type[BaseModel] | None = None
    values: Shape | None = None
    items: Shape | None = None
    path: bool = False
    number: bool = False
    boolean: bool = False

    def merged(self, other: Shape) -> Shape:
        return Shape(
            self.kind or other.kind,
            self.model or other.model,
            self.values or other.values,
            self.items or other.items,
            self.path or other.path,
            self.number or other.number,
            self.boolean or other.boolean,
        )


ANYTHING = Shape()
"""A plain scalar, or something of which nothing is known."""


def shape_of(annotation: Any, metadata: Iterable[Any] = ()) -> Shape:
    """The shape that an annotation stands for. ``metadata``: what ``Annotated`` adds to it."""
    for mark in metadata:
        if isinstance(mark, ChoiceOf):
            return Shape(kind=mark.kind)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return shape_of(arguments[0], arguments[1:])
    if origin in (Union, types.UnionType):
        return _union(arguments)
    if origin in _LISTS or annotation in _LISTS:
        return Shape(items=_union(argument for argument in arguments if argument is not Ellipsis))
    if origin in _MAPS or annotation in _MAPS:
        return Shape(values=shape_of(arguments[1]) if arguments else ANYTHING)
    if origin is Literal:
        return Shape(boolean=any(isinstance(argument, bool) for argument in arguments))
    if annotation in (Any, object):
        return Shape(items=ANYTHING, boolean=True)
    return _class_shape(annotation) if isinstance(annotation, type) else ANYTHING


def _union(annotations: Iterable[Any]) -> Shape:
    shape = ANYTHING
    for annotation in annotations:
        shape = shape.merged(shape_of(annotation))
    return shape


def _class_shape(annotation: type) -> Shape:
    if issubclass(annotation, BaseModel):
        return Shape(model=annotation)
    if issubclass(annotation, bool):
        return Shape(boolean=True)
    return Shape(path=issubclass(annotation, Path), number=issubclass(annotation, int | float))


def model_fields(model: type[BaseModel]) -> dict[str, Shape]:
    """Key as written in a spec -> its shape."""
    return {
        field.alias or name: shape_of(field.annotation, field.metadata) for name, field in model.model_fields.items()
    }


def component_of(shape: Shape, node: Node, directory: Directory) -> type[Component] | None:
    """The component that a node names (``name`` or ``{name: ...}``); None when it names none that exists."""
    named = node.entries.get("name") if isinstance(node, MapNode) else node
    if shape.kind is None or not isinstance(named, ScalarNode) or not isinstance(named.value, str):
        return None
    try:
        return directory.find(shape.kind, named.value)
    except LookupError:
        return None


def known_keys(shape: Shape, node: Node, directory: Directory) -> dict[str, Shape] | None:
    """Keys that the map ``node`` may hold, with their shapes; None when that is not known."""
    if shape.kind is not None:
        component = component_of(shape, node, directory)
        return None if component is None else {"name": ANYTHING, **model_fields(component.Params)}
    if shape.values is not None and isinstance(node, MapNode):
        return dict.fromkeys(node.entries, shape.values)
    return None if shape.model is None else model_fields(shape.model)


def child_shape(shape: Shape, node: Node, key: object, directory: Directory) -> Shape:
    """The shape of the value under ``key`` of ``node``."""
    if isinstance(node, MapNode):
        return (known_keys(shape, node, directory) or {}).get(str(key), ANYTHING)
    return shape.items or ANYTHING
