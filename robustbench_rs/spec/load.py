"""From a spec file (or a Python mapping) to a :class:`Spec`, or to all of its errors at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from robustbench_rs.api import Directory
from robustbench_rs.errors import Problem, SpecError
from robustbench_rs.plugins.registry import KINDS
from robustbench_rs.spec.expansion import Expanded, expand_defenses, expand_validation
from robustbench_rs.spec.include import Includes
from robustbench_rs.spec.messages import problems_of
from robustbench_rs.spec.nodes import ListNode, MapNode, Node, ScalarNode, Source, from_python, place
from robustbench_rs.spec.overrides import apply_settings
from robustbench_rs.spec.schema import Document, Spec
from robustbench_rs.spec.shapes import Shape, child_shape
from robustbench_rs.spec.validation import ValidationSpec
from robustbench_rs.spec.variables import replace_data

VALIDATION = "validation"
LATER_KEYS = ("attacks",)
D = TypeVar("D", bound=Document)


def load_spec(
    path: Path, directory: Directory, *, settings: Sequence[str] = (), data: Path | None = None
) -> Spec | ValidationSpec:
    """The spec of a YAML file.

    ``settings``: ``key.path=value``, applied last, their paths relative to the working directory. ``data``: what
    ``${data}`` stands for. Nothing is imported or run because a spec says so.

    Raises :class:`SpecError` with every problem of the file, each with its file, line and key path.
    """
    includes = Includes()
    root = includes.read(path)
    root = apply_settings(root, settings, Path.cwd(), includes.problems)
    return _build(root, directory, data, includes)


def spec_from_mapping(
    mapping: Mapping[str, Any], directory: Directory, *, folder: Path, data: Path | None = None
) -> Spec | ValidationSpec:
    """The spec of a Python mapping with the keys of a spec file; paths are relative to ``folder``.

    Raises :class:`SpecError` as :func:`load_spec` does, without files and lines.
    """
    includes = Includes()
    root = from_python(mapping, Source(None, folder.absolute()), includes.problems)
    assert isinstance(root, MapNode)
    return _build(includes.expand(root), directory, data, includes)


def _build(root: MapNode, directory: Directory, data: Path | None, includes: Includes) -> Spec | ValidationSpec:
    problems = includes.problems
    placed = replace_data(place(root), data, problems)
    assert isinstance(placed, MapNode)
    problems += _requirements(placed, directory)
    known = _without_later_keys(placed, problems)
    complete = not includes.incomplete
    spec: Spec | ValidationSpec | None
    if VALIDATION in known.entries:
        expanded = expand_validation(_without_evaluation(known, problems), directory, problems)
        spec = _validated(ValidationSpec, expanded, directory, problems, complete=complete)
    else:
        expanded = expand_defenses(known, directory, problems)
        spec = _validated(Spec, expanded, directory, problems, complete=complete)
    if problems or spec is None:
        raise SpecError(_in_order(problems, root.mark.source.label))
    return spec


def _without_evaluation(root: MapNode, problems: list[Problem]) -> MapNode:
    """A validation, without keys that only an evaluation has; each of those is a problem."""
    foreign = [key for key in Spec.model_fields if key in root.entries and key not in ValidationSpec.model_fields]
    for key in foreign:
        either = "a spec has either 'defenses' or 'validation', not both"
        message = (
            either if key == "defenses" else f"{key!r} does not go with 'validation', which has no model and no data"
        )
        problems.append(root.entries[key].problem(f"{message}; remove one of them"))
    return replace(root, entries={key: node for key, node in root.entries.items() if key not in foreign})


def _validated(
    model: type[D], expanded: Expanded, directory: Directory, problems: list[Problem], *, complete: bool
) -> D | None:
    """The spec; None, and what is wrong in ``problems``. ``complete``: False if keys miss for known reasons."""
    spec, shape = None, Shape(model=model)
    found: list[Problem] = []
    try:
        spec = model.model_validate(expanded.plain(), context={"directory": directory})
    except ValidationError as error:
        found = problems_of(error, expanded.root, shape, directory, missing_keys=complete)
    found += _booleans(expanded.root, shape, directory)
    said = {problem.key_path for problem in problems if problem.key_path}
    problems += [problem for problem in found if problem.key_path not in said]
    return spec


def _booleans(node: Node, shape: Shape, directory: Directory) -> Iterator[Problem]:
    """``true`` where a number belongs: pydantic would take it for 1."""
    if isinstance(node, ScalarNode) and isinstance(node.value, bool) and shape.number and not shape.boolean:
        yield node.problem(f"must be a number, not {str(node.value).lower()}")
    children: Sequence[tuple[object, Node]] = ()
    if isinstance(node, MapNode):
        children = list(node.entries.items())
    elif isinstance(node, ListNode):
        children = list(enumerate(node.items))
    for key, below in children:
        yield from _booleans(below, child_shape(shape, node, key, directory), directory)


def _requirements(root: MapNode, directory: Directory) -> Iterator[Problem]:
    """``requires:`` lists names of components that must have been loaded."""
    wanted = root.entries.get("requires")
    for item in wanted.items if isinstance(wanted, ListNode) else ():
        if isinstance(item, ScalarNode) and isinstance(item.value, str) and not _exists(item.value, directory):
            yield item.problem(
                f"this spec requires {item.value!r}, which no loaded plugin provides; "
                "install the package that has it, or load its file with -p FILE"
            )


def _exists(name: str, directory: Directory) -> bool:
    for kind in KINDS:
        try:
            directory.find(kind, name)
        except LookupError:
            continue
        return True
    return False


def _without_later_keys(root: MapNode, problems: list[Problem]) -> MapNode:
    for key in LATER_KEYS:
        if key in root.entries:
            problems.append(root.entries[key].problem(f"{key!r} is not available in this version"))
    return replace(root, entries={key: node for key, node in root.entries.items() if key not in LATER_KEYS})


def _in_order(problems: Sequence[Problem], main: Path | None) -> list[Problem]:
    """Each problem once, those of the main file first, by line."""
    return sorted(
        dict.fromkeys(problems), key=lambda problem: (problem.file != main, str(problem.file), problem.line or 0)
    )
