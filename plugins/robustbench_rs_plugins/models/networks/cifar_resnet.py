"""The CIFAR-10 residual networks of He et al. 2016 (section 4.2), with projection shortcuts.

Parameter names are those of the code of Cohen et al. 2019, so that its checkpoints fit.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from robustbench_rs_plugins.models.networks.normalize import Normalize

WIDTHS = (16, 32, 64)


def conv3x3(inward: int, outward: int, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size (divided by ``stride``)."""
    return nn.Conv2d(inward, outward, 3, stride=stride, padding=1, bias=False)


def projection(inward: int, outward: int, stride: int) -> nn.Sequential | None:
    """The shortcut where shapes differ: 1x1 convolution and batch normalisation; None where the identity fits."""
    if stride == 1 and inward == outward:
        return None
    return nn.Sequential(nn.Conv2d(inward, outward, 1, stride=stride, bias=False), nn.BatchNorm2d(outward))


def initialise(network: nn.Module) -> None:
    """He et al. 2015: normal weights of variance 2 / (kernel area * output channels)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, inward: int, outward: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(inward, outward, stride)
        self.bn1 = nn.BatchNorm2d(outward)
        self.conv2 = conv3x3(outward, outward)
        self.bn2 = nn.BatchNorm2d(outward)
        self.downsample = projection(inward, outward, stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        y = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        return functional.relu(self.bn2(self.conv2(y)) + shortcut, inplace=True)


class CifarResNet(nn.Module):
    """ResNet of ``depth`` = 6n + 2 layers: three stages of n blocks with 16, 32 and 64 channels."""

    def __init__(self, depth: int, channels: int, num_classes: int, normalize: Normalize) -> None:
        super().__init__()
        blocks = (depth - 2) // 6
        self.normalize = normalize
        self.conv1 = conv3x3(channels, WIDTHS[0])
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.layer1 = _stage(WIDTHS[0], WIDTHS[0], blocks, 1)
        self.layer2 = _stage(WIDTHS[0], WIDTHS[1], blocks, 2)
        self.layer3 = _stage(WIDTHS[1], WIDTHS[2], blocks, 2)
        self.fc = nn.Linear(WIDTHS[2], num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Inputs (N, C, H, W) in [0, 1] to logits (N, num_classes)."""
        x = functional.relu(self.bn1(self.conv1(self.normalize(x))), inplace=True)
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def _stage(inward: int, outward: int, blocks: int, stride: int) -> nn.Sequential:
    first = BasicBlock(inward, outward, stride)
    return nn.Sequential(first, *(BasicBlock(outward, outward, 1) for _ in range(blocks - 1)))
