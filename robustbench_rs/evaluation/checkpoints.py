"""Weights in files: read without running code, matched to a module by name, and written back.

Besides plain state dicts, the layout of Cohen et al. 2019's code and its descendants is understood: ``{"arch":,
"state_dict":}``, a normalising layer first (``0.``), the network after it (``1.``), ``module.`` prefixes anywhere. By
convention a module keeps its normalising constants in a submodule ``normalize`` with buffers ``mean`` and ``std``.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustbench_rs.api import content_digest
from robustbench_rs.errors import InputError, shorten
from robustbench_rs.files import write_atomic

if TYPE_CHECKING:
    from torch import Tensor, nn

TORCH_SUFFIXES = (".pt", ".pth", ".tar")
STATE_KEYS = ("state_dict", "model_state_dict", "model", "net")
WRAPPERS = re.compile(r"(?:(?<=\.)|^)(?:module|_orig_mod)\.")
"""What DataParallel and torch.compile put before names."""

MEAN, STD = "normalize.mean", "normalize.std"
MEAN_NAMES, STD_NAMES = ("0.means", "0.mean", MEAN), ("0.sds", "0.stds", "0.std", STD)
NAMES_SHOWN = 4
SAME_CONSTANT = 1e-5
"""Normalising constants that differ by less are the same, stored with another precision."""


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds. ``arch``: the architecture's name that it states, "" if none."""

    path: Path
    tensors: Mapping[str, Tensor]
    arch: str = ""


@dataclass(frozen=True)
class Weights:
    """Tensors under the network's own names; ``constants``: of a normalising layer, where the file has them.

    ``normalized``: the network stood behind a normalising layer, be its constants in the file or not.
    """

    tensors: Mapping[str, Tensor]
    constants: tuple[Tensor, Tensor] | None
    normalized: bool


def load_weights(module: nn.Module, path: Path, expect_name: str) -> None:
    """Load the weights in ``path`` into ``module``; ``expect_name`` is the model's name in the spec, for messages.

    Raises ``InputError`` when the file is missing, damaged, holds code, NaN or the weights of another architecture, or
    disagrees with the module's normalising layer. Then the module is unchanged.
    """
    checkpoint = read_checkpoint(path)
    expected: dict[str, Tensor] = module.state_dict()
    weights = _own_names(checkpoint, expected)
    state = {**weights.tensors, **_constants(module, weights, expected, path)}
    for name, tensor in expected.items():
        if name.endswith("num_batches_tracked"):  # absent from old files, and without influence on predictions
            state.setdefault(name, tensor)
    _check_fit(checkpoint, state, expected, expect_name)
    module.load_state_dict(state)


def save_weights(module: nn.Module, path: Path) -> None:
    """Write the module's weights as safetensors, atomically. Raises ``OSError``."""
    from safetensors.torch import save

    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in module.state_dict().items()}
    write_atomic(path, save(state))


def weights_digest(module: nn.Module) -> str:
    """SHA-256 over names, types, shapes and bytes of all parameters and buffers, sorted by name."""
    import torch

    parts: list[Any] = []
    for name, tensor in sorted(module.state_dict().items()):
        values = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        parts += [name, str(tensor.dtype), str(tuple(tensor.shape)), values]
    return content_digest(parts)


def read_checkpoint(path: Path) -> Checkpoint:
    """The tensors in a ``.pt``, ``.pth``, ``.tar`` or ``.safetensors`` file, on the CPU. Raises ``InputError``."""
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint; correct the model's 'checkpoint'")
    if path.suffix == ".safetensors":
        return Checkpoint(path, _read_safetensors(path))
    if path.suffix not in TORCH_SUFFIXES:
        raise InputError(f"{path}: unknown kind of checkpoint; expected {', '.join(TORCH_SUFFIXES)} or .safetensors")
    content = _read_torch(path)
    arch = content.get("arch") if isinstance(content, dict) else None
    for key in STATE_KEYS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    return Checkpoint(path, _tensors(content, path), arch if isinstance(arch, str) else "")


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(path, device="cpu")
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: damaged or truncated safetensors file ({error})") from error
    return tensors


def _read_torch(path: Path) -> Any:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        refused = re.search(r"GLOBAL\s+([\w.]+)", str(error))
        if refused is None:
            raise InputError(f"{path}: damaged, or not a checkpoint written by torch.save") from error
        raise InputError(
            f"{path}: holds Python objects ({refused.group(1)}), and loading those could run any code; only "
            "tensors are read. If you trust it, save the weights alone: torch.save(model.state_dict(), 'weights.pt')"
        ) from error
    except Exception as error:  # torch raises nearly anything for a damaged file
        detail = f" ({shorten(str(error))})" if isinstance(error, RuntimeError) else ""
        raise InputError(f"{path}: damaged, or not a checkpoint written by torch.save{detail}") from error


