"""What a log was measured with: from ``--log-meta``, else a sidecar, else its name, else the protocol's defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, ValidationError, field_validator

from robustbench_rs.api import Params
from robustbench_rs.errors import Problem, SpecError, did_you_mean, shorten
from robustbench_rs.spec.nodes import MapNode, Node, place, plain
from robustbench_rs.spec.yaml_nodes import read_nodes

UNKNOWN_DATASET = "unknown"
PROTOCOL: Mapping[str, Any] = {
    "dataset": UNKNOWN_DATASET,
    "noise": "gaussian",
    "sigma": None,
    "norm": 2.0,
    "n0": 100,
    "n": 100_000,
    "alpha": 0.001,
}
"""The field's protocol (Cohen et al. 2019); what it cannot know is unknown."""

PUBLISHED_NAME = re.compile(r"(?P<dataset>.+)_noise_\d[\d.]*_sigma_(?P<sigma>\d+(?:\.\d+)?)")
PUBLISHED_LAYOUT = re.compile(r"sigma_(?P<sigma>\d+(?:\.\d+)?)")
"""File name in ``cifar10/resnet110/noise_0.25/test/sigma_0.25``, the folders of Cohen et al. and descendants."""

TEST_SIZES = {
    "cifar10": 10_000,
    "cifar100": 10_000,
    "imagenet": 50_000,
    "mnist": 10_000,
    "fashion-mnist": 10_000,
    "svhn": 26_032,
}


class LogMeta(Params):
    """One entry of a metadata file; what is left out is looked up elsewhere. ``sigma``: standard deviation."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=True)

    dataset: str | None = Field(default=None, min_length=1)
    noise: str | dict[str, Any] | None = None
    sigma: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    norm: float | None = Field(default=None, ge=1)
    n0: int | None = Field(default=None, ge=1)
    n: int | None = Field(default=None, ge=1)
    alpha: float | None = Field(default=None, ge=0, lt=1)

    @field_validator("noise")
    @classmethod
    def _named(cls, noise: str | dict[str, Any] | None) -> str | dict[str, Any] | None:
        if isinstance(noise, dict) and not isinstance(noise.get("name"), str):
            raise ValueError("write a name, or a map with 'name' and the parameters")
        return noise

    def stated(self) -> dict[str, Any]:
        """The keys that are given; the sigma may also stand among the parameters of the noise."""
        inner = self.noise.get("sigma") if isinstance(self.noise, dict) else None
        sigma = {"sigma": float(inner)} if isinstance(inner, int | float) and inner > 0 else {}
        return sigma | self.model_dump(exclude_none=True)


@dataclass(frozen=True)
class Protocol:
    """What a log was measured with, complete. ``assumed``: which of the keys are the protocol's defaults."""

    dataset: str
    noise: str | dict[str, Any]
    sigma: float | None
    norm: float
    n0: int
    n: int
    alpha: float
    assumed: tuple[str, ...]


def complete(given: LogMeta | None, path: Path, stem: str, column_sigma: float | None) -> Protocol:
    """Key by key: ``given`` (from --log-meta), the sidecar, the file name or a column, the default marked assumed."""
    known: dict[str, Any] = {}
    for found in (given, _sidecar(path), _from_name(path, stem), LogMeta(sigma=column_sigma)):
        if found is not None:
            known = found.stated() | known
    assumed = tuple(key for key in PROTOCOL if key not in known and key != "sigma")
    return Protocol(**{**PROTOCOL, **known}, assumed=assumed)


def read_meta_file(path: Path) -> dict[str, LogMeta]:
    """``stem: {dataset, noise, sigma, norm, n0, n, alpha}`` for any number of logs; every key is optional.

    Raises ``SpecError`` with every problem of the file, each with line and key.
    """
    problems: list[Problem] = []
    entries = {stem: _entry(node, (stem,), problems) for stem, node in read_nodes(path, problems).entries.items()}
    if problems:
        raise SpecError(problems)
    return entries


def _sidecar(path: Path) -> LogMeta | None:
    """``LOG.tsv.yaml`` or ``LOG.yaml`` beside the log: the keys of one entry."""
    problems: list[Problem] = []
    for candidate in (path.with_name(f"{path.name}.yaml"), path.with_suffix(".yaml")):
        if candidate != path and candidate.is_file():
            entry = _entry(read_nodes(candidate, problems), (), problems)
            if problems:
                raise SpecError(problems)
            return entry
    return None


def _from_name(path: Path, stem: str) -> LogMeta | None:
    if match := PUBLISHED_NAME.fullmatch(stem):
        return LogMeta(dataset=match["dataset"], sigma=float(match["sigma"]) or None)
    if match := PUBLISHED_LAYOUT.fullmatch(stem):
        dataset = next((part for part in reversed(path.absolute().parts) if part in TEST_SIZES), None)
        return LogMeta(dataset=dataset, sigma=float(match["sigma"]) or None)
    return None


def _entry(node: Node, keys: tuple[str, ...], problems: list[Problem]) -> LogMeta:
    """The entry as far as it is right; what is wrong with it is added to ``problems``."""
    node = place(node, keys)
    known = tuple(LogMeta.model_fields)
    if not isinstance(node, MapNode):
        problems.append(node.problem(f"expected a map of {', '.join(known)}"))
        return LogMeta()
    for key in node.entries.keys() - set(known):
        problems.append(node.entries[key].problem(f"unknown key {shorten(key)}{did_you_mean(key, known)}"))
    values = {key: plain(value) for key, value in node.entries.items() if key in known}
    try:
        return LogMeta.model_validate(values)
    except ValidationError as error:
        wrong = {str(one["loc"][0]): one["msg"] for one in error.errors()}
    problems += [node.entries[key].problem(f"{text}, not {shorten(values[key])}") for key, text in wrong.items()]
    return LogMeta()
