"""Certificates from Renyi divergence (Li et al. 2019, "Certified adversarial robustness with additive noise").

A baseline: valid, and not tight.
"""

from __future__ import annotations

import numpy as np

from robustbench_rs.api import Noise, Radii, Solver, hookimpl
from robustbench_rs.statistics.rounding import certified, down

SOURCE = "Li et al. 2019, by Renyi divergence"
ORDERS = np.geomspace(1e-3, 1e3, 49)[:, np.newaxis]
"""a - 1 of the orders that are tried first."""
ROUNDS = 3
ROUNDING = 2e-15
"""Of the logarithms of which the power mean is computed, relative to 1 and to themselves."""


class RenyiSolver(Solver):
    """Gaussian noise in l2, by Renyi divergences of all orders a > 1 (Li et al. 2019)."""

    name = "renyi"
    effort = 0

    def refusal(self, noise: Noise, norm: float, dim: int) -> str | None:  # noqa: ARG002
        if noise.name != "gaussian":
            return f"the theorem is about gaussian noise, not about {noise.name} noise"
        return None if norm <= 2 else "the theorem is about l2, which covers norms up to 2 only"

    def radii(self, noise: Noise, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> Radii:
        """Raises ``ValueError`` with the text of :meth:`refusal`. The largest radius over the orders: each is valid."""
        reason = self.refusal(noise, norm, dim)
        if reason is not None or noise.sigma is None:
            raise ValueError(reason or f"{noise.name} noise has no sigma")
        other = np.minimum(p_upper, 1.0 - p_lower)
        squared = _largest(np.asarray(p_lower, dtype=np.float64), other)
        radius = down(noise.sigma * np.sqrt(squared), 1e-12)
        return Radii(certified(radius, p_lower, p_upper), "proved", None, {"source": SOURCE})


def _largest(top: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Squares of R / sigma (m,): the orders are refined around the best, three times."""
    excess, best = np.broadcast_to(ORDERS, (len(ORDERS), len(top))), np.zeros(top.shape)
    for _ in range(ROUNDS):
        values = _squared(1.0 + excess, top, other)
        at = np.argmax(values, axis=0)
        columns = np.arange(len(top))
        best = np.maximum(best, values[at, columns])
        first = excess[np.maximum(at - 1, 0), columns]
        last = excess[np.minimum(at + 1, len(excess) - 1), columns]
        excess = np.geomspace(first, last, len(ORDERS))
    return best


def _squared(a: np.ndarray, top: np.ndarray, other: np.ndarray) -> np.ndarray:
    """-(2/a) ln(1 - pA - pB + 2 (1/2 (pA^(1-a) + pB^(1-a)))^(1/(1-a))), rounded down; the mean by logarithms."""
    with np.errstate(divide="ignore", invalid="ignore"):
        powers = np.logaddexp((1 - a) * np.log(top), (1 - a) * np.log(other)) - np.log(2.0)
        mean = np.exp(powers / (1 - a))
        rounding = ROUNDING * (1 + 2 * np.nan_to_num(mean * (1 - np.log(other) + 1 / (a - 1)), nan=0.0))
        value = -2 / a * np.log1p(np.maximum(2 * mean - top - other, -1.0) + rounding)
    return np.asarray(np.maximum(np.nan_to_num(value, nan=0.0, posinf=np.inf), 0.0))


@hookimpl
def robustbench_rs_solvers() -> list[type[Solver]]:
    return [RenyiSolver]
