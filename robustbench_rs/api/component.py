"""What all plugin kinds share: a name, a frozen parameter model, and references to other components."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class Params(BaseModel):
    """Parameters of a component: frozen, checked, and nothing unknown accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


_Params = Params


class Component(ABC):
    """One thing that a spec can name: a noise family, a solver, a model, ...

    Subclasses set ``name``, may nest a class ``Params``, and are handed to the framework by a hook. Constructing one is
    cheap; a ``ValueError`` raised by the constructor is reported as an error of the spec, at the component's place.
    """

    kind: ClassVar[str]
    name: ClassVar[str]
    Params: ClassVar[type[_Params]] = _Params
    params: _Params

    def __init__(self, params: _Params | None = None) -> None:
        self.params = self.Params() if params is None else params


C_co = TypeVar("C_co", bound=Component, covariant=True)


@dataclass(frozen=True)
class Choice(Generic[C_co]):
    """A component chosen by name, with its validated parameters."""

    component: type[C_co]
    params: Params

    @property
    def name(self) -> str:
        return self.component.name

    def make(self) -> C_co:
        """The component itself. Raises ``ValueError`` when the parameters do not go together."""
        return self.component(self.params)

    def canonical(self) -> dict[str, Any]:
        """``{"name": ..., parameters}`` as plain JSON values, unset (None) parameters left out."""
        return {"name": self.name, **self.params.model_dump(mode="json", exclude_none=True)}


class Directory(Protocol):
    """Where components are looked up while a spec is validated (the plugin registry)."""

    def find(self, kind: str, name: str) -> type[Component]:
        """The class of that kind and name; ``LookupError`` with a message for people when there is none."""
        ...


@dataclass(frozen=True)
class ChoiceOf:
    """Pydantic annotation: the field is written ``name`` or ``{name: ..., <parameters>}``.

    Validation needs the registry: ``Model.model_validate(data, context={"directory": registry})``.
    """

    kind: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda choice: choice.canonical()),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"component": self.kind}

    def _validate(self, value: Any, info: core_schema.ValidationInfo) -> Choice[Component]:
        if isinstance(value, Choice):
            return value
        name, fields = self._split(value)
        try:
            component = (info.context or {})["directory"].find(self.kind, name)
        except LookupError as error:
            raise PydanticCustomError("component", "{text}", {"text": str(error.args[0])}) from None
        try:
            choice = Choice(component, component.Params.model_validate(fields, context=info.context))
            choice.make()
        except ValueError:
            raise
        except Exception as error:
            text = f"{self.kind} {str(name)!r} failed with {type(error).__name__}: {error}"
            raise PydanticCustomError("component_failed", "{text}", {"text": text}) from error
        return choice

    def _split(self, value: Any) -> tuple[str, dict[str, Any]]:
        if isinstance(value, str):
            return value, {}
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            return value["name"], {key: field for key, field in value.items() if key != "name"}
        raise PydanticCustomError(
            "component", "expected the name of a {kind}, or a map with 'name' and its parameters", {"kind": self.kind}
        )


class LocatedStr(str):
    """A string from a spec that remembers the folder of the file that states it."""

    __slots__ = ("folder",)
    folder: Path

    def __new__(cls, text: str, folder: Path) -> LocatedStr:
        self = super().__new__(cls, text)
        self.folder = folder
        return self

    def __getnewargs__(self) -> tuple[str, Path]:  # type: ignore[override]
        """For pickle and copy."""
        return str(self), self.folder


def _resolve(value: Any) -> Any:
    if isinstance(value, LocatedStr):
        return value.folder / str(value)
    return value


SpecPath = Annotated[Path, BeforeValidator(_resolve)]
"""A path in a spec: relative to the file that states it (flags: to the working directory)."""
