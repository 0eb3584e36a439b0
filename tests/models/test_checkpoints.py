"""Weights from files: every layout that we read, and every file that we refuse."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from robustbench_rs.api import Inputs
from robustbench_rs.errors import InputError
from robustbench_rs.evaluation.checkpoints import load_weights, save_weights, weights_digest
from robustbench_rs_plugins.models.cifar_resnet import ResNet20, ResNet110

MEAN, STD = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.2023, 0.1994, 0.2010])
X = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(5))


def resnet20(seed: int = 0, normalize: object = None) -> nn.Module:
    torch.manual_seed(seed)
    module = ResNet20(ResNet20.Params(normalize=normalize)).build(Inputs((3, 32, 32), 10), None).eval()
    for buffer in module.modules():
        if isinstance(buffer, nn.BatchNorm2d):
            buffer.running_mean.normal_(0, 0.1)
    return module


class Paper(nn.Module):
    """As a checkpoint's author would have written it: constants as buffers only if ``stored``."""

    def __init__(self, stored: bool) -> None:
        super().__init__()
        for name, value in (("means", MEAN), ("sds", STD)):
            if stored:
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.means[:, None, None]) / self.sds[:, None, None]


def network_state(seed: int = 0) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in resnet20(seed).state_dict().items() if not name.startswith("normalize")}


def published(stored: bool, prefix: str = "", inner: str = "module.") -> tuple[dict[str, Tensor], Tensor]:
    """A state dict in the layout of Cohen et al.'s code, and the logits of the model that it came from."""
    network = resnet20(1)
    model = nn.Sequential(Paper(stored), network)
    state = {
        prefix + name.replace("1.", f"1.{inner}", 1) if name.startswith("1.") else prefix + name: tensor
        for name, tensor in model.state_dict().items()
        if "normalize" not in name
    }
    with torch.inference_mode():
        return state, model(X)


def logits(module: nn.Module) -> Tensor:
    with torch.inference_mode():
        return module.eval()(X)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pth.tar", ".safetensors"])
@pytest.mark.parametrize("wrapped", ["bare", "state_dict", "module."])
def test_plain_layouts(tmp_path: Path, suffix: str, wrapped: str) -> None:
    path = tmp_path / f"weights{suffix}"
    state = network_state(1)
    if wrapped == "module.":
        state = {f"module.{name}": tensor for name, tensor in state.items()}
    if suffix == ".safetensors":
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
    else:
        torch.save({"state_dict": state, "epoch": 3} if wrapped == "state_dict" else state, path)
    module = resnet20(2)
    load_weights(module, path, "resnet20")
    assert torch.equal(logits(module), logits(resnet20(1)))


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(("prefix", "inner"), [("", ""), ("", "module."), ("module.", "")])
def test_layout_of_cohen_et_al(tmp_path: Path, legacy: bool, stored: bool, prefix: str, inner: str) -> None:
    state, expected = published(stored, prefix, inner)
    optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1).state_dict()
    content = {"epoch": 90, "arch": "cifar_resnet20", "state_dict": state, "optimizer": optimizer}
    path = tmp_path / "checkpoint.pth.tar"
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    module = resnet20(2, normalize="cifar10")
    load_weights(module, path, "resnet20")
    assert torch.allclose(logits(module), expected, atol=1e-4)


def test_constants_of_the_file_are_taken_where_the_spec_has_none(tmp_path: Path) -> None:
    state, expected = published(stored=True)
    torch.save({"arch": "cifar_resnet20", "state_dict": state}, tmp_path / "c.pt")
    module = resnet20(2)
    load_weights(module, tmp_path / "c.pt", "resnet20")
    assert torch.allclose(logits(module), expected, atol=1e-4)


def test_constants_that_disagree(tmp_path: Path) -> None:
    torch.save(published(stored=True)[0], tmp_path / "c.pt")
    with pytest.raises(InputError, match=r"c\.pt: was trained with normalize: .*0\.4914.*but the spec says .*0\.485"):
        load_weights(resnet20(2, normalize="imagenet"), tmp_path / "c.pt", "resnet20")


def test_constants_that_nobody_states(tmp_path: Path) -> None:
    torch.save(published(stored=False)[0], tmp_path / "c.pt")
    with pytest.raises(InputError, match="behind a normalising layer whose constants the file does not hold"):
        load_weights(resnet20(2), tmp_path / "c.pt", "resnet20")


@pytest.mark.parametrize("normalize", [None, "cifar10"])
def test_own_files_come_back(tmp_path: Path, normalize: str | None) -> None:
    module = resnet20(1, normalize)
    save_weights(module, tmp_path / "w.safetensors")
    for again in (resnet20(2), resnet20(3, normalize)):
        load_weights(again, tmp_path / "w.safetensors", "resnet20")
        assert torch.equal(logits(again), logits(module))
        assert weights_digest(again) == weights_digest(module)


