"""A small convolutional network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from robustbench_rs.api import Importer, Inputs, Model, hookimpl
from robustbench_rs_plugins.models.images import ImageModelParams, channels_last, image_shape, normalize_layer

if TYPE_CHECKING:
    from torch import nn


class SmallCnn(Model):
    """Two convolutions with batch normalisation, average pooling, one linear layer; for images from 4x4 pixels."""

    name = "small-cnn"

    class Params(ImageModelParams):
        """``width``: channels of the first convolution; the second has twice as many."""

        width: int = Field(default=16, ge=1, le=4096)

    params: Params

    def build(self, inputs: Inputs, importer: Importer) -> nn.Module:  # noqa: ARG002
        from robustbench_rs_plugins.models.networks.small_cnn import SmallCnn as Network

        shape = image_shape(inputs, self.name, 4)
        network = Network(shape, inputs.num_classes, self.params.width, normalize_layer(self.params, shape[0]))
        return channels_last(network)


@hookimpl
def robustbench_rs_models() -> list[type[Model]]:
    """The model ``small-cnn``."""
    return [SmallCnn]
