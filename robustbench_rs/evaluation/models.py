"""Base classifiers made ready: built, then trained (or taken from the cache), or loaded from a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import torch
from torch import nn

from robustbench_rs.api import (
    Choice,
    Dataset,
    DatasetParams,
    Inputs,
    Model,
    Noise,
    Training,
    TrainingParams,
    TrainingRun,
)
from robustbench_rs.errors import InputError, RobustbenchError, RunError, shorten
from robustbench_rs.evaluation.checkpoints import load_weights, save_weights, weights_digest
from robustbench_rs.evaluation.data import Chosen, choose_inputs
from robustbench_rs.evaluation.options import RunOptions
from robustbench_rs.evaluation.plan import Task, derive_seed, fingerprint
from robustbench_rs.files import write_atomic


@dataclass(frozen=True)
class Prepared:
    """A module in eval mode on the CPU, and the digest of its weights."""

    module: nn.Module
    digest: str


@dataclass(frozen=True)
class Workshop:
    """What preparing any model of a run needs."""

    inputs: Inputs
    class_names: tuple[str, ...]
    dataset: Choice[Dataset]
    seed: int
    device: str
    options: RunOptions


def prepare_model(task: Task, workshop: Workshop) -> Prepared:
    """The task's classifier with its weights. Raises :class:`InputError` for a bad checkpoint or an unfit shape."""
    choice = task.defense.model
    module = _build(choice, workshop)
    checkpoint, training = (getattr(choice.params, key, None) for key in ("checkpoint", "training"))
    if checkpoint is not None:
        load_weights(module, checkpoint, choice.name)
    elif training is not None:
        _train_once(module, task, training, workshop)
    module.eval()
    return Prepared(module, weights_digest(module))


def _build(choice: Choice[Model], workshop: Workshop) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(workshop.seed, "initial weights"))
        try:
            return choice.make().build(workshop.inputs, workshop.options.importer)
        except RobustbenchError:
            raise
        except ValueError as error:
            raise InputError(f"model {choice.name!r}: {error}") from error
        except Exception as error:
            raise RunError(f"model plugin {choice.name!r} failed to build: {error!r}") from error


def _train_once(module: nn.Module, task: Task, training: Choice[Training], workshop: Workshop) -> None:
    """Train, or take the weights that an equal training left in the cache."""
    params = training.params
    assert isinstance(params, TrainingParams)
    chosen = choose_inputs(params.dataset or _training_split(workshop.dataset))
    _check_same_classes(chosen, workshop)
    noise = params.noise or task.defense.noise
    content = _training_content(task, chosen, workshop)
    target = workshop.options.cache.expanduser() / "models" / f"{fingerprint(content)}.safetensors"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot write to the cache {target.parent}: {error.strerror}; choose another --cache"
        ) from error
    # Two runs that need the same model train it once: the second waits and then reads.
    with filelock.FileLock(target.with_suffix(".lock")):
        if not target.exists():
            _train(module, task.label, training, chosen, noise, target, workshop)
            write_atomic(target.with_suffix(".json"), json.dumps(content, indent=2, sort_keys=True) + "\n")
            save_weights(module, target)
            target.with_suffix(".state").unlink(missing_ok=True)
    load_weights(module, target, task.defense.model.name)


def _train(
    module: nn.Module,
    label: str,
    training: Choice[Training],
    chosen: Chosen,
    noise: Choice[Noise] | None,
    target: Path,
    workshop: Workshop,
) -> None:
    workshop.options.progress.say(f"training {label} on {len(chosen.indices)} inputs")
    run = TrainingRun(
        module=module,
        images=chosen.images,
        indices=np.asarray(chosen.indices),
        noise=None if noise is None else noise.make(),
        seed=derive_seed(workshop.seed, "training"),
        device=workshop.device,
        state_file=target.with_suffix(".state"),
        progress=workshop.options.progress,
    )
    try:
        training.make().train(run)
    except (RobustbenchError, OSError):
        raise
    except Exception as error:
        raise RunError(f"training plugin {training.name!r} failed on {label}: {error!r}") from error
    module.to("cpu")


def _check_same_classes(chosen: Chosen, workshop: Workshop) -> None:
    """A class folder missing in one split would shift all labels after it, unnoticed."""
    images, inputs = chosen.images, workshop.inputs
    if images.shape != inputs.shape:
        raise InputError(f"training inputs have shape {images.shape}, evaluated ones {inputs.shape}")
    if tuple(images.class_names) != workshop.class_names:
        different = sorted(set(images.class_names) ^ set(workshop.class_names))
        raise InputError(
            f"training and evaluated inputs have different classes: {shorten(', '.join(different) or 'another order')}"
        )


def _training_split(dataset: Choice[Dataset]) -> Choice[Dataset]:
    """The whole split "train" of the evaluated data set."""
    fields: dict[str, Any] = {"split": "train", "every": 1, "offset": 0, "limit": None}
    params = dataset.params.model_copy(update=fields)
    assert isinstance(params, DatasetParams)
    return Choice(dataset.component, params)


def _training_content(task: Task, chosen: Chosen, workshop: Workshop) -> Mapping[str, Any]:
    """Everything that determines the trained weights, but the machine."""
    return {
        "model": task.config["model"],
        "noise": task.config["noise"],
        "seed": workshop.seed,
        "data": chosen.images.digest,
        "indices": fingerprint(chosen.indices.tolist()),
        "shape": list(workshop.inputs.shape),
        "classes": workshop.inputs.num_classes,
        "device": workshop.device.partition(":")[0],
    }