def test_old_files_without_batch_counters(tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in network_state(1).items() if "num_batches" not in name}
    torch.save(state, tmp_path / "old.pt")
    module = resnet20(2)
    load_weights(module, tmp_path / "old.pt", "resnet20")
    assert torch.equal(logits(module), logits(resnet20(1)))


def test_third_party_module_in_its_own_layout(tmp_path: Path) -> None:
    def make() -> nn.Module:
        return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Linear(4, 2)))

    module, again = make(), make()
    torch.save({f"module.{name}": tensor for name, tensor in module.state_dict().items()}, tmp_path / "w.pt")
    load_weights(again, tmp_path / "w.pt", "python")
    assert weights_digest(again) == weights_digest(module)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state["fc.bias"].add_(1e-6),
        lambda state: state["bn1.running_mean"].add_(1e-6),
        lambda state: state["normalize.mean"].add_(1e-6),
    ],
)
def test_digest_sees_every_change(change: Callable[[dict[str, Tensor]], object]) -> None:
    module = resnet20(1)
    before = weights_digest(module)
    assert before == weights_digest(resnet20(1))
    assert before == weights_digest(resnet20(1).to(memory_format=torch.contiguous_format))
    change(module.state_dict())
    assert weights_digest(module) != before


def resnet110_state() -> dict[str, Tensor]:
    return ResNet110().build(Inputs((3, 32, 32), 10), None).state_dict()


def without(name: str) -> dict[str, Tensor]:
    state = network_state()
    del state[name]
    return state


def with_nan() -> dict[str, Tensor]:
    state = network_state()
    state["layer1.0.conv1.weight"][0, 0, 0, 0] = float("nan")
    return state


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            lambda: {"arch": "cifar_resnet110", "state_dict": resnet110_state()},
            r"another architecture than model 'resnet20' \(the file says arch 'cifar_resnet110'\): unexpected: lay",
        ),
        (lambda: without("fc.bias"), r"another architecture .*: missing: fc\.bias$"),
        (lambda: network_state() | {"fc2.bias": torch.zeros(1)}, r"unexpected: fc2\.bias$"),
        (
            lambda: network_state() | {"fc.weight": torch.zeros(100, 64)},
            r"other shape: fc\.weight is \(100, 64\) instead of \(10, 64\)",
        ),
        (with_nan, r"layer1\.0\.conv1\.weight holds NaN"),
        (lambda: [torch.zeros(2)], "holds no state dict but list"),
        (dict, "holds no state dict"),
        (lambda: {"weights": {"a": torch.zeros(1)}, "lr": 0.1}, "weights, lr are no tensors"),
        (lambda: network_state() | {"normalize.mean": torch.zeros(1), "normalize.std": torch.ones(1)}, "1 channels"),
    ],
)
def test_refused_content(tmp_path: Path, content: Callable[[], object], message: str) -> None:
    torch.save(content(), tmp_path / "c.pt")
    module = resnet20(1)
    before = weights_digest(module)
    with pytest.raises(InputError, match=rf"c\.pt: .*{message}"):
        load_weights(module, tmp_path / "c.pt", "resnet20")
    assert weights_digest(module) == before


def test_long_lists_of_names_are_cut(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "c.pt")
    with pytest.raises(InputError, match=r"and \d+ more; unexpected: a") as caught:
        load_weights(resnet20(), tmp_path / "c.pt", "resnet20")
    assert len(str(caught.value)) < len(str(tmp_path)) + 400


class Evil:
    """Unpickled, it creates a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("legacy", [False, True])
def test_pickled_code_does_not_run(tmp_path: Path, legacy: bool) -> None:
    torch.save({"state_dict": Evil(tmp_path / "ran")}, tmp_path / "c.pt", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(InputError, match=r"holds Python objects \(posix\.mkdir\).*run any code"):
        load_weights(resnet20(), tmp_path / "c.pt", "resnet20")
    assert not (tmp_path / "ran").exists()


def test_other_python_objects_are_named(tmp_path: Path) -> None:
    torch.save({"state_dict": network_state(), "best": np.float64(0.5)}, tmp_path / "c.pt")
    with pytest.raises(InputError, match=r"holds Python objects \(numpy\S*\.scalar\)"):
        load_weights(resnet20(), tmp_path / "c.pt", "resnet20")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_damaged_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"c{suffix}"
    save_weights(resnet20(), path) if suffix == ".safetensors" else torch.save(network_state(), path)
    whole = path.read_bytes()
    for damaged in (
        whole[: len(whole) // 2],
        whole[:-10],
        whole[:5],
        b"",
        b"hello world",
        np.random.default_rng(0).bytes(1000),
    ):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=rf"c{suffix}: damaged"):
            load_weights(resnet20(), path, "resnet20")


def test_files_of_no_known_kind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"c\.pt: no such checkpoint"):
        load_weights(resnet20(), tmp_path / "c.pt", "resnet20")
    (tmp_path / "c.h5").write_bytes(b"")
    with pytest.raises(InputError, match=r"c\.h5: unknown kind of checkpoint; expected \.pt"):
        load_weights(resnet20(), tmp_path / "c.h5", "resnet20")
