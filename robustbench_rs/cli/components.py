"""One component named by flags: ``--noise laplace --param scale=0.7``, checked and explained like a spec."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from robustbench_rs.api import Choice, ChoiceOf, Component
from robustbench_rs.errors import InputError, Problem, SpecError, shorten
from robustbench_rs.plugins import Registry
from robustbench_rs.spec.fields import Norm
from robustbench_rs.spec.messages import problems_of
from robustbench_rs.spec.nodes import MapNode, Mark, Node, ScalarNode, Source, place, plain
from robustbench_rs.spec.shapes import Shape
from robustbench_rs.spec.yaml_nodes import parse_text

FLAG = Path("--param")


def choose(registry: Registry, kind: str, name: str, params: Sequence[str]) -> Choice[Any]:
    """The component of that kind and name with ``key=value`` parameters (values are YAML).

    Raises :class:`InputError` (``SpecError``) naming every parameter that is wrong.
    """
    try:
        registry.find(kind, name)
    except LookupError as error:
        raise InputError(f"{error.args[0]}; a plugin file is loaded with -p FILE") from None
    tree = place(_tree(name, params))
    adapter: TypeAdapter[Choice[Component]] = TypeAdapter(Annotated[Choice[Component], ChoiceOf(kind)])
    try:
        return adapter.validate_python(plain(tree), context={"directory": registry})
    except ValidationError as error:
        raise SpecError(problems_of(error, tree, Shape(kind=kind), registry)) from None


def _tree(name: str, params: Sequence[str]) -> MapNode:
    source = Source(FLAG, Path.cwd(), has_lines=False)
    problems: list[Problem] = []
    entries: dict[str, Node] = {"name": ScalarNode(Mark(source), name)}
    for text in params:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--param {shorten(text)}: write key=value, such as --param scale=0.7071")
        if key.strip() in entries:
            raise InputError(f"--param {key.strip()!r} is given twice (or is the name): give it once")
        entries[key.strip()] = parse_text(value, source, problems) or ScalarNode(Mark(source), None)
    if problems:
        raise SpecError(problems)
    return MapNode(Mark(source), entries)


def parse_norm(text: str) -> float:
    """``1``, ``2``, ..., ``inf`` of a flag, as in a spec. Raises :class:`InputError`."""
    try:
        number: float | str = float(text)
    except ValueError:
        number = text
    try:
        return TypeAdapter(Norm).validate_python("inf" if number == float("inf") else number)
    except ValidationError:
        raise InputError(f"--norm {shorten(text)}: a norm is a number of at least 1, or inf") from None
