"""Data, checkpoints and models that are wrong: exit 2 (1 where the run had begun), one message that names the file."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Arguments = tuple[list[str], list[str], int]

LINEAR = """
    import torch

    def make():
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
"""


def png(size: int = 8) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (size, size), (10, 20, 30)).save(file, "PNG")
    return file.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def folder_spec(world, path: str, **fields: Any) -> list[str]:
    model = {"name": "python", "factory": "my_plugin:make"}
    spec = world.spec(dataset={"name": "image-folder", "path": path, **fields}, defenses__0__model=model)
    return ["run", spec, "-p", world.plugin(LINEAR)]


def npz_spec(world, **arrays: Any) -> list[str]:
    file = io.BytesIO()
    np.savez(file, **arrays)
    world.write("data.npz", file.getvalue())
    model = {"name": "python", "factory": "my_plugin:make"}
    spec = world.spec(dataset={"name": "npz", "path": "data.npz"}, defenses__0__model=model)
    return ["run", spec, "-p", world.plugin(LINEAR)]


def missing_folder(world) -> Arguments:
    return folder_spec(world, "absent"), ["absent", "no such file or folder"], 2


def truncated_zip(world) -> Arguments:
    world.write("images.zip", zipped({f"test/{c}/{i}.png": png() for c in "ab" for i in range(3)})[:-60])
    return folder_spec(world, "images.zip"), ["images.zip", "truncated"], 2


def damaged_member(world) -> Arguments:
    whole = bytearray(zipped({"test/a/0.png": png()}))
    whole[60] ^= 0xFF
    world.write("images.zip", bytes(whole))
    return folder_spec(world, "images.zip"), ["images.zip", "0.png"], 2


def undecodable_image(world) -> Arguments:
    world.write("images/test/a/0.png", b"not a picture")
    return folder_spec(world, "images"), ["0.png", "not an image"], 2


def images_of_two_sizes(world) -> Arguments:
    world.write("images/test/a/0.png", png(8))
    world.write("images/test/a/1.png", png(9))
    return folder_spec(world, "images"), ["1.png", "different size"], 2


def no_such_split(world) -> Arguments:
    world.write("images/test/a/0.png", png())
    return folder_spec(world, "images", split="validation"), ["'validation'"], 2


def label_out_of_range(world) -> Arguments:
    world.write("names.txt", "")
    arguments = npz_spec(world, x=np.zeros((3, 8, 8), np.uint8), y=np.array([0, 1, -1]))
    return arguments, ["data.npz", "label -1 of image 2"], 2


def labels_that_are_no_integers(world) -> Arguments:
    return npz_spec(world, x=np.zeros((2, 8, 8), np.uint8), y=np.array([0.5, 1])), ["data.npz", "whole numbers"], 2


def more_labels_than_images(world) -> Arguments:
    return npz_spec(world, x=np.zeros((2, 8, 8), np.uint8), y=np.arange(3)), ["2 images but 3 labels"], 2


def nan_in_the_data(world) -> Arguments:
    x = np.zeros((3, 8, 8), np.float32)
    x[1, 2, 3] = np.nan
    return npz_spec(world, x=x, y=np.arange(3)), ["data.npz", "image 1 has NaN"], 2


def pixels_up_to_255_as_floats(world) -> Arguments:
    return npz_spec(world, x=np.full((2, 8, 8), 255.0), y=np.arange(2)), ["data.npz", "[0, 1]"], 2


def pickled_objects(world) -> Arguments:
    x = np.array([{"a": 1}, None], dtype=object)
    return npz_spec(world, x=x, y=np.arange(2)), ["data.npz"], 2


def nothing_chosen(world) -> Arguments:
    spec = world.spec(dataset={"name": "digits", "offset": 100_000})
    return ["run", spec], ["'digits'", "no input is chosen", "'offset'"], 2


def nothing_in_the_shard(world) -> Arguments:
    return ["run", world.spec(), "--shard", "7/7"], ["no input is chosen", "--shard"], 2


def checkpoint_spec(world, name: str, model: str = "mlp") -> list[str]:
    return ["run", world.spec(defenses__0__model={"name": model, "checkpoint": name})]


def saved(content: Any) -> bytes:
    import torch

    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def missing_checkpoint(world) -> Arguments:
    return checkpoint_spec(world, "absent.pt"), ["absent.pt", "no such checkpoint"], 2


def corrupt_checkpoint(world) -> Arguments:
    world.write("bad.pt", b"PK\x03\x04 and then nothing")
    return checkpoint_spec(world, "bad.pt"), ["bad.pt", "damaged"], 2


def truncated_checkpoint(world) -> Arguments:
    import torch

    world.write("bad.pt", saved({"weight": torch.zeros(1000)})[:-500])
    return checkpoint_spec(world, "bad.pt"), ["bad.pt", "damaged"], 2


def corrupt_safetensors(world) -> Arguments:
    world.write("bad.safetensors", b"\xff" * 100)
    return checkpoint_spec(world, "bad.safetensors"), ["bad.safetensors", "damaged"], 2


def checkpoint_of_unknown_kind(world) -> Arguments:
    world.write("weights.h5", b"\x89HDF")
    return checkpoint_spec(world, "weights.h5"), ["weights.h5", "unknown kind of checkpoint"], 2


def checkpoint_that_would_run_code(world) -> Arguments:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (open, (str(world.folder / "trace"), "w"))

    world.write("evil.pt", pickle.dumps({"state_dict": Evil()}, protocol=2))
    return checkpoint_spec(world, "evil.pt"), ["evil.pt"], 2


def checkpoint_of_another_architecture(world) -> Arguments:
    import torch

    world.write("other.pt", saved({"arch": "cifar_resnet110", "state_dict": {"fc.weight": torch.zeros(10, 64)}}))
    return checkpoint_spec(world, "other.pt", "resnet20"), ["other.pt", "another architecture", "cifar_resnet110"], 2


def factory_that_was_not_allowed(world) -> Arguments:
    spec = world.spec(defenses__0__model={"name": "python", "factory": "os:getcwd"})
    return ["run", spec], ["'os:getcwd'", "--allow-import os", "-p FILE"], 2


def factory_that_does_not_exist(world) -> Arguments:
    spec = world.spec(defenses__0__model={"name": "python", "factory": "my_plugin:absent"})
    return ["run", spec, "-p", world.plugin(LINEAR)], ["my_plugin", "'absent'"], 2


def factory_that_makes_no_module(world) -> Arguments:
    spec = world.spec(defenses__0__model={"name": "python", "factory": "my_plugin:make"})
    return ["run", spec, "-p", world.plugin("def make():\n    return 3\n")], ["my_plugin:make", "torch.nn.Module"], 2


def factory_that_raises(world) -> Arguments:
    spec = world.spec(defenses__0__model={"name": "python", "factory": "my_plugin:make"})
    plugin = world.plugin("def make():\n    raise KeyError('weights')\n")
    return ["run", spec, "-p", plugin], ["my_plugin:make", "KeyError", "weights"], 2


def model_for_other_inputs(world) -> Arguments:
    training = {"name": "noise-augmentation", "epochs": 1}
    return ["run", world.spec(defenses__0__model={"name": "resnet50", "training": training})], ["resnet50"], 2


def model_that_returns(world, expression: str, words: list[str]) -> Arguments:
    plugin = world.plugin(
        f"""
        import torch

        class Odd(torch.nn.Module):
            def forward(self, x):
                return {expression}

        def make():
            return Odd()
        """
    )
    return (
        ["run", world.spec(defenses__0__model={"name": "python", "factory": "my_plugin:make"}), "-p", plugin],
        words,
        1,
    )


def model_that_returns_nan(world) -> Arguments:
    return model_that_returns(world, "torch.full((len(x), 10), float('nan'))", ["the model returned NaN", "input"])


def model_of_another_number_of_classes(world) -> Arguments:
    return model_that_returns(world, "torch.zeros(len(x), 7)", ["the model returned shape", "7"])


def model_that_returns_no_tensor(world) -> Arguments:
    return model_that_returns(world, "[1, 2]", ["the model returned list"])


def model_that_raises(world) -> Arguments:
    return model_that_returns(world, "x @ torch.zeros(3, 3)", ["the model", "failed on a batch", "RuntimeError"])


CASES: list[Callable[..., Arguments]] = [
    value
    for name, value in list(globals().items())
    if callable(value)
    and getattr(value, "__annotations__", {}).get("return") == "Arguments"
    and name != "model_that_returns"
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_bad_data_and_models(case: Callable[..., Arguments], world, refused) -> None:
    arguments, words, code = case(world)
    refused(arguments, words, code)
    assert not (world.folder / "trace").exists()
    assert not list((world.folder / "runs").rglob("report"))


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 30
