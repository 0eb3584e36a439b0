"""The networks: shapes, sizes known from the papers, parameter names of published checkpoints, errors."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from robustbench_rs.api import Inputs, Model
from robustbench_rs.errors import InputError
from robustbench_rs_plugins.models.cifar_resnet import ResNet20, ResNet110
from robustbench_rs_plugins.models.imagenet_resnet import ResNet50
from robustbench_rs_plugins.models.mlp import Mlp
from robustbench_rs_plugins.models.python import Python
from robustbench_rs_plugins.models.small_cnn import SmallCnn


class NoImporter:
    """Stands for a command line that allowed nothing."""

    def load(self, reference: str) -> Any:
        raise InputError(f"{reference}: not allowed")


def build(model: type[Model], shape: tuple[int, ...] = (3, 32, 32), classes: int = 10, **params: object) -> nn.Module:
    return model(model.Params(**params)).build(Inputs(shape, classes), NoImporter()).eval()


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (SmallCnn, (1, 8, 8)),
        (SmallCnn, (1, 28, 28)),
        (SmallCnn, (3, 32, 32)),
        (SmallCnn, (3, 5, 11)),
        (SmallCnn, (2, 4, 4)),
        (Mlp, (1, 8, 8)),
        (Mlp, (1, 1, 3)),
        (ResNet20, (3, 32, 32)),
        (ResNet20, (1, 28, 28)),
        (ResNet50, (3, 64, 48)),
    ],
)
def test_logits(model: type[Model], shape: tuple[int, ...]) -> None:
    module = build(model, shape, classes=7)
    x = torch.rand(5, *shape)
    with torch.inference_mode():
        logits = module(x)
        assert logits.shape == (5, 7)
        assert torch.allclose(module(x[2:3]), logits[2:3], atol=1e-5)
        assert not torch.allclose(logits[0], logits[1])


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_sizes_are_the_published_ones() -> None:
    """He et al. 2016, table 6: 0.27M and 1.7M, plus the projections; ResNet-50: 25,557,032 (torchvision)."""
    projections = 16 * 32 + 32 * 64 + 2 * (32 + 64)
    assert parameters(build(ResNet20)) == 269_722 + projections
    assert parameters(build(ResNet110)) == 1_727_962 + projections
    assert parameters(build(ResNet50, (3, 32, 32), classes=1000)) == 25_557_032
    assert parameters(build(SmallCnn, (1, 8, 8))) < 20_000


def test_names_of_published_checkpoints() -> None:
    names = build(ResNet20).state_dict()
    blocks = [
        f"layer{stage}.{block}.{part}.{rest}"
        for stage in (1, 2, 3)
        for block in (0, 1, 2)
        for part, rest in [
            *((conv, "weight") for conv in ("conv1", "conv2")),
            *((bn, rest) for bn in ("bn1", "bn2") for rest in BATCH_NORM),
        ]
    ]
    projections = [
        f"layer{stage}.0.downsample.{rest}"
        for stage in (2, 3)
        for rest in ("0.weight", *(f"1.{part}" for part in BATCH_NORM))
    ]
    stem = ["conv1.weight", *(f"bn1.{part}" for part in BATCH_NORM), "fc.weight", "fc.bias"]
    assert set(names) == {*stem, *blocks, *projections, "normalize.mean", "normalize.std"}
    assert names["layer2.0.downsample.0.weight"].shape == (32, 16, 1, 1)

    imagenet = build(ResNet50, (3, 32, 32), classes=1000).state_dict()
    assert len(imagenet) == 320 + 2
    assert imagenet["layer4.2.conv3.weight"].shape == (2048, 512, 1, 1)
    assert imagenet["layer1.0.downsample.0.weight"].shape == (256, 64, 1, 1)
    assert imagenet["layer3.5.bn3.running_var"].shape == (1024,)


BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


@pytest.mark.parametrize("model", [SmallCnn, Mlp, ResNet20])
def test_normalize_is_part_of_the_module(model: type[Model]) -> None:
    mean, std = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.2023, 0.1994, 0.2010])
    torch.manual_seed(0)
    plain = build(model)
    torch.manual_seed(0)
    normalized = build(model, normalize="cifar10")
    torch.manual_seed(0)
    spelled = build(model, normalize={"mean": mean.tolist(), "std": std.tolist()})
    x = torch.rand(4, 3, 32, 32)
    with torch.inference_mode():
        by_hand = plain((x - mean[:, None, None]) / std[:, None, None])
        assert torch.allclose(normalized(x), by_hand, atol=1e-4)
        assert torch.allclose(spelled(x), by_hand, atol=1e-4)
        assert not torch.allclose(plain(x), by_hand, atol=1e-2)


def test_modules_travel_to_other_processes() -> None:
    module = build(ResNet20, normalize="cifar10")
    x = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        for copied in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
            assert torch.equal(copied(x), module(x))


@pytest.mark.parametrize(
    ("model", "shape", "params", "message"),
    [
        (ResNet20, (64,), {}, r"'resnet20' needs images \(C, H, W\) .* shape \(64,\)"),
        (ResNet110, (3, 4, 4), {}, "at least 8x8"),
        (ResNet50, (3, 28, 28), {}, "at least 32x32"),
        (SmallCnn, (1, 3, 8), {}, "at least 4x4"),
        (Mlp, (10,), {}, r"needs images"),
        (SmallCnn, (1, 8, 8), {"normalize": "imagenet"}, "constants for 3 channels; the inputs have 1"),
    ],
)
def test_input_does_not_fit(
    model: type[Model], shape: tuple[int, ...], params: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build(model, shape, **params)


@pytest.mark.parametrize(
    ("model", "params"),
    [
        (SmallCnn, {"width": 0}),
        (SmallCnn, {"colour": 1}),
        (Mlp, {"hidden": [10, 0]}),
        (ResNet20, {"normalize": "svhn"}),
        (ResNet20, {"normalize": {"mean": [0.5], "std": [0.5, 0.5]}}),
        (ResNet20, {"normalize": {"mean": [0.5], "std": [0.0]}}),
        (Python, {}),
        (Python, {"factory": "no_function"}),
        (Python, {"factory": "os:system", "kwargs": {"command": ["a"]}}),
    ],
)
def test_wrong_parameters(model: type[Model], params: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        model.Params(**params)


class Importer:
    """Gives one object for every reference."""

    def __init__(self, thing: object) -> None:
        self.thing = thing

    def load(self, reference: str) -> Any:
        assert reference == "my.models:make"
        return self.thing


def from_python(thing: object, **kwargs: object) -> nn.Module:
    params = Python.Params(factory="my.models:make", kwargs=kwargs)
    return Python(params).build(Inputs((1, 2, 2), 3), Importer(thing))


def test_python_factory() -> None:
    module = from_python(lambda size, flag: nn.Linear(size, 3, bias=flag), size=4, flag=False)
    assert module.weight.shape == (3, 4)
    assert module.bias is None


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (nn.Linear(2, 2).weight, "a Parameter, which cannot be called"),
        (dict, r"returned \{\}, not a torch.nn.Module"),
        (lambda: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (lambda size: size, "raised TypeError: .*missing 1 required positional argument: 'size'"),
        (nn.Linear(2, 2), "raised TypeError: .*missing 1 required"),
    ],
)
def test_python_factory_at_fault(thing: object, message: str) -> None:
    with pytest.raises(InputError, match=f"factory my.models:make.*{message}"):
        from_python(thing)


def test_python_factory_must_be_allowed() -> None:
    with pytest.raises(InputError, match="os:getcwd: not allowed"):
        build(Python, factory="os:getcwd")
