"""The section ``validation`` of a spec: how tight solvers are, and which noise is best. No model, no data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from robustbench_rs.api import Choice, ChoiceOf, Noise, Params
from robustbench_rs.spec.fields import Norm, refuse_repeated
from robustbench_rs.spec.schema import Document, SolverChoice

Dimension = Annotated[int, Field(ge=1, le=2**31)]
Majority = Annotated[float, Field(gt=0.5, lt=1)]
"""A lower bound pA of the top class's probability; the best other class has at most 1 - pA."""

MAX_CASES = 1_000


class ValidationOptions(Params):
    """Radii of every noise in every norm and dimension, at every ``p_lower``, by every solver asked for.

    ``kind``: "tightness" compares solvers with each other and with closed forms, "optimality" noises with each other.
    """

    kind: Literal["tightness", "optimality"]
    noises: tuple[Annotated[Choice[Noise], ChoiceOf("noise")], ...] = Field(min_length=1)
    norms: tuple[Norm, ...] = Field(min_length=1)
    dims: tuple[Dimension, ...] = Field(min_length=1)
    p_lower: tuple[Majority, ...] = Field(min_length=1, max_length=1_000)
    solvers: tuple[SolverChoice, ...] = Field(default=("all",), min_length=1)

    @model_validator(mode="after")
    def _no_repetition(self) -> ValidationOptions:
        refuse_repeated((str(noise.canonical()) for noise in self.noises), "noise")
        refuse_repeated((f"{norm:g}" for norm in self.norms), "norm")
        refuse_repeated(self.dims, "dimension")
        refuse_repeated(self.p_lower, "p_lower")
        solvers = (solver if isinstance(solver, str) else str(solver.canonical()) for solver in self.solvers)
        refuse_repeated(solvers, "solver")
        if len(self.noises) * len(self.norms) * len(self.dims) > MAX_CASES:
            raise ValueError(f"noises, norms and dims together make more than {MAX_CASES:,} cases")
        return self


class ValidationSpec(Document):
    """A validation, made by :func:`robustbench_rs.spec.load_spec`; every sweep of its noises is expanded."""

    validation: ValidationOptions
