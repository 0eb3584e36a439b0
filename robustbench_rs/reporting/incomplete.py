"""Logs that look cut off: shorter than their siblings, or an index stride that stops before the data set does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from robustbench_rs.api.report import Flag
from robustbench_rs.reporting.log_meta import TEST_SIZES
from robustbench_rs.results import Source

INCOMPLETE = "incomplete"


@dataclass(frozen=True)
class _Stride:
    """The subset that a log seems to walk through: every ``step``-th input, from ``first``."""

    dataset: str
    first: int
    step: int
    last: int

    def expected(self, stop: int) -> np.ndarray:
        return np.arange(self.first, stop, self.step)


def incomplete_logs(sources: Sequence[Source]) -> list[Source]:
    """The same logs, each that looks incomplete with a flag; fractions of such a log are of the rows it has."""
    strides = [_stride(source) for source in sources]
    return [
        replace(source, flags=(*source.flags, Flag(source.name, INCOMPLETE, message)))
        if stride is not None and (message := _message(source, stride, [s for s in strides if s is not None]))
        else source
        for source, stride in zip(sources, strides, strict=True)
    ]


def _stride(source: Source) -> _Stride | None:
    """None for a subset that is no walk in steps, such as a random one."""
    m = source.measured[0]
    if len(m.indices) < 2:
        return None
    steps, times = np.unique(np.diff(m.indices), return_counts=True)
    step = int(steps[0])
    if (steps % step).any() or 2 * times[0] < len(m.indices) - 1:
        return None
    return _Stride(m.dataset, int(m.indices[0]), step, int(m.indices[-1]))


def _message(source: Source, stride: _Stride, all_strides: Sequence[_Stride]) -> str:
    indices = source.measured[0].indices
    alike = [s for s in all_strides if (s.dataset, s.first, s.step) == (stride.dataset, stride.first, stride.step)]
    stop = max(TEST_SIZES.get(stride.dataset, 0), max(s.last for s in alike) + 1)
    missing = np.setdiff1d(stride.expected(stop), indices)
    if not len(missing):
        return ""
    return (
        f"looks incomplete: {len(indices)} of {len(indices) + len(missing)} rows (every {stride.step}th input of "
        f"{stride.dataset} from {stride.first}); {_where(missing, stride)}. Fractions are of the rows present."
    )


def _where(missing: np.ndarray, stride: _Stride) -> str:
    if missing[0] > stride.last:
        return f"it stops after index {stride.last}, and {missing[0]} to {missing[-1]} are missing"
    return f"the first missing index is {missing[0]}, the last {missing[-1]}"
