"""The Clopper-Pearson bound of a fixed number of draws."""

from __future__ import annotations

import numpy as np

from robustbench_rs.api import Bound, Limits, Params, hookimpl
from robustbench_rs.statistics.binomial import lower_limit, upper_limit


class ClopperPearsonParams(Params):
    """``runner_up``: bound the best other class too, each at half of alpha, instead of 1 - pA."""

    runner_up: bool = False


class ClopperPearson(Bound):
    """Exact one-sided binomial limits (Clopper and Pearson 1934), rounded outward."""

    name = "clopper-pearson"
    Params = ClopperPearsonParams

    def limits(self, counts: np.ndarray, classes: np.ndarray, alpha: float) -> Limits:
        """See :class:`robustbench_rs.api.Bound`. Raises ``ValueError`` for negative counts or alpha outside (0, 1)."""
        counts, chosen = np.asarray(counts), np.asarray(classes)[:, np.newaxis]
        n = counts.sum(axis=1)
        top = np.take_along_axis(counts, chosen, axis=1)[:, 0]
        if not self._runner_up:
            p_lower = lower_limit(top, n, alpha)
            return Limits(p_lower, 1.0 - p_lower)
        # No factor for the number of classes: the upper limit is monotone in the count, and the true runner-up is one
        # fixed class whose count is at most the largest one.
        others = counts.copy()
        np.put_along_axis(others, chosen, 0, axis=1)
        p_lower = lower_limit(top, n, alpha / 2)
        return Limits(p_lower, np.minimum(upper_limit(others.max(axis=1), n, alpha / 2), 1.0 - p_lower))

    def budget(self, alpha: float) -> dict[str, float]:
        if not self._runner_up:
            return {"lower limit of the top class": alpha}
        return {"lower limit of the top class": alpha / 2, "upper limit of the runner-up": alpha / 2}

    @property
    def _runner_up(self) -> bool:
        return bool(getattr(self.params, "runner_up", False))


@hookimpl
def robustbench_rs_bounds() -> list[type[Bound]]:
    return [ClopperPearson]
