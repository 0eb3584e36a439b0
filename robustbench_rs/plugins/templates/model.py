"""A base classifier. Change the architecture to yours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from robustbench_rs.api import Importer, Inputs, Model, ModelParams, hookimpl

if TYPE_CHECKING:
    from torch import nn


class Example(Model):
    """One hidden layer."""

    name = "example"

    class Params(ModelParams):
        """``checkpoint`` and ``training`` are handled by the base."""

        hidden: int = Field(default=64, ge=1, description="Units of the hidden layer.")

    params: Params

    def build(self, inputs: Inputs, importer: Importer) -> nn.Module:  # noqa: ARG002
        """A new module: (N, *inputs.shape) in [0, 1] -> logits (N, inputs.num_classes)."""
        # Imported here, so that listing plugins stays instant.
        from torch import nn

        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(inputs.shape), self.params.hidden),
            nn.ReLU(),
            nn.Linear(self.params.hidden, inputs.num_classes),
        )


@hookimpl
def robustbench_rs_models() -> list[type[Example]]:
    """The models of this file."""
    return [Example]
