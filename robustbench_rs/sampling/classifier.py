"""The base classifier as the engine sees it: a batch in, class numbers out, every failure an error for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from robustbench_rs.errors import RunError
from robustbench_rs.sampling.memory import OutOfMemoryError, is_out_of_memory


class Classifier:
    """Wraps a module (N, \\*shape) -> logits (N, ``num_classes``) that is on its device and in eval mode."""

    def __init__(self, module: nn.Module, num_classes: int) -> None:
        self.module = module
        self.num_classes = num_classes

    def classes(self, batch: torch.Tensor) -> torch.Tensor:
        """Class of the largest logit (N,), int64, the first where several are equal; ``num_classes`` for NaN logits.

        Raises ``OutOfMemoryError`` when the batch does not fit, and ``RunError`` when the module fails or returns
        something else.
        """
        try:
            logits = self.module(batch)
        except Exception as error:
            if is_out_of_memory(error):
                raise OutOfMemoryError from None
            raise RunError(
                f"the model ({type(self.module).__name__}) failed on a batch of shape {tuple(batch.shape)}: "
                f"{type(error).__name__}: {error}"
            ) from error
        self._check(logits, len(batch))
        values: torch.Tensor
        classes: torch.Tensor
        values, classes = logits.max(dim=1)
        classes.masked_fill_(values.isnan(), self.num_classes)
        return classes

    def _check(self, logits: object, draws: int) -> None:
        expected = (draws, self.num_classes)
        if not isinstance(logits, torch.Tensor):
            raise RunError(
                f"the model returned {type(logits).__name__}, expected a tensor of logits of shape {expected}"
            )
        if tuple(logits.shape) != expected:
            raise RunError(f"the model returned shape {tuple(logits.shape)}, expected {expected}: (inputs, classes)")
        if logits.is_complex():
            raise RunError(f"the model returned {logits.dtype} logits, expected real numbers")


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Eval mode inside; afterwards every submodule is in the mode that it was in."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def threads(number: int | None) -> Iterator[None]:
    """``number`` torch threads inside, None: as they are."""
    before = torch.get_num_threads()
    if number is not None:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        if number is not None:
            torch.set_num_threads(before)
