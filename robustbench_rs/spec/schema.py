"""A spec, validated: frozen models with every default filled in and every sweep expanded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from robustbench_rs.api import (
    Bound,
    Choice,
    ChoiceOf,
    Dataset,
    Directory,
    Executor,
    Model,
    ModelParams,
    Noise,
    Params,
    Reporter,
    Solver,
)
from robustbench_rs.api.report import ENVELOPE
from robustbench_rs.spec.fields import Alpha, Draws, Name, Norm, Scalar, refuse_repeated
from robustbench_rs.spec.optimize import Optimize, check_tunable
from robustbench_rs.spec.radii import RadiiChoice, RadiusRange

SOLVER_WORDS = ("auto", "all")


def _not_envelope(name: str) -> str:
    if name == ENVELOPE:
        raise ValueError(f"{name!r} is what reports call the best of all noise levels; choose another name")
    return name


def _has_weights(choice: Choice[Model]) -> Choice[Model]:
    params = choice.params
    if choice.component.needs_weights and isinstance(params, ModelParams):  # noqa: SIM102
        if params.checkpoint is None and params.training is None:
            raise ValueError(f"model {choice.name!r} needs weights: give it 'checkpoint' or 'training'")
    return choice


SolverChoice = Annotated[
    Annotated[Literal["auto", "all"], Tag("word")] | Annotated[Choice[Solver], ChoiceOf("solver"), Tag("component")],
    Discriminator(lambda value: "word" if isinstance(value, str) and value in SOLVER_WORDS else "component"),
]


class Defense(Params):
    """One base classifier at one noise level. ``point``: which values of its sweeps this is, by key path."""

    name: Annotated[Name, AfterValidator(_not_envelope)]
    point: dict[str, Scalar] = Field(default_factory=dict)
    model: Annotated[Choice[Model], ChoiceOf("model"), AfterValidator(_has_weights)]
    noise: Annotated[Choice[Noise], ChoiceOf("noise")] | None = None


class Certification(Params):
    """Algorithm CERTIFY of Cohen et al. 2019; the defaults are the field's protocol.

    ``n0`` draws choose the class, ``n`` fresh ones bound its probability, jointly at level ``alpha`` per input.
    """

    n0: Draws = 100
    n: Draws = 100_000
    alpha: Alpha = 0.001
    bound: Annotated[Choice[Bound], ChoiceOf("bound")] = Field(default="clopper-pearson", validate_default=True)
    norms: tuple[Norm, ...] = Field(default=(2.0,), min_length=1)
    solvers: tuple[SolverChoice, ...] = Field(default=("auto",), min_length=1)

    @model_validator(mode="after")
    def _no_repetition(self) -> Certification:
        refuse_repeated((f"{norm:g}" for norm in self.norms), "norm")
        solvers = (solver if isinstance(solver, str) else str(solver.canonical()) for solver in self.solvers)
        refuse_repeated(solvers, "solver")
        return self


class Prediction(Params):
    """Algorithm PREDICT of Cohen et al. 2019: ``n`` draws, binomial test of the top two counts at level ``alpha``."""

    n: Draws = 1_000
    alpha: Alpha = 0.001


class ReportOptions(Params):
    """``radii``: where tables give the certified accuracy. ``formats``: reporters."""

    radii: RadiiChoice = RadiusRange(start=0.0, stop=1.5, step=0.25)
    formats: tuple[Annotated[Choice[Reporter], ChoiceOf("reporter")], ...] = Field(
        default=("html", "markdown", "latex", "csv"), validate_default=True
    )

    @model_validator(mode="after")
    def _no_repetition(self) -> ReportOptions:
        refuse_repeated((reporter.name for reporter in self.formats), "format")
        return self

    def grid(self) -> tuple[float, ...]:
        """The radii of the tables, ascending, in input units."""
        return self.radii.grid() if isinstance(self.radii, RadiusRange) else self.radii


def _empty_map(value: object) -> object:
    """``certification:`` with nothing below it is YAML's null and means all defaults."""
    return {} if value is None else value


class Document(Params):
    """What every spec says, whatever it is about."""

    name: Name
    requires: tuple[str, ...] = ()
    report: Annotated[ReportOptions, BeforeValidator(_empty_map)] = Field(default={}, validate_default=True)

    def canonical(self) -> dict[str, Any]:
        """Plain JSON values: everything that was stated or is a default, sweeps expanded. For storing and comparing."""
        canonical: dict[str, Any] = self.model_dump(mode="json")
        return canonical

    @classmethod
    def from_canonical(cls, canonical: Mapping[str, Any], directory: Directory) -> Self:
        """The spec that :meth:`canonical` describes. Raises ``pydantic.ValidationError`` when it describes none."""
        return cls.model_validate(canonical, context={"directory": directory})


class Spec(Document):
    """A whole evaluation, made by :func:`robustbench_rs.spec.load_spec`; one entry of ``defenses`` per sweep point."""

    seed: int = Field(default=0, ge=0, lt=2**63)
    dataset: Annotated[Choice[Dataset], ChoiceOf("dataset")]
    defenses: tuple[Defense, ...] = Field(min_length=1)
    certification: Annotated[Certification, BeforeValidator(_empty_map)] = Field(default={}, validate_default=True)
    prediction: Prediction | None = None
    optimize: Optimize | None = None
    executor: Annotated[Choice[Executor], ChoiceOf("executor")] = Field(default="local", validate_default=True)

    @model_validator(mode="after")
    def _tunable(self) -> Spec:
        if self.optimize is not None:
            check_tunable(self.optimize, self.defenses)
        return self
