"""What the calculator is asked: a noise, a norm, a dimension, a solver."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from robustbench_rs.api import Choice, Noise, Tables
from robustbench_rs.api.report import norm_name
from robustbench_rs.api.validation import LEVELS
from robustbench_rs.cli.components import choose
from robustbench_rs.errors import InputError
from robustbench_rs.evaluation.solving import Asked, Refused, Solved, solve
from robustbench_rs.plugins import Registry

_NEXT_PARAMETER = re.compile(r",(?=\s*\w[\w-]*\s*=)")


@dataclass(frozen=True)
class Question:
    """Noise, norm and dimension of which a radius is asked, and the solver to use."""

    noise: Choice[Noise]
    norm: float
    dim: int
    asked: Asked

    def answer(
        self, registry: Registry, p_lower: np.ndarray, p_upper: np.ndarray, tables: Tables | None = None
    ) -> tuple[list[Solved], list[Refused]]:
        """Radii for limits (m,). Raises :class:`InputError` with the reasons when no solver gives any."""
        noise = self.noise.make()
        solved, refused = solve(self.asked, registry, noise, self.norm, p_lower, p_upper, self.dim, tables)
        if not solved:
            reasons = "\n".join(f"  {item.asked}: {item.reason}" for item in refused) or "  no solver is installed"
            where = f"{noise.name} noise, norm {norm_name(self.norm)}, dimension {self.dim}"
            raise InputError(f"no radius for {where}:\n{reasons}")
        return solved, refused


def choose_noise(registry: Registry, text: str, shared: Sequence[str]) -> Choice[Noise]:
    """``NAME`` or ``NAME,KEY=VALUE,...`` with the ``shared`` parameters (``KEY=VALUE``).

    What a noise states itself wins; one that states its own scale or sigma takes neither from ``shared``.
    Raises :class:`InputError`.
    """
    name, own = split_component(text)
    stated = {_key(param) for param in own}
    stated |= set(LEVELS) if stated & set(LEVELS) else set()
    chosen: Choice[Noise] = choose(registry, "noise", name, [*own, *(p for p in shared if _key(p) not in stated)])
    return chosen


def choose_solver(registry: Registry, text: str) -> Asked:
    """``auto``, ``all``, ``NAME`` or ``NAME,KEY=VALUE,...``. Raises :class:`InputError`."""
    if text in ("auto", "all"):
        return text  # type: ignore[return-value]
    chosen: Choice[Any] = choose(registry, "solver", *split_component(text))
    return chosen


def split_component(text: str) -> tuple[str, list[str]]:
    """Name and parameters of a flag; a comma inside a value stays, unless ``KEY=`` follows it."""
    name, *params = _NEXT_PARAMETER.split(text)
    return name.strip(), params


def _key(param: str) -> str:
    return param.partition("=")[0].strip()
