"""Class probabilities that are counted, not estimated: every draw that the noise can make was tried once."""

from __future__ import annotations

import numpy as np

from robustbench_rs.api import Bound, Limits
from robustbench_rs.evaluation.certify import Predicted
from robustbench_rs.results import ABSTAIN

CERTAIN = 0.0
"""The alpha of what holds with certainty."""


class Enumeration(Bound):
    """The shares k / n themselves, rounded outward, of counts of *all* draws; they may have chosen the class as well.

    No plugin: it is no confidence bound of drawn counts, and used where the noise lists its draws.
    """

    name = "enumeration"

    def limits(self, counts: np.ndarray, classes: np.ndarray, alpha: float) -> Limits:  # noqa: ARG002
        """Shares of ``classes`` (m,) and of the best other ones in ``counts`` (m, K); ``alpha`` is not used."""
        top = np.take_along_axis(counts, classes[:, None], axis=1)[:, 0]
        others = counts.copy()
        np.put_along_axis(others, classes[:, None], 0, axis=1)
        total = counts.sum(axis=1)
        return Limits(_share(top, total, 0.0), _share(others.max(axis=1), total, 1.0))

    def budget(self, alpha: float) -> dict[str, float]:  # noqa: ARG002
        """Nothing can fail."""
        return {}


def _share(count: np.ndarray, total: np.ndarray, towards: float) -> np.ndarray:
    """count / total, moved past its rounding; 0 and 1 are exact."""
    share: np.ndarray = count / total
    return np.where((count == 0) | (count == total), share, np.nextafter(share, towards))


def predict_exactly(counts: np.ndarray) -> Predicted:
    """The smoothed classifier itself, from ``counts`` (m, K) of all draws; it abstains on ties, with p-value 1."""
    tied = np.sum(counts == counts.max(axis=1, keepdims=True), axis=1) > 1
    return Predicted(np.where(tied, ABSTAIN, counts.argmax(axis=1)), tied, tied.astype(np.float64))