def _tensors(content: object, path: Path) -> dict[str, Tensor]:
    import torch

    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: holds no state dict but {type(content).__name__}; expected names with tensors")
    strange = [str(name) for name, value in content.items() if not isinstance(value, torch.Tensor)]
    if strange:
        raise InputError(f"{path}: no state dict: {_few(strange)} are no tensors; expected a key 'state_dict'")
    return {str(name): tensor for name, tensor in content.items()}


def _own_names(checkpoint: Checkpoint, expected: Mapping[str, Tensor]) -> Weights:
    """The file's tensors under the module's names, as far as the layouts that we know explain them."""
    tensors = dict(checkpoint.tensors)
    if tensors.keys() != expected.keys():
        tensors = {WRAPPERS.sub("", name): tensor for name, tensor in tensors.items()}
    sequential = all(name.startswith(("0.", "1.")) for name in tensors)
    if (
        tensors
        and sequential
        and tensors.keys() != expected.keys()
        and not any(name.startswith("1.") for name in expected)
    ):
        return _split_off(tensors, MEAN_NAMES, STD_NAMES, strip="1.")
    if MEAN in expected:
        return _split_off(tensors, (MEAN,), (STD,), strip="")
    return Weights(tensors, None, normalized=False)


def _split_off(tensors: dict[str, Tensor], mean_names: Iterable[str], std_names: Iterable[str], strip: str) -> Weights:
    mean = next((tensors.pop(name) for name in mean_names if name in tensors), None)
    std = next((tensors.pop(name) for name in std_names if name in tensors), None)
    constants = None if mean is None or std is None else (mean, std)
    network = {name.removeprefix(strip): tensor for name, tensor in tensors.items()}
    return Weights(network, constants, normalized=bool(strip) or constants is not None)


def _constants(module: nn.Module, weights: Weights, expected: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The normalising constants to load: the file's, else the module's own. Raises ``InputError`` on disagreement."""
    if MEAN not in expected:
        if weights.constants is not None:
            raise InputError(f"{path}: holds a normalising layer, but the model has no 'normalize' layer to take it")
        return {}
    own = expected[MEAN], expected[STD]
    stated = bool(getattr(module.get_submodule("normalize"), "stated", True))
    if weights.constants is None:
        if weights.normalized and not stated:
            raise InputError(
                f"{path}: trained behind a normalising layer whose constants the file does not hold; "
                "give the model 'normalize: cifar10', 'normalize: imagenet', or {mean: [...], std: [...]}"
            )
        return {MEAN: own[0], STD: own[1]}
    if any(given.numel() != one.numel() for given, one in zip(weights.constants, own, strict=True)):
        raise InputError(
            f"{path}: normalises {weights.constants[0].numel()} channels; the inputs have {own[0].numel()}"
        )
    mean, std = (given.reshape(one.shape).to(one) for given, one in zip(weights.constants, own, strict=True))
    differ = float(max((mean - own[0]).abs().max(), (std - own[1]).abs().max())) > SAME_CONSTANT
    if stated and differ:
        raise InputError(
            f"{path}: was trained with normalize: {{mean: {_rounded(mean)}, std: {_rounded(std)}}}, but the spec says "
            f"{{mean: {_rounded(own[0])}, std: {_rounded(own[1])}}}; leave 'normalize' out to take the file's"
        )
    return {MEAN: mean, STD: std}


def _check_fit(
    checkpoint: Checkpoint, state: Mapping[str, Tensor], expected: Mapping[str, Tensor], expect_name: str
) -> None:
    missing = [name for name in expected if name not in state]
    unexpected = [name for name in state if name not in expected]
    shapes = [
        f"{name} is {tuple(state[name].shape)} instead of {tuple(expected[name].shape)}"
        for name in expected
        if name in state and state[name].shape != expected[name].shape
    ]
    found = (("missing", missing), ("unexpected", unexpected), ("other shape", shapes))
    problems = [f"{what}: {_few(names)}" for what, names in found if names]
    if problems:
        stated = f" (the file says arch {checkpoint.arch!r})" if checkpoint.arch else ""
        what = f"{checkpoint.path}: weights of another architecture than model {expect_name!r}{stated}"
        raise InputError(f"{what}: {'; '.join(problems)}")
    for name, tensor in state.items():
        if not bool(tensor.isfinite().all()):
            raise InputError(f"{checkpoint.path}: {name} holds NaN or infinite weights; the training has diverged")


def _few(names: list[str]) -> str:
    hidden = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {hidden} more" if hidden > 0 else "")


def _rounded(values: Tensor) -> list[float]:
    return [round(value, 4) for value in values.flatten().tolist()]
