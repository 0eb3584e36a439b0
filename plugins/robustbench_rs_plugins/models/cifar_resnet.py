"""The CIFAR residual networks of He et al. 2016."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from robustbench_rs.api import Importer, Inputs, Model, hookimpl
from robustbench_rs_plugins.models.images import ImageModelParams, channels_last, image_shape, normalize_layer

if TYPE_CHECKING:
    from torch import nn


class CifarResNet(Model):
    """A residual network for images of about 32x32 pixels: 16, 32 and 64 channels, projection shortcuts."""

    Params = ImageModelParams
    params: ImageModelParams
    depth: ClassVar[int]

    def build(self, inputs: Inputs, importer: Importer) -> nn.Module:  # noqa: ARG002
        from robustbench_rs_plugins.models.networks.cifar_resnet import CifarResNet as Network

        channels, _, _ = image_shape(inputs, self.name, 8)
        network = Network(self.depth, channels, inputs.num_classes, normalize_layer(self.params, channels))
        return channels_last(network)


class ResNet20(CifarResNet):
    """ResNet-20: 0.27 million parameters."""

    name = "resnet20"
    depth = 20


class ResNet110(CifarResNet):
    """ResNet-110, the network of Cohen et al. 2019 on CIFAR-10: 1.7 million parameters."""

    name = "resnet110"
    depth = 110


@hookimpl
def robustbench_rs_models() -> list[type[Model]]:
    """The models ``resnet20`` and ``resnet110``."""
    return [ResNet20, ResNet110]
