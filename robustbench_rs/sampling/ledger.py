"""Class counts on the device, one slot per request, brought to the host once per chunk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from robustbench_rs.api import StageCounts
from robustbench_rs.errors import RunError
from robustbench_rs.sampling.requests import Segment, StageRequest


@dataclass
class _Slot:
    number: int
    start: int
    stop: int


class Ledger:
    """Counts of the draws since the last chunk. Column ``num_classes`` counts NaN logits; the last slot counts rows
    of a batch that hold no draw, and is never read.
    """

    def __init__(self, requests: Sequence[StageRequest], num_classes: int, slots: int, device: torch.device) -> None:
        self.requests = requests
        self.num_classes = num_classes
        self.columns = num_classes + 1
        self.slots = slots
        self.counts = torch.zeros((slots + 1) * self.columns, dtype=torch.int64, device=device)
        self.nothing = slots * self.columns
        self._open: dict[int, _Slot] = {}

    def has_room(self, segments: Sequence[Segment]) -> bool:
        """Whether every request of a batch finds a slot."""
        return len(self._open.keys() | {segment.request for segment in segments}) <= self.slots

    def offset(self, segment: Segment) -> int:
        """Where the counts of a segment's request begin; opens a slot for it."""
        slot = self._open.get(segment.request)
        if slot is None:
            slot = self._open[segment.request] = _Slot(len(self._open), segment.start, segment.start)
        return slot.number * self.columns

    def commit(self, segments: Sequence[Segment], owners: torch.Tensor, classes: torch.Tensor) -> None:
        """Count a batch: row i adds 1 to ``owners[i] + classes[i]``. Nothing waits for the device."""
        self.counts.scatter_add_(0, owners + classes, torch.ones_like(owners))
        for segment in segments:
            self._open[segment.request].stop = segment.stop

    def draws(self) -> Counter[str]:
        """Draws counted since the last chunk, by stage."""
        drawn: Counter[str] = Counter()
        for request, slot in self._open.items():
            drawn[self.requests[request].stage] += slot.stop - slot.start
        return drawn

    def close(self) -> list[StageCounts]:
        """The counts since the last chunk, and a fresh start. Waits for the device.

        Raises ``RunError`` naming the input when the model returned NaN.
        """
        used = len(self._open) * self.columns
        table = self.counts[:used].cpu().numpy().reshape(len(self._open), self.columns)
        counted = [
            self._row(request, slot, table[slot.number].copy())
            for request, slot in self._open.items()
            if slot.stop > slot.start
        ]
        self.counts.zero_()
        self._open = {}
        return counted

    def _row(self, request: int, slot: _Slot, row: np.ndarray) -> StageCounts:
        asked = self.requests[request]
        if nans := int(row[-1]):
            total = slot.stop - slot.start
            raise RunError(
                f"the model returned NaN for {nans} of {total} draws of input {asked.index} (stage {asked.stage!r})"
            )
        return StageCounts(asked.index, asked.stage, slot.start, slot.stop, row[:-1])
