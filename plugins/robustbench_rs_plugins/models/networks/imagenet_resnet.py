"""ResNet-50 (He et al. 2016, table 1), stride in the 3x3 convolution, parameter names as in torchvision."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from robustbench_rs_plugins.models.networks.cifar_resnet import conv3x3, initialise, projection
from robustbench_rs_plugins.models.networks.normalize import Normalize

EXPANSION = 4


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions and a shortcut; ``width`` channels inside, four times as many outside."""

    def __init__(self, inward: int, width: int, stride: int) -> None:
        super().__init__()
        outward = EXPANSION * width
        self.conv1 = nn.Conv2d(inward, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outward, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outward)
        self.downsample = projection(inward, outward, stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        y = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        y = functional.relu(self.bn2(self.conv2(y)), inplace=True)
        return functional.relu(self.bn3(self.conv3(y)) + shortcut, inplace=True)


class ImageNetResNet(nn.Module):
    """Four stages of ``blocks`` bottlenecks (ResNet-50: 3, 4, 6, 3) behind a 7x7 convolution and a pooling."""

    def __init__(
        self, blocks: tuple[int, int, int, int], channels: int, num_classes: int, normalize: Normalize
    ) -> None:
        super().__init__()
        self.normalize = normalize
        self.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(64, 64, blocks[0], 1)
        self.layer2 = _stage(256, 128, blocks[1], 2)
        self.layer3 = _stage(512, 256, blocks[2], 2)
        self.layer4 = _stage(1024, 512, blocks[3], 2)
        self.fc = nn.Linear(2048, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Inputs (N, C, H, W) in [0, 1] to logits (N, num_classes)."""
        x = functional.relu(self.bn1(self.conv1(self.normalize(x))), inplace=True)
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.maxpool(x)))))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def _stage(inward: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    first = Bottleneck(inward, width, stride)
    return nn.Sequential(first, *(Bottleneck(EXPANSION * width, width, 1) for _ in range(blocks - 1)))
