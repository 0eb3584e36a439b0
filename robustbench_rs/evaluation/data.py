"""The evaluated inputs: loaded, chosen, and checked before anything expensive begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robustbench_rs.api import Choice, Dataset, DatasetParams, Images
from robustbench_rs.errors import InputError, RobustbenchError, RunError


@dataclass(frozen=True)
class Chosen:
    """Images of a split and the original indices (m,) of those to use."""

    images: Images
    indices: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        labels: np.ndarray = self.images.labels[self.indices]
        return labels


def choose_inputs(choice: Choice[Dataset], shard: tuple[int, int] | None = None) -> Chosen:
    """Load the data set and choose inputs by its parameters. Raises :class:`InputError` naming the data set."""
    assert isinstance(choice.params, DatasetParams)
    images = load_images(choice, choice.params.split)
    indices = choice.params.indices(len(images))
    if shard is not None:
        indices = indices[shard[0] - 1 :: shard[1]]
    if not len(indices):
        raise InputError(
            f"dataset {choice.name!r}: no input is chosen: the split {choice.params.split!r} has {len(images)}; "
            "look at 'offset', 'every', 'limit' and --shard"
        )
    return Chosen(images, indices)


def load_images(choice: Choice[Dataset], split: str) -> Images:
    """All images of a split, with labels checked against the number of classes."""
    try:
        images = choice.make().load(split)
    except RobustbenchError:
        raise
    except (ValueError, OSError) as error:
        raise InputError(f"dataset {choice.name!r}: {error}") from error
    except Exception as error:
        raise RunError(f"dataset plugin {choice.name!r} failed: {error!r}") from error
    _check_labels(choice.name, images)
    return images


def _check_labels(name: str, images: Images) -> None:
    bad = np.flatnonzero((images.labels < 0) | (images.labels >= images.num_classes))
    if len(bad):
        index, last = int(bad[0]), images.num_classes - 1
        raise InputError(
            f"dataset {name!r}: input {index} has label {int(images.labels[index])}, outside 0 to {last}"
            + (f" (and {len(bad) - 1} more)" if len(bad) > 1 else "")
        )
