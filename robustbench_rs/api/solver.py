"""Radius solvers: from (pA, pB) to a certified radius."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from robustbench_rs.api.component import Component
from robustbench_rs.api.noise import Noise

Guarantee = Literal["proved", "searched", "estimated"]
"""``proved``: a theorem covers all shifts in the ball. ``searched``: exact for each shift tried, worst of those tried.
``estimated``: Monte Carlo or optimisation without a bound on its error."""


@dataclass(frozen=True)
class Radii:
    """Radii (m,) in input units, rounded down; 0 where pA <= 1/2 or pA <= pB.

    ``upper`` (m,): the smallest value that the true radius is known not to exceed, None when nothing is known.
    """

    radius: np.ndarray
    guarantee: Guarantee
    upper: np.ndarray | None = None
    details: Mapping[str, object] = field(default_factory=dict)


class Solver(Component):
    """Maps arrays (pA, pB) to radii, for the (noise, norm, dimension) that it supports."""

    kind: ClassVar[str] = "solver"

    @abstractmethod
    def refusal(self, noise: Noise, norm: float, dim: int) -> str | None:
        """Why this solver gives no radius for (noise, norm, dim), for people; None when it does."""

    @abstractmethod
    def radii(self, noise: Noise, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> Radii:
        """Radii for limits (m,). ``norm``: 1, 2, ..., ``math.inf``; ``dim``: number of input coordinates."""
