"""Confidence bounds: from class counts to (pA, pB)."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from robustbench_rs.api.component import Component


@dataclass(frozen=True)
class Limits:
    """Bounds that hold jointly, per input, with probability at least 1 - alpha.

    ``p_lower`` (m,): lower limit of the chosen class's probability. ``p_upper`` (m,): upper limit of the best other
    class, ``1 - p_lower`` where it is not estimated.
    """

    p_lower: np.ndarray
    p_upper: np.ndarray


class Bound(Component):
    """From counts of *fresh* draws (never those that chose the class) to limits."""

    kind: ClassVar[str] = "bound"

    @abstractmethod
    def limits(self, counts: np.ndarray, classes: np.ndarray, alpha: float) -> Limits:
        """Limits for ``counts`` (m, K) int64 and the chosen ``classes`` (m,), at joint level ``alpha``."""

    @abstractmethod
    def budget(self, alpha: float) -> dict[str, float]:
        """How ``alpha`` is split, purpose by purpose; sums to at most ``alpha``."""
