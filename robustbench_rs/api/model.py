"""Base classifiers: any torch module that maps a batch of inputs in [0, 1] to logits."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

from pydantic import model_validator

from robustbench_rs.api.component import Choice, ChoiceOf, Component, Params, SpecPath
from robustbench_rs.api.training import Training

if TYPE_CHECKING:
    from torch import nn

TrainingChoice = Annotated[Choice[Training], ChoiceOf("training")]


@dataclass(frozen=True)
class Inputs:
    """What the classifier is given: ``shape`` (C, H, W) of one input, and the number of classes."""

    shape: tuple[int, ...]
    num_classes: int


class Importer(Protocol):
    """Imports a Python object for a plugin, if the command line allowed its module."""

    def load(self, reference: str) -> Any:
        """The object named ``package.module:attribute``. Raises InputError when it was not allowed or is missing."""
        ...


class ModelParams(Params):
    """``checkpoint``: weights from a file (``.pt``, ``.pth``, ``.tar``, ``.safetensors``). ``training``: make them."""

    checkpoint: SpecPath | None = None
    training: TrainingChoice | None = None

    @model_validator(mode="after")
    def _one_source_of_weights(self) -> ModelParams:
        if self.checkpoint is not None and self.training is not None:
            raise ValueError("give 'checkpoint' or 'training', not both")
        return self


class Model(Component):
    """Builds a module. The framework then trains it or loads its checkpoint, as ``ModelParams`` says.

    Radii are in the units of the module's input: a normalising layer belongs *inside* the module.
    """

    kind: ClassVar[str] = "model"
    Params: ClassVar[type[Params]] = ModelParams
    needs_weights: ClassVar[bool] = True
    """A freshly built module is useless without ``checkpoint`` or ``training``."""

    @abstractmethod
    def build(self, inputs: Inputs, importer: Importer) -> nn.Module:
        """A new module on the CPU: (N, \\*inputs.shape) float32 -> logits (N, inputs.num_classes).

        Random initial weights come from torch's global generator, which the framework seeds. Raises ``ValueError`` when
        the architecture does not fit ``inputs``.
        """
