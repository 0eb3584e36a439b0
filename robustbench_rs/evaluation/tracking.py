"""What the progress bar says while a task is sampled."""

from __future__ import annotations

import numpy as np

from robustbench_rs.api import Chunk
from robustbench_rs.evaluation.certify import bound_counts
from robustbench_rs.evaluation.data import Chosen
from robustbench_rs.evaluation.enumeration import Enumeration
from robustbench_rs.evaluation.plan import ENUMERATION, ESTIMATION, SELECTION
from robustbench_rs.spec import Spec
from robustbench_rs.store import RunStore, TaskRow


class RunningAccuracy:
    """Certified accuracy at radius 0 of the inputs that are done so far."""

    def __init__(self, store: RunStore, task: TaskRow, spec: Spec, chosen: Chosen) -> None:
        alpha = spec.certification.alpha
        self._alpha = alpha if spec.optimize is None else spec.optimize.certificate_alpha(alpha)
        self._bound = Enumeration() if task.outcomes else spec.certification.bound.make()
        random = {SELECTION: spec.certification.n0, ESTIMATION: spec.certification.n}
        self._needed = {ENUMERATION: task.outcomes} if task.outcomes else random
        self._labels = dict(zip(chosen.indices.tolist(), chosen.labels.tolist(), strict=True))
        self._counts = {stage: store.counts(task.id, stage) for stage in self._needed}
        self._correct: dict[int, bool] = {}

    def note(self, chunk: Chunk) -> str:
        """Take a chunk in; "certified 0.84" once an input is done, else nothing."""
        touched = {part.index for part in chunk.counts if part.stage in self._needed}
        for part in chunk.counts:
            if part.stage in self._needed:
                counts = self._counts[part.stage]
                counts[part.index] = counts.get(part.index, np.zeros_like(part.counts)) + part.counts
        done = [index for index in touched if self._done(index)]
        if done:
            stages = [np.stack([self._counts[stage][i] for i in done]) for stage in self._needed]
            bounded = bound_counts(stages[0], stages[-1], self._bound, self._alpha)
            labels = np.array([self._labels[index] for index in done])
            self._correct |= dict(zip(done, bounded.predictions == labels, strict=True))
        return f"certified {np.mean(list(self._correct.values())):.2f}" if self._correct else ""

    def _done(self, index: int) -> bool:
        return all(
            index in self._counts[stage] and int(self._counts[stage][index].sum()) == n
            for stage, n in self._needed.items()
        )
