"""Small fake components, so that these tests depend on no plugin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from robustbench_rs.api import (
    Bound,
    Choice,
    ChoiceOf,
    Component,
    Dataset,
    DatasetParams,
    Executor,
    Model,
    ModelParams,
    Noise,
    NoiseParams,
    Params,
    Reporter,
    Solver,
    SpecPath,
    Training,
    TrainingParams,
)
from robustbench_rs.errors import SpecError, did_you_mean
from robustbench_rs.spec import Spec, load_spec


class Constants(Params):
    mean: float
    std: float = Field(gt=0)


class NetParams(ModelParams):
    width: int = Field(default=16, ge=1)
    layers: tuple[int, ...] = (2, 2)
    bias: bool = True
    dropout: float = 0.0
    normalize: Literal["cifar10", "imagenet"] | Constants | None = None
    kwargs: dict[str, str | int | float] = Field(default_factory=dict)


class StackParams(ModelParams):
    classifier: Annotated[Choice[Model], ChoiceOf("model")]
    extras: tuple[Annotated[Choice[Model], ChoiceOf("model")], ...] = ()


class ShapedParams(NoiseParams):
    beta: float = Field(default=1.5, gt=0)
    table: SpecPath | None = None


class ToyParams(DatasetParams):
    path: SpecPath | None = None


class DrillParams(TrainingParams):
    epochs: int = Field(default=20, ge=1)


def fake(base: type[Component], name: str, params: type[Params] | None = None, **attributes: Any) -> type[Component]:
    """A concrete component class of one kind."""
    members = {"name": name, **({"Params": params} if params else {}), **attributes}
    members |= {method: lambda self, *_: None for method in base.__abstractmethods__}
    return type(name.title(), (base,), members)


def _raise_type_error(self: Component, params: Params | None = None) -> None:
    raise TypeError("it was built on a Monday")


COMPONENTS = [
    fake(Noise, "gauss"),
    fake(Noise, "shaped", ShapedParams),
    fake(Noise, "monday", NoiseParams, __init__=_raise_type_error),
    fake(Model, "net", NetParams),
    fake(Model, "stack", StackParams, needs_weights=False),
    fake(Training, "drill", DrillParams),
    fake(Dataset, "toy", ToyParams),
    fake(Bound, "clopper-pearson"),
    fake(Solver, "closed-form"),
    fake(Executor, "local"),
    *(fake(Reporter, name) for name in ("html", "markdown", "latex", "csv")),
]


class FakeDirectory:
    """The registry's interface over :data:`COMPONENTS`."""

    def find(self, kind: str, name: str) -> type[Component]:
        known = {component.name: component for component in self.components(kind)}
        if name not in known:
            raise LookupError(f"unknown {kind} {name!r}{did_you_mean(name, known)}")
        return known[name]

    def components(self, kind: str) -> list[type[Component]]:
        return [component for component in COMPONENTS if component.kind == kind]


@pytest.fixture(scope="session")
def directory() -> FakeDirectory:
    return FakeDirectory()


BASE = """\
name: test
dataset: toy
defenses:
  - name: a
    model: {name: net, training: drill}
    noise: {name: gauss, sigma: 0.25}
"""


@pytest.fixture
def spec_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a spec file (default: a minimal valid one) and gives its path."""

    def write(text: str | bytes = BASE, name: str = "spec.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def load(spec_file: Callable[..., Path], directory: FakeDirectory) -> Callable[..., Spec]:
    """Writes a spec and loads it."""

    def run(text: str | bytes = BASE, *settings: str, data: Path | None = None) -> Spec:
        return load_spec(spec_file(text), directory, settings=settings, data=data)

    return run


@pytest.fixture
def problems_of(load: Callable[..., Spec]) -> Callable[..., list[tuple[str, int | None, str]]]:
    """Writes a wrong spec; gives (key path, line, message) of every problem."""

    def run(text: str | bytes, *settings: str, data: Path | None = None) -> list[tuple[str, int | None, str]]:
        with pytest.raises(SpecError) as caught:
            load(text, *settings, data=data)
        return [(problem.key_path, problem.line, problem.message) for problem in caught.value.problems]

    return run


@pytest.fixture(scope="session")
def base() -> str:
    """A minimal valid spec."""
    return BASE
