"""Claims of every component, whatever its kind."""

from __future__ import annotations

import inspect
import re

from robustbench_rs.api import Component, Params
from robustbench_rs.testing.result import Check

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def _name(cls: type[Component]) -> str | None:
    name = getattr(cls, "name", None)
    if isinstance(name, str) and NAME.fullmatch(name):
        return None
    return f"name = {name!r} is not made of small letters, digits and hyphens"


def _complete(cls: type[Component]) -> str | None:
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    return f"does not implement {', '.join(missing)}" if missing else None


def _documented(cls: type[Component]) -> str | None:
    return None if inspect.cleandoc(cls.__doc__ or "").strip() else "has no docstring: `plugins show` prints it"


def _strict(cls: type[Component]) -> str | None:
    if not (isinstance(cls.Params, type) and issubclass(cls.Params, Params)):
        return "Params is not a subclass of robustbench_rs.api.Params"
    config = cls.Params.model_config
    if config.get("frozen") is not True or config.get("extra") != "forbid":
        return "Params must stay frozen, with extra='forbid'"
    return None


def _schema(cls: type[Component]) -> str | None:
    cls.Params.model_json_schema()
    return None


CHECKS: dict[str, Check[type[Component]]] = {
    "name": _name,
    "complete": _complete,
    "docstring": _documented,
    "strict parameters": _strict,
    "parameters have a JSON Schema": _schema,
}
