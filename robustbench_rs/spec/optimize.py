"""The section ``optimize``: parameters of the noise chosen by an optimiser (UniCR, Hong et al., ECCV 2022)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import InitErrorDetails

from robustbench_rs.api import Choice, ChoiceOf, Dataset, Noise, Params, Solver
from robustbench_rs.errors import did_you_mean
from robustbench_rs.spec.fields import Alpha, Draws, Norm
from robustbench_rs.spec.radii import RadiusList

if TYPE_CHECKING:
    from robustbench_rs.spec.schema import Defense

C_OPT, I_OPT = "c-opt", "i-opt"
ACR, CERTIFIED_ACCURACY = "acr", "certified-accuracy"


class Objective(Params):
    """What is maximised: ``acr``, the average certified radius, or ``certified-accuracy``, its mean at ``radii``."""

    name: Literal["acr", "certified-accuracy"]
    radii: RadiusList | None = None

    @model_validator(mode="after")
    def _radii_where_needed(self) -> Objective:
        if self.name == CERTIFIED_ACCURACY and self.radii is None:
            raise ValueError("'certified-accuracy' needs its radii: {name: certified-accuracy, radii: [0.25, 0.5]}")
        if self.name == ACR and self.radii is not None:
            raise ValueError("'acr' takes no radii; 'certified-accuracy' does")
        return self

    @property
    def label(self) -> str:
        """Name for people."""
        radii = ", ".join(f"{radius:g}" for radius in self.radii or ())
        return f"certified accuracy at {radii}" if radii else "average certified radius"


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    low, high = bounds
    if not low < high:
        raise ValueError(f"write [lowest, highest] with lowest < highest, not [{low:g}, {high:g}]")
    return bounds


ObjectiveChoice = Annotated[
    Objective,
    BeforeValidator(_named),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": [ACR]},
                {
                    "type": "object",
                    "properties": {
                        "name": {"enum": [ACR, CERTIFIED_ACCURACY]},
                        "radii": {"type": "array", "items": {"type": "number", "minimum": 0}, "minItems": 1},
                    },
                    "required": ["name"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
"""``acr``, or ``{name: certified-accuracy, radii: [...]}``."""

Range = Annotated[tuple[float, float], AfterValidator(_ascending)]

OneSolver = Annotated[
    Annotated[Literal["auto"], Tag("word")] | Annotated[Choice[Solver], ChoiceOf("solver"), Tag("component")],
    Discriminator(lambda value: "word" if value == "auto" else "component"),
]


class Optimize(Params):
    """Noise parameters ``over`` = {name: [lowest, highest]} that maximise ``objective`` in ``norm`` by ``solver``.

    ``mode``: c-opt chooses one parameter vector for the data set, i-opt one for each input. At most ``evaluations``
    candidates (the spec's own parameters are the first) with ``n`` draws per input each. c-opt tunes on ``limit``
    inputs, spread evenly, of ``dataset`` (default: the evaluated one). ``alpha_share``: the part of alpha spent on what
    is said of the candidates; the certificates get the rest.
    """

    mode: Literal["c-opt", "i-opt"]
    over: dict[str, Range] = Field(min_length=1)
    objective: ObjectiveChoice = Field(default=ACR, validate_default=True)
    norm: Norm | None = None
    solver: OneSolver = "auto"
    n: Draws = 1_000
    evaluations: int = Field(default=20, ge=2, le=10_000)
    limit: int | None = Field(default=None, ge=1)
    dataset: Annotated[Choice[Dataset], ChoiceOf("dataset")] | None = None
    alpha_share: Alpha = 0.1

    @model_validator(mode="after")
    def _only_for_the_data_set(self) -> Optimize:
        for key in ("limit", "dataset"):
            if self.mode == I_OPT and getattr(self, key) is not None:
                raise ValueError(f"{key!r} is for c-opt; i-opt tunes on every evaluated input by itself")
        return self

    def tuning_alpha(self, alpha: float) -> float:
        """What all candidates together spend of ``alpha``, per input."""
        return alpha * self.alpha_share

    def certificate_alpha(self, alpha: float) -> float:
        """What is left for the certificate."""
        return alpha - self.tuning_alpha(alpha)

    def norm_of(self, norms: Sequence[float]) -> float:
        """The norm that is asked for, by default the first of ``certification.norms``."""
        return norms[0] if self.norm is None else self.norm


def with_parameters(noise: Choice[Noise], params: Mapping[str, float]) -> Choice[Noise]:
    """The same noise with other values of some parameters. Raises ``ValueError`` when the family refuses them."""
    stated = {key: value for key, value in noise.params if value is not None}
    choice = Choice(noise.component, noise.component.Params.model_validate({**stated, **params}))
    choice.make()
    return choice


def check_tunable(optimize: Optimize, defenses: Sequence[Defense]) -> None:
    """Raise ``pydantic.ValidationError``, each problem at its own key, unless every defense can be optimised so."""
    found = [
        InitErrorDetails(type="value_error", loc=loc, input=None, ctx={"error": ValueError(message)})
        for number, defense in enumerate(defenses)
        for loc, message in _problems(optimize, number, defense)
    ]
    if found:
        raise ValidationError.from_exception_data("Spec", found)


Located = tuple[tuple[int | str, ...], str]


def _problems(optimize: Optimize, number: int, defense: Defense) -> Iterator[Located]:
    if defense.noise is None:
        message = f"defense {defense.name!r} has no noise to optimise; give it one, or remove 'optimize'"
        yield ("defenses", number), message
        return
    if defense.noise.make().outcomes is not None:
        yield ("optimize",), _of_enumerated(defense.noise.name, defense.name)
        return
    for name, (low, high) in optimize.over.items():
        message = _unfit(name, low, high, defense, defense.noise)
        if message:
            yield ("optimize", "over", name), f"{message} (defense {defense.name!r})"


def _of_enumerated(noise: str, defense: str) -> str:
    return (
        f"{noise} noise of defense {defense!r} is not optimised: all of its draws are tried, so none are left to tune "
        "on that do not certify; sweep its parameters instead, and compare"
    )


def _unfit(name: str, low: float, high: float, defense: Defense, noise: Choice[Noise]) -> str:
    """Why a parameter cannot be optimised over this range, "" when it can."""
    known = list(type(noise.params).model_fields)
    if name not in known:
        return f"{noise.name} noise has no parameter {name!r}{did_you_mean(name, known)}"
    if any(key == f"noise.{name}" for key in defense.point):
        return f"{name!r} is both swept and optimised; give its noise a single value, where the search starts"
    start = getattr(noise.params, name)
    if start is None:
        return _without_start(name, noise)
    if not isinstance(start, float):
        return f"{name!r} is no real number, and only those are optimised"
    if not low <= start <= high:
        return f"the search starts at the noise's own {name} = {start:g}, which lies outside [{low:g}, {high:g}]"
    return next((message for value in (low, high) if (message := _refusal(noise, name, value))), "")


def _without_start(name: str, noise: Choice[Noise]) -> str:
    other = {"scale": "sigma", "sigma": "scale"}.get(name, "")
    if getattr(noise.params, other, None) is not None:
        return f"{name!r} is fixed by the noise's {other!r}; optimise {other!r}, or state {name!r} in its place"
    return f"the noise states no {name!r}, from which the search could start"


def _refusal(noise: Choice[Noise], name: str, value: float) -> str:
    try:
        with_parameters(noise, {name: value})
    except ValidationError as error:
        return f"{name} = {value:g}: {_text(error.errors()[0])}"
    except ValueError as error:
        return f"{name} = {value:g}: {error}"
    return ""


def _text(error: Any) -> str:
    text = str(error["msg"])
    return text[:1].lower() + text[1:]
