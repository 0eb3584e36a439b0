"""A multi-layer perceptron."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from robustbench_rs_plugins.models.networks.normalize import Normalize


class Mlp(nn.Module):
    """Linear layers with ReLU between them, on the flattened input."""

    def __init__(self, shape: tuple[int, ...], num_classes: int, hidden: Sequence[int], normalize: Normalize) -> None:
        super().__init__()
        self.normalize = normalize
        sizes = [math.prod(shape), *hidden]
        layers: list[nn.Module] = [nn.Flatten()]
        for inward, outward in pairwise(sizes):
            layers += [nn.Linear(inward, outward), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], num_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Inputs (N, \\*shape) to logits (N, num_classes)."""
        logits: Tensor = self.layers(self.normalize(x))
        return logits
