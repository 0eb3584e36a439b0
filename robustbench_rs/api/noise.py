"""Noise laws: how inputs are randomised, by adding to them unless a law says otherwise.

:mod:`product_noise` and :mod:`vector_noise` hold the bases of families that are added.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from robustbench_rs.api.component import Component, Params

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ClosedForm:
    """A radius by formula: ``radius(p_lower, p_upper)`` maps limits (m,) to radii (m,) in input units, rounded down.

    ``exact``: the largest radius that holds for every classifier (else a proved lower bound of it). ``source``: the
    theorem. ``upper``: the same limits to a value that the true radius is known not to exceed, None when none is known.
    """

    radius: Callable[[np.ndarray, np.ndarray], np.ndarray]
    source: str
    exact: bool = True
    guarantee: Literal["proved", "searched", "estimated"] = "proved"
    upper: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None


@dataclass(frozen=True)
class Condition:
    """What every certificate under a noise presupposes, beside what the ball says.

    ``label`` ends their guarantee, such as "(inputs on the grid)"; ``meaning``: a sentence for readers of a report.
    """

    label: str
    meaning: str


class NoiseParams(Params):
    """Exactly one of ``scale`` (of the standard variable) and ``sigma`` (standard deviation per coordinate)."""

    scale: float | None = Field(default=None, gt=0)
    sigma: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _exactly_one(self) -> NoiseParams:
        if (self.scale is None) == (self.sigma is None):
            raise ValueError("give exactly one of 'scale' and 'sigma'")
        return self


class Noise(Component):
    """Any noise law on the input space."""

    kind: ClassVar[str] = "noise"
    Params: ClassVar[type[Params]] = NoiseParams
    pixel_range: tuple[float, float] = (-math.inf, math.inf)
    """The inputs that this noise is made for; evaluating others is refused."""

    @property
    def pixel_levels(self) -> int | None:
        """Inputs must have pixels k / ``pixel_levels`` for integers k, others are refused; None: any."""
        return None

    @property
    def condition(self) -> Condition | None:
        """What certificates under this noise presuppose; None: nothing."""
        return None

    @property
    def outcomes(self) -> int | None:
        """How many equally likely draws there are, where all of them can be tried; None: too many, or no such number.

        Class probabilities are then counted, not bounded: every draw is tried once, and certificates hold with
        certainty.
        """
        return None

    def outcome(
        self, first: int, shape: tuple[int, ...], device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        """Draws number ``first``, ``first`` + 1, ... (modulo :attr:`outcomes`): ``shape`` is (draws, \\*input shape).

        Each row depends on its number and the input shape alone. Needed where :attr:`outcomes` is a number.
        """
        raise NotImplementedError(f"{self.name} noise has no list of all its draws")

    @property
    def sigma(self) -> float | None:
        """Standard deviation per coordinate, in input units; None where it does not exist."""
        return None

    def sigma_in(self, dim: int) -> float | None:  # noqa: ARG002
        """:attr:`sigma` for inputs of ``dim`` coordinates, where it depends on them."""
        return self.sigma

    @abstractmethod
    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        """Independent draws: ``shape`` is (draws, \\*input shape). All randomness comes from ``generator``."""

    def apply(self, inputs: torch.Tensor, drawn: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """What the base classifier is given: ``inputs`` under the draws ``drawn`` of :meth:`sample`, here their sum.

        ``inputs``: one input (\\*shape), or one per draw; ``drawn``: (draws, \\*shape), like the result. ``out``, where
        given, may be overwritten with the result and returned; it may be ``inputs``. ``drawn`` is left as it is.

        An override is a fixed function of the two, draw by draw. Of ``ProductNoise`` and ``VectorNoise`` it must be one
        of their sum alone: all that solvers prove of these is about the sum. Anything else is a plain ``Noise``.
        """
        import torch

        return torch.add(inputs, drawn, out=out)

    def problem(self, dim: int) -> str | None:  # noqa: ARG002
        """Why there is no such noise on inputs of ``dim`` coordinates, for people; None when there is."""
        return None

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:  # noqa: ARG002
        """The closed-form radius in this norm and dimension, None where there is no theorem."""
        return None

    def joint_log_density(self, x: np.ndarray) -> np.ndarray | None:  # noqa: ARG002
        """Log density of noise vectors x (..., d) in input units, up to one constant; None where there is none."""
        return None

    def draws(self, count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
        """Independent noise vectors (count, dim), float64, in input units: for solvers that work by simulation.

        By default those of :meth:`sample` on the CPU, seeded from ``rng``.
        """
        import torch

        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        drawn: np.ndarray = self.sample((count, dim), generator, "cpu", torch.float64).numpy()
        return drawn
