"""Proved l2 radii of product noise in any dimension, by the differential method.

Phi(p) = sup over unit v and P(U) = p of E[1_U S], S = sum of v_i psi_i with independent symmetric scores psi_i of
variance I. With phi, Phi and Z standard normal, G(p) = phi(Phi^-1(p)), C(t) = E(psi - t)_+ and p <= 1/2:

1. Phi(p) <= sqrt(I p (1 - p)) (Cauchy-Schwarz).
2. Phi(p) <= c G(p) if the score is below c Z in convex order: if sup over P(U) = p of E[1_U psi] <= c G(p) for all p.
3. Phi(p) <= s inf over tau of [p tau + p^(2/3) M(tau)^(1/3)], M(tau) = E(Z - tau)_+^3, if s^2 >= I and
   E(psi - t)_+^3 <= E(s Z - t)_+^3 for t >= 0. For t < 0 the two differ by the same at -t, plus 3 abs(t) (s^2 - I); so
   E(S - t)_+^3 <= E(s Z - t)_+^3, one score at a time (Lindeberg), and Hoelder's inequality gives the bound.
4. psi = h + r with h the score clipped at +-tau: Phi(p) <= c_tau G(p) + sqrt(p (1 - p) E r^2), c_tau the c of h.

All four are concave in p, so that the line that touches one of them at some p lies above it everywhere. A coordinate
can add ``loose`` per unit of v_i (jumps of the density, tails that the cells leave out): sqrt(d) ``loose`` in all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from robustbench_rs.statistics.differential.normal_excess import excess_power, profile
from robustbench_rs.statistics.differential.score_law import ScoreLaw
from robustbench_rs.statistics.differential.stop_loss import StopLoss, stop_loss
from robustbench_rs.statistics.differential.tangents import TangentBound

UP = 1.0 + 1e-10
"""More than the rounding in any of the expressions below."""
CLIPS = 250
DEEPEST = 1e-28
"""Levels at which scores are clipped: from C(t) = C(0) down to this share of it, and not at all."""
GROWTH = (1.0, 1.0003, 1.001, 1.003, 1.01, 1.03, 1.1, 1.3)
"""Factors s / sqrt(I) that are tried for bound 3."""
TOUCHING = np.asarray(ndtr(np.linspace(-9.2, 0.0, 4000)))
"""The p at which lines touch: down to 2e-20."""
TAUS = np.linspace(-2.0, 12.0, 3000)


@dataclass(frozen=True)
class L2Constants:
    """Proved upper bounds: ``information`` I; ``clips``, ``remainders`` (M,): c_tau and sqrt(E r^2), the last one c and
    0; ``third``: s of bound 3, None where no s that was tried works; ``loose``.
    """

    information: float
    clips: np.ndarray
    remainders: np.ndarray
    third: float | None
    loose: float


def l2_constants(law: ScoreLaw) -> L2Constants:
    """The constants of all four bounds, free of the dimension.

    Raises ``ValueError`` if c < sqrt(I), which would be a contradiction.
    """
    score = stop_loss(law)
    information = min(law.information[1], float(4 * _integral(score.t, score.upper)[0])) * UP
    clips, remainders = _clipped(score)
    if clips[-1] < np.sqrt(law.information[0]):
        raise ValueError(f"c = {clips[-1]} is below the root of the Fisher information {law.information[0]}")
    return L2Constants(information, clips, remainders, _third(score, information), score.loose)


def l2_bound(constants: L2Constants, dim: int) -> TangentBound:
    """The upper bound of Phi on [0, 1/2], for shifts in units of the scale: at each p the smallest that holds."""
    p = TOUCHING
    choices = [_clip_lines(p, constants), _cauchy_lines(p, constants)]
    if constants.third is not None:
        choices.append(_third_lines(p, constants.third))
    value = np.stack([value for value, _ in choices])
    slope = np.stack([slope for _, slope in choices])
    best = np.argmin(value, axis=0), np.arange(len(p))
    rising = slope[best] >= 0
    steep, height = slope[best][rising], (value[best] * UP - slope[best] * p)[rising]
    order = np.argsort(steep, kind="stable")
    slopes, first = np.unique(steep[order], return_index=True)
    return TangentBound(slopes, height[order][first] + np.sqrt(dim) * constants.loose * UP)


def _clip_lines(p: np.ndarray, constants: L2Constants) -> tuple[np.ndarray, np.ndarray]:
    """Bounds 2 and 4: the smallest of all clips at p, and its slope there."""
    root = np.sqrt(p * (1 - p))
    value = np.multiply.outer(constants.clips, profile(p)) + np.multiply.outer(constants.remainders, root)
    best = np.argmin(value, axis=0)
    slope = -constants.clips[best] * ndtri(p) + constants.remainders[best] * (1 - 2 * p) / (2 * root)
    return value[best, np.arange(len(p))], slope


def _cauchy_lines(p: np.ndarray, constants: L2Constants) -> tuple[np.ndarray, np.ndarray]:
    """Bound 1."""
    root = np.sqrt(constants.information * p * (1 - p))
    return root, constants.information * (1 - 2 * p) / (2 * root)


def _third_lines(p: np.ndarray, s: float) -> tuple[np.ndarray, np.ndarray]:
    """Bound 3 at the best tau, where p^(1/3) = E(Z - tau)_+^2 / M(tau)^(2/3); any tau is valid."""
    best = (excess_power(TAUS, 2) / excess_power(TAUS, 3) ** (2 / 3)) ** 3
    tau = np.interp(p, best[::-1], TAUS[::-1])
    root = np.cbrt(excess_power(tau, 3) * UP)
    return s * (p * tau + np.cbrt(p) ** 2 * root), s * (tau + 2 / 3 * root / np.cbrt(p))


def _clipped(score: StopLoss) -> tuple[np.ndarray, np.ndarray]:
    """c_tau and sqrt(E r^2) at clips tau = t_k, the last one without clipping.

    sup over P(U) = p of E[1_U h] <= p t + C(t) - C(tau) for every t <= tau; so the interval [0, 1/2] of p is cut, and
    one line used on each part: the quotient of a line and the concave G is largest at the ends of the part.
    """
    t, upper, lower = score.t, score.upper, score.lower
    cuts = np.clip(-np.diff(upper) / np.diff(t), 0.0, 0.5)
    cuts = np.maximum.accumulate(cuts[::-1])[::-1]
    tops = np.append(0.5, cuts)
    at_cut, at_top = t[:-1] * cuts + upper[:-1], t * tops + upper
    under_cut, under_top = profile(cuts), profile(tops)
    picks = _picks(upper)
    with np.errstate(divide="ignore", invalid="ignore"):
        constants = [
            max(
                np.max((at_cut[:k] - lower[k]) / under_cut[:k], initial=0.0),
                np.max((at_top[:k] - lower[k]) / under_top[:k], initial=0.0),
                t[k] * tops[k] / under_top[k],
            )
            for k in picks
        ]
    remainders = np.sqrt(4 * _integral(t, upper)[picks])
    return np.nan_to_num(constants, nan=np.inf, posinf=np.inf) * UP, remainders * UP


def _picks(upper: np.ndarray) -> np.ndarray:
    levels = upper[0] * np.geomspace(0.99, DEEPEST, CLIPS)
    last = len(upper) - 1
    return np.unique(np.append(np.clip(np.searchsorted(-upper, -levels), 1, last), last))


def _third(score: StopLoss, information: float) -> float | None:
    """The smallest s that is tried for which the condition of bound 3 holds.

    Both sides are convex in t: on an interval the left one lies below its chord, the right one above its tangent.
    """
    left = 6 * _second_integral(score.t, score.upper) * UP
    middle, half = (score.t[1:] + score.t[:-1]) / 2, np.diff(score.t) / 2
    for growth in GROWTH:
        s = growth * np.sqrt(information)
        right = s**3 * excess_power(middle / s, 3) / UP
        fall = 3 * s**2 * excess_power(middle / s, 2) * half
        if np.all(left[:-1] <= right + fall / UP) and np.all(left[1:] <= right - fall * UP):
            return float(s)
    return None


def _integral(t: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Upper bounds (K,) of the integral of C from t_k on: C is convex, and so below its chords."""
    parts = np.diff(t) * (upper[:-1] + upper[1:]) / 2
    return np.append(np.cumsum(parts[::-1])[::-1], 0.0)


def _second_integral(t: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Upper bounds (K,) of the integral of (s - t_k) C(s) over s > t_k: its parts are those of the chords."""
    width = np.diff(t)
    parts = width * _integral(t, upper)[1:] + width**2 * (upper[:-1] / 6 + upper[1:] / 3)
    return np.append(np.cumsum(parts[::-1])[::-1], 0.0)
