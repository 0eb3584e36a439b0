"""The ImageNet residual network of He et al. 2016."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustbench_rs.api import Importer, Inputs, Model, hookimpl
from robustbench_rs_plugins.models.images import ImageModelParams, channels_last, image_shape, normalize_layer

if TYPE_CHECKING:
    from torch import nn


class ResNet50(Model):
    """ResNet-50, the network of Cohen et al. 2019 on ImageNet: 25.6 million parameters, names as in torchvision."""

    name = "resnet50"
    Params = ImageModelParams
    params: ImageModelParams

    def build(self, inputs: Inputs, importer: Importer) -> nn.Module:  # noqa: ARG002
        from robustbench_rs_plugins.models.networks.imagenet_resnet import ImageNetResNet

        channels, _, _ = image_shape(inputs, self.name, 32)
        network = ImageNetResNet((3, 4, 6, 3), channels, inputs.num_classes, normalize_layer(self.params, channels))
        return channels_last(network)


@hookimpl
def robustbench_rs_models() -> list[type[Model]]:
    """The model ``resnet50``."""
    return [ResNet50]
