"""From counts to certificates: Algorithm CERTIFY of Cohen et al. (2019), for any bound and any solver; and PREDICT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robustbench_rs.api import Bound, Noise, Tables
from robustbench_rs.errors import RobustbenchError, RunError
from robustbench_rs.evaluation.solving import Asked, Refused, Solved, solve
from robustbench_rs.plugins import Registry
from robustbench_rs.results import ABSTAIN
from robustbench_rs.statistics.binomial import top_two_p_value


@dataclass(frozen=True)
class Bounded:
    """Chosen classes and limits (m,). ``abstained`` where pA <= pB, which is pA <= 1/2 without a runner-up bound."""

    classes: np.ndarray
    p_lower: np.ndarray
    p_upper: np.ndarray

    @property
    def abstained(self) -> np.ndarray:
        abstained: np.ndarray = self.p_lower <= self.p_upper
        return abstained

    @property
    def predictions(self) -> np.ndarray:
        return np.where(self.abstained, ABSTAIN, self.classes)


def bound_counts(selection: np.ndarray, estimation: np.ndarray, bound: Bound, alpha: float) -> Bounded:
    """Choose the class on ``selection`` counts (m, K), bound its probability on ``estimation`` counts (m, K).

    The two must come from disjoint draws. Raises as :func:`bound_classes` does.
    """
    return bound_classes(selection.argmax(axis=1), estimation, bound, alpha)


def bound_classes(classes: np.ndarray, estimation: np.ndarray, bound: Bound, alpha: float) -> Bounded:
    """Bound the probabilities of ``classes`` (m,), which came from elsewhere, on ``estimation`` counts (m, K).

    Raises :class:`RunError` when the bound plugin fails or returns what can be no limits.
    """
    try:
        limits = bound.limits(estimation, classes, alpha)
    except RobustbenchError:
        raise
    except Exception as error:
        raise RunError(f"bound plugin {bound.name!r} failed: {error!r}") from error
    for name, values in (("p_lower", limits.p_lower), ("p_upper", limits.p_upper)):
        if values.shape != classes.shape or not ((values >= 0) & (values <= 1)).all():
            raise RunError(f"bound {bound.name!r} returned {name} outside [0, 1] or of a wrong shape")
    return Bounded(classes, limits.p_lower, limits.p_upper)


def certified_radii(
    bounded: Bounded,
    solvers: Sequence[Asked],
    registry: Registry,
    noise: Noise,
    norm: float,
    dim: int,
    tables: Tables | None = None,
) -> tuple[list[Solved], list[Refused]]:
    """Radii in one norm from every solver asked for; 0 where abstained."""
    solved: list[Solved] = []
    refused: list[Refused] = []
    for asked in solvers:
        found, missing = solve(
            asked, registry, noise, norm, bounded.p_lower, bounded.p_upper, dim, tables, bracket=False
        )
        solved += found
        refused += missing
    return solved, refused


def largest_attainable(n: int, bound: Bound, alpha: float, num_classes: int) -> Bounded:
    """The limits when all ``n`` draws agree: no input can get a larger radius."""
    counts = np.zeros((1, num_classes), dtype=np.int64)
    counts[0, 0] = n
    return bound_counts(counts, counts, bound, alpha)


@dataclass(frozen=True)
class Evidence:
    """Counts (m, K) that choose classes, and those that ``bound`` bounds them on, at level ``level`` of ``alpha``.

    ``n0``: draws that served the choice alone.
    """

    selection: np.ndarray
    estimation: np.ndarray
    bound: Bound
    alpha: float
    level: float
    n0: int

    @property
    def n(self) -> int:
        """Draws per input behind the limits."""
        return int(self.estimation[0].sum())

    def bounded(self) -> Bounded:
        """Classes and limits of all inputs."""
        return bound_counts(self.selection, self.estimation, self.bound, self.level)

    def largest_attainable(self) -> Bounded:
        """The limits when all draws agree: no input can get a larger radius."""
        return largest_attainable(self.n, self.bound, self.level, self.estimation.shape[1])


@dataclass(frozen=True)
class Predicted:
    """Algorithm PREDICT: classes (m,), ABSTAIN where ``abstained``; two-sided p-values (m,) of the top two counts."""

    predictions: np.ndarray
    abstained: np.ndarray
    p_value: np.ndarray

    def correct(self, labels: np.ndarray) -> np.ndarray:
        """Not abstained, and the class is the label (m,), bool."""
        correct: np.ndarray = ~self.abstained & (self.predictions == labels)
        return correct


def predict(counts: np.ndarray, alpha: float) -> Predicted:
    """Return the top class of ``counts`` (m, K) unless a fair coin between the top two explains them (p > alpha)."""
    order = np.argsort(-counts, axis=1, kind="stable")[:, :2]
    top, second = (np.take_along_axis(counts, order[:, [column]], axis=1)[:, 0] for column in (0, 1))
    p_value = np.asarray(top_two_p_value(top, second))
    abstained = p_value > alpha
    return Predicted(np.where(abstained, ABSTAIN, order[:, 0]), abstained, p_value)
