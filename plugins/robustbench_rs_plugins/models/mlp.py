"""A multi-layer perceptron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from robustbench_rs.api import Importer, Inputs, Model, hookimpl
from robustbench_rs_plugins.models.images import ImageModelParams, image_shape, normalize_layer

if TYPE_CHECKING:
    from torch import nn


class Mlp(Model):
    """Linear layers with ReLU between them, on the flattened image."""

    name = "mlp"

    class Params(ImageModelParams):
        """``hidden``: sizes of the hidden layers; an empty list is a linear classifier."""

        hidden: tuple[Annotated[int, Field(ge=1, le=1_000_000)], ...] = (256, 256)

    params: Params

    def build(self, inputs: Inputs, importer: Importer) -> nn.Module:  # noqa: ARG002
        from robustbench_rs_plugins.models.networks.mlp import Mlp as Network

        shape = image_shape(inputs, self.name, 1)
        return Network(shape, inputs.num_classes, self.params.hidden, normalize_layer(self.params, shape[0]))


@hookimpl
def robustbench_rs_models() -> list[type[Model]]:
    """The model ``mlp``."""
    return [Mlp]
