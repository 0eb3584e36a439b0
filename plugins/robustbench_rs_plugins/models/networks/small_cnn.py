"""A small convolutional network for small images."""

from __future__ import annotations

from torch import Tensor, nn

from robustbench_rs_plugins.models.networks.normalize import Normalize

GRID = 4
"""Features are averaged down to at most this many cells per side, so that their number hardly grows with the image."""


class SmallCnn(nn.Module):
    """Two convolutions (the second of stride 2), average pooling to a grid of at most 4x4, one linear layer."""

    def __init__(self, shape: tuple[int, int, int], num_classes: int, width: int, normalize: Normalize) -> None:
        super().__init__()
        channels, *sides = shape
        halved = [(side + 1) // 2 for side in sides]
        pool = [max(1, -(-side // GRID)) for side in halved]
        cells = [-(-side // step) for side, step in zip(halved, pool, strict=True)]
        self.normalize = normalize
        self.features = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(inplace=True),
            # Not adaptive pooling: its gradient is not reproducible on a GPU.
            nn.AvgPool2d((pool[0], pool[1]), ceil_mode=True),
            nn.Flatten(),
        )
        self.fc = nn.Linear(2 * width * cells[0] * cells[1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Inputs (N, C, H, W) in [0, 1] to logits (N, num_classes)."""
        logits: Tensor = self.fc(self.features(self.normalize(x)))
        return logits
