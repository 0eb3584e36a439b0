"""The checked scalars that a spec is made of."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from robustbench_rs.errors import shorten

MAX_NAME = 100
_NAME = re.compile(r"\w([\w. -]*[\w-])?")

Scalar: TypeAlias = str | int | float | bool | None


def _directory_name(name: str) -> str:
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise ValueError(
            f"{shorten(name)} cannot name a directory: use letters, digits, '.', '_', '-' and spaces, begin with a "
            f"letter, digit or '_', end with no dot or space, at most {MAX_NAME} characters"
        )
    return name


def _norm(value: object) -> float:
    if isinstance(value, str) and value.lower() in ("inf", ".inf", "infinity"):
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 1:
        raise ValueError(f"a norm is a number of at least 1, or inf, not {shorten(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"a norm of {shorten(value)} is too large; write inf") from None


def _norm_json(norm: float) -> float | str:
    return "inf" if math.isinf(norm) else norm


def refuse_repeated(values: Iterable[Hashable], what: str) -> None:
    """Raise ``ValueError`` when a value comes twice; ``what``: the word for one of them."""
    seen: set[Hashable] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{what} {value} is listed twice; remove one")
        seen.add(value)


Name = Annotated[str, AfterValidator(_directory_name)]
"""Becomes the name of a directory."""

Norm = Annotated[
    float,
    PlainValidator(_norm),
    PlainSerializer(_norm_json, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 1}, {"enum": ["inf"]}]}),
]
"""1, 2, ..., ``math.inf``; written "inf" in JSON."""

Alpha = Annotated[float, Field(gt=0, lt=1)]
Draws = Annotated[int, Field(ge=1, le=2**53)]
Radius = Annotated[float, Field(ge=0)]
