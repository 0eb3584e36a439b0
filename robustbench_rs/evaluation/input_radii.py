"""Radii of the inputs of one task, whose noise may differ from input to input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from robustbench_rs.api import Choice, Noise
from robustbench_rs.api.report import per_input_noise
from robustbench_rs.evaluation.certify import Bounded
from robustbench_rs.evaluation.chosen import ChosenNoise, noise_params
from robustbench_rs.evaluation.solving import Refused, Solved

Solve = Callable[[Bounded, Noise], tuple[list[Solved], list[Refused]]]
"""Radii of limits (m,) under one noise, from every solver asked for."""


@dataclass(frozen=True)
class InputRadii:
    """Radii (m,) of one solver as asked for, each with its label and the solver behind it.

    ``largest``: the largest radius that any of the inputs could have got.
    """

    asked: str
    radius: np.ndarray
    guarantee: Sequence[str]
    used: Sequence[str]
    largest: float


@dataclass(frozen=True)
class _Part:
    """Inputs of equal noise: their positions, and what the solvers say of them and of the largest radius."""

    positions: np.ndarray
    solved: dict[str, Solved]
    limits: dict[str, Solved]
    refused: list[Refused]


def input_radii(
    bounded: Bounded, limit: Bounded, noise: ChosenNoise, indices: np.ndarray, solve: Solve
) -> tuple[list[InputRadii], list[Refused]]:
    """Radii from every solver asked for; inputs of equal noise are solved together.

    ``bounded``: limits (m,) of the inputs ``indices``; ``limit``: those (1,) when all draws agree. A solver that
    refuses the noise of some input gives no radii. Radii of inputs with a noise of their own have labels of their own.
    """
    parts = [_part(bounded, limit, law.make(), positions, solve) for law, positions in _groups(noise, indices)]
    refused = list(dict.fromkeys(item for part in parts for item in part.refused))
    everywhere = [asked for asked in parts[0].solved if all(asked in part.solved for part in parts)]
    return [_combined(asked, parts, len(indices), own=bool(noise.waiting)) for asked in everywhere], refused


def _groups(noise: ChosenNoise, indices: np.ndarray) -> list[tuple[Choice[Noise], np.ndarray]]:
    found: dict[str, tuple[Choice[Noise], list[int]]] = {}
    for position, index in enumerate(indices.tolist()):
        choice = noise.of(index)
        assert choice is not None
        found.setdefault(noise_params(choice), (choice, []))[1].append(position)
    return [(choice, np.array(positions)) for choice, positions in found.values()]


def _part(bounded: Bounded, limit: Bounded, noise: Noise, positions: np.ndarray, solve: Solve) -> _Part:
    own = Bounded(bounded.classes[positions], bounded.p_lower[positions], bounded.p_upper[positions])
    solved, refused = solve(own, noise)
    limits, _ = solve(limit, noise)
    return _Part(positions, {each.asked: each for each in solved}, {each.asked: each for each in limits}, refused)


def _combined(asked: str, parts: Sequence[_Part], size: int, *, own: bool) -> InputRadii:
    radius, guarantee, used = np.zeros(size), [""] * size, [""] * size
    for part in parts:
        solved = part.solved[asked]
        radius[part.positions] = solved.radius
        for position, name in zip(part.positions.tolist(), solved.used, strict=True):
            used[position] = name
            guarantee[position] = per_input_noise(solved.label) if own else solved.label
    return InputRadii(asked, radius, guarantee, used, max(float(part.limits[asked].radius[0]) for part in parts))
