"""Power of the likelihood-ratio test of P against Q, estimated from draws of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit


@dataclass(frozen=True)
class Power:
    """The empirical Neyman-Pearson curve: the 2n pooled draws as atoms, by falling ratio.

    ``log_ratio`` (2n,) falls; ``p`` and ``q`` (2n,) are the P- and Q-mass of the atoms down to each, 1 at the end.

    Every draw counts for both laws (the balance heuristic, Veach and Guibas 1995; Owen and Zhou 2000, "Safe and
    effective importance sampling"): with half of the draws from each, an atom of ratio r stands for the P-mass
    1/(1 + r) and the Q-mass r/(1 + r), over n. Weights never exceed 1, and the small P-mass of a region that Q fills is
    estimated from the draws of Q, so that it is right relative to its size. Both are scaled to sum to 1. All of it is
    in terms of ln r: no product of ratios is formed.
    """

    log_ratio: np.ndarray
    p: np.ndarray
    q: np.ndarray

    @classmethod
    def of(cls, under_p: np.ndarray, under_q: np.ndarray) -> Power:
        """From log ratios (n,) under P and (n,) under Q."""
        log_ratio = np.sort(np.concatenate([under_p, under_q]))[::-1]
        p, q = np.cumsum(expit(-log_ratio)), np.cumsum(expit(log_ratio))
        return cls(log_ratio, p / p[-1], q / q[-1])

    def at(self, size: np.ndarray) -> np.ndarray:
        """Largest Q-mass of a region of P-mass ``size`` (m,): 1 - T(size). A share of an atom is taken where the mass
        ends inside one (the randomised test), so that ties and atoms of the ratio need no care."""
        mass_only_q = self.q[np.isposinf(self.log_ratio)]
        least = mass_only_q[-1] if len(mass_only_q) else 0.0
        power = np.interp(size, np.append(0.0, self.p), np.append(0.0, self.q))
        return np.where(size <= 0, least, power)

    def threshold(self, size: np.ndarray) -> np.ndarray:
        """ln r (m,) at which the region of :meth:`at` ends: t_A for size 1 - pA, t_B for size pB."""
        return np.asarray(self.log_ratio[np.minimum(np.searchsorted(self.p, size), len(self.p) - 1)])

    def margin(self, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        """Q(A) - Q(B) in the worst case, T(1 - pA) + T(pB) - 1; with pB = 1 - pA twice UniCR's K = Q(A) - 1/2."""
        return np.asarray(1.0 - self.at(1.0 - p_lower) - self.at(p_upper))
