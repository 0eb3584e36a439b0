"""Radius solvers: from (pA, pB) to a certified radius."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

import numpy as np

from robustbench_rs.api.component import Component, Params
from robustbench_rs.api.noise import Noise
from robustbench_rs.api.product_noise import ProductNoise
from robustbench_rs.api.vector_noise import VectorNoise

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


def not_added(noise: Noise) -> str | None:
    """Why what is proved of the sum of input and noise says nothing here, for people; None for noise that is added."""
    if isinstance(noise, ProductNoise | VectorNoise) or type(noise).apply is Noise.apply:
        return None
    return f"{noise.name} noise is not known to be added to the input"


class Tables(Protocol):
    """Where solvers keep tables that were expensive to build; shared by runs and processes.

    A key names the content: everything that determines the arrays goes into it, also the version of the method.
    """

    def load(self, key: str) -> Mapping[str, np.ndarray] | None:
        """The arrays saved under ``key``, None when there are none."""
        ...

    def save(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep ``arrays``. Never fails because of the storage: a table is only a saving of time."""
        ...


class MemoryTables:
    """Tables that live as long as the object."""

    def __init__(self) -> None:
        self._kept: dict[str, Mapping[str, np.ndarray]] = {}

    def load(self, key: str) -> Mapping[str, np.ndarray] | None:
        return self._kept.get(key)

    def save(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        self._kept[key] = dict(arrays)


class Solver(Component):
    """Maps arrays (pA, pB) to radii, for the (noise, norm, dimension) that it supports."""

    kind: ClassVar[str] = "solver"
    strongest: ClassVar[Guarantee] = "proved"
    """The label of its radii; a solver whose label depends on the question overrides :meth:`label`."""
    effort: ClassVar[int] = 1
    """0: a formula; 1: milliseconds; 2: builds tables in seconds; 3: simulates. ``auto`` asks the cheap ones first, and
    stops when a proved radius meets its upper value."""

    def __init__(self, params: Params | None = None) -> None:
        super().__init__(params)
        self.tables: Tables = MemoryTables()
        """Replaced by whoever runs the solver and has a place for tables."""

    @abstractmethod
    def refusal(self, noise: Noise, norm: float, dim: int) -> str | None:
        """Why this solver gives no radius for (noise, norm, dim), for people; None when it does."""

    def label(self, noise: Noise, norm: float, dim: int) -> Guarantee:  # noqa: ARG002
        """The label that :meth:`radii` will give: ``auto`` asks no solver whose label could not win any more."""
        return self.strongest

    def budget(self) -> dict[str, float]:
        """Failure probability per input that its own draws spend, by purpose, besides that of (pA, pB); mostly none."""
        return {}

    @abstractmethod
    def radii(self, noise: Noise, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> Radii:
        """Radii for limits (m,). ``norm``: 1, 2, ..., ``math.inf``; ``dim``: number of input coordinates."""
