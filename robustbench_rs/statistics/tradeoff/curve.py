"""The trade-off function of one shift, read off the distribution of the loss under both laws."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TradeOff:
    """Worst case of a class's probability after the shift, given its probability before.

    Knots (m,) of the set {L <= t} that the worst classifier keeps: ``kept_p``, ``kept_q`` its masses under P and Q,
    both ascending, ``losses`` its t. ``error_p``, ``error_q`` bound their errors. Pessimistic: never above the truth;
    ``optimistic``: never below it. ``proved`` is False where extremes of the likelihood ratio were only looked for.
    """

    losses: np.ndarray
    kept_p: np.ndarray
    kept_q: np.ndarray
    error_p: float
    error_q: float
    optimistic: bool
    proved: bool

    def p_star(self) -> float:
        """The smallest pA that is certified at this shift (strictly: pA > p_star), for pB = 1 - pA.

        P-mass of the set {L <= t} whose Q-mass is 1/2: an upper bound of it, or a lower one when optimistic.
        """
        sign = -1.0 if self.optimistic else 1.0
        wanted = 0.5 + sign * self.error_q
        if not self.kept_q[-1] > wanted:
            return 1.0
        return float(np.clip(np.interp(wanted, self.kept_q, self.kept_p) + sign * self.error_p, 0.0, 1.0))

    def left(self, p: np.ndarray) -> np.ndarray:
        """g(p) = T(1 - p): the probability that is left after the shift of a class that had ``p``, any shape."""
        sign = -1.0 if self.optimistic else 1.0
        p = np.asarray(p, dtype=np.float64)
        kept = np.interp(p - sign * self.error_p, self.kept_p, self.kept_q) - sign * self.error_q
        if not self.optimistic:
            return np.clip(np.where(p - self.error_p <= self.kept_p[0], 0.0, kept), 0.0, 1.0)
        return np.clip(np.where(p + self.error_p >= self.kept_p[-1], 1.0, kept), 0.0, 1.0)

    def intercepts(self, log_slopes: np.ndarray) -> np.ndarray:
        """c (m,) such that left(p) >= exp(log_slopes) p + c for every p (<= when optimistic has no such line: refused).

        Supporting lines of the convex function g: c = -E_P[(kappa - r)_+] with r the likelihood ratio.
        Raises ``ValueError`` for an optimistic curve.
        """
        if self.optimistic:
            raise ValueError("lines bound the pessimistic curve from below; an optimistic one has none")
        slope = np.exp(log_slopes)
        place = np.searchsorted(self.losses, log_slopes, side="right") - 1
        known = place >= 0
        place = np.maximum(place, 0)
        p = np.where(known, self.kept_p[place], self.kept_p[0]) + self.error_p
        q = np.where(known, self.kept_q[place], 0.0) - self.error_q
        return np.where(known, q - slope * np.minimum(p, 1.0 + self.error_p), -math.inf)


def monotone(values: np.ndarray) -> np.ndarray:
    """Rounding may let a cumulative sum fall by a rounding error: its running maximum, within [0, 1]."""
    return np.clip(np.maximum.accumulate(values), 0.0, 1.0)
