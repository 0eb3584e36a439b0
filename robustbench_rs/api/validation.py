"""A validation as data: how tight solvers are, and which noise is best. No model and no data set take part.

Every radius is for a lower bound pA of the top class's probability and pB = 1 - pA. A renderer that shortens a radius
or a ratio must round it *down*, an upper value *up*.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from robustbench_rs.api.labels import is_proved

ValidationKind = Literal["tightness", "optimality"]
LEVELS = ("scale", "sigma")


@dataclass(frozen=True)
class Case:
    """A noise in one norm and dimension. ``noise_params``: canonical JSON; ``norm``: "1", "2", ..., "inf".

    ``sigma``: standard deviation per coordinate, None where it does not exist.
    """

    noise: str
    noise_params: str
    sigma: float | None
    norm: str
    dim: int

    @property
    def label(self) -> str:
        """The noise with all of its parameters: ``generalized-normal (beta=1.5, sigma=0.5)``."""
        return self._named(json.loads(self.noise_params))

    @property
    def family(self) -> str:
        """The noise without its level, which others on the same picture share: ``generalized-normal (beta=1.5)``."""
        params = json.loads(self.noise_params)
        return self._named({key: value for key, value in params.items() if key not in LEVELS})

    def _named(self, params: dict[str, object]) -> str:
        told = ", ".join(f"{key}={value}" for key, value in params.items())
        return f"{self.noise} ({told})" if told else self.noise


@dataclass(frozen=True)
class SolverRadius:
    """What one solver says. ``solver``: as asked for, ``solver_used``: what gave the radius.

    ``upper``: the smallest value that the true radius is known not to exceed, None where nothing is known.
    ``closed_form``: the noise's radius by formula, None where there is no theorem; ``exact``: no larger one exists.
    """

    case: Case
    p_lower: float
    p_upper: float
    solver: str
    solver_used: str
    guarantee: str
    radius: float
    upper: float | None
    closed_form: float | None = None
    exact: bool = False

    @property
    def ratio(self) -> float | None:
        """``radius / closed_form``; None without a closed form."""
        return self.radius / self.closed_form if self.closed_form else None


@dataclass(frozen=True)
class Bracket:
    """The best that is known of one radius, all solvers together. Labels are never mixed.

    ``radius``: the largest proved one; where nothing is proved the smallest searched, else the smallest estimated one.
    ``upper``: the smallest value that the true radius is known not to exceed, by ``upper_solver``; None if unknown.
    """

    case: Case
    p_lower: float
    p_upper: float
    radius: float
    guarantee: str
    solver: str
    upper: float | None
    upper_solver: str
    closed_form: float | None = None
    exact: bool = False

    @property
    def lower(self) -> float | None:
        """The largest proved radius; None where nothing is proved."""
        return self.radius if is_proved(self.guarantee) else None

    @property
    def ratio(self) -> float | None:
        """``lower / upper``: 1 where the true radius is known; None where one of the two is not."""
        return self.lower / self.upper if self.lower is not None and self.upper else None


@dataclass(frozen=True)
class RadiusCurve:
    """R(pA) of one noise by one solver: arrays (m,), ``p_lower`` ascending.

    ``radius[i]`` holds for every larger pA too, so between two points a step is right, and a slope is not proved.
    ``upper`` is infinite where nothing is known.
    """

    case: Case
    solver: str
    guarantee: str
    p_lower: np.ndarray
    radius: np.ndarray
    upper: np.ndarray


@dataclass(frozen=True)
class BestNoise:
    """The noise with the largest radius of the strongest label, among those of equal sigma, norm and dimension.

    ``decided``: its radius is proved, and not below what the true radius of any other one can be.
    """

    case: Case
    p_lower: float
    radius: float
    guarantee: str
    decided: bool


@dataclass(frozen=True)
class Refusal:
    """Why a solver gives no radius, and for which cases."""

    solver: str
    reason: str
    cases: Sequence[Case]


@dataclass(frozen=True)
class Validation:
    """Everything that a reporter may show of a validation. Rows are ordered by case, then pA, then solver."""

    kind: ValidationKind
    radii: Sequence[SolverRadius] = ()
    brackets: Sequence[Bracket] = ()
    curves: Sequence[RadiusCurve] = ()
    best: Sequence[BestNoise] = ()
    refusals: Sequence[Refusal] = ()
