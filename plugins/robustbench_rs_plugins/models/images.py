"""What the image models share: the ``normalize`` parameter and the check of the input's shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from robustbench_rs.api import Inputs, ModelParams, Params

if TYPE_CHECKING:
    from torch import nn

    from robustbench_rs_plugins.models.networks.normalize import Normalize

# As in the code of Cohen et al. 2019 and of most checkpoints for these data sets.
PUBLISHED: dict[str, tuple[Sequence[float], Sequence[float]]] = {
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


class Constants(Params):
    """Mean and standard deviation per channel, for pixels in [0, 1]."""

    mean: tuple[float, ...] = Field(min_length=1)
    std: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _as_many(self) -> Constants:
        if len(self.mean) != len(self.std):
            raise ValueError(f"{len(self.mean)} values in 'mean' but {len(self.std)} in 'std'")
        return self


class ImageModelParams(ModelParams):
    """``normalize``: a first layer (x - mean) / std inside the module: "cifar10", "imagenet" (their usual constants),
    ``{mean: [...], std: [...]}``, or none. Radii stay in units of the input before it."""

    normalize: Literal["cifar10", "imagenet"] | Constants | None = None


def image_shape(inputs: Inputs, model: str, smallest: int) -> tuple[int, int, int]:
    """``inputs.shape`` as (C, H, W). Raises ``ValueError`` when it is no image, or a side is below ``smallest``."""
    if len(inputs.shape) != 3 or min(inputs.shape[1:]) < smallest:
        raise ValueError(
            f"model {model!r} needs images (C, H, W) of at least {smallest}x{smallest} pixels; "
            f"the data set gives inputs of shape {tuple(inputs.shape)}"
        )
    channels, height, width = inputs.shape
    return channels, height, width


def normalize_layer(params: ImageModelParams, channels: int) -> Normalize:
    """The normalising layer that ``params`` ask for. Raises ``ValueError`` for another number of channels."""
    from robustbench_rs_plugins.models.networks.normalize import Normalize

    chosen = params.normalize
    if chosen is None:
        return Normalize(channels)
    mean, std = PUBLISHED[chosen] if isinstance(chosen, str) else (chosen.mean, chosen.std)
    if len(mean) != channels:
        raise ValueError(f"'normalize' has constants for {len(mean)} channels; the inputs have {channels}")
    return Normalize(channels, (mean, std))


def channels_last(network: nn.Module) -> nn.Module:
    """The same network with its convolution weights laid out channels last: a quarter faster on a CPU, same numbers."""
    import torch

    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
