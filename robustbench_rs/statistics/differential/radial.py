"""The differential method for norm-radial noise, Phi bounded from above with proof (Yang et al. 2020, section 4).

Noise z = rho u with rho = |z|_q independent of u; psi = -ln density = h(|z|_q), so that v . grad psi = s W: the score
s = h'(rho) >= 0 and W = v . grad |u|_q are independent, W symmetric. Phi(p) <= p tau + E(s W - tau)_+.

E(s W - tau)_+ is convex in s and, as W is symmetric and tau >= 0, rises with s. So on a cell of rho on which h' is
monotone, moving all mass to the cell's two extreme scores, mean kept, can only raise it: second-order accurate, and an
upper bound also where the cell's mass and mean are rounded up. Where the score has no upper extreme (a cusp, a pole,
the unbounded cell), what is above the lower extreme counts in full: (s W - tau)_+ <= (s_0 W - tau)_+ + (s - s_0) W_+.

The density must be absolutely continuous with E[s] finite: then p(t) = P(z + t v in U) has the derivative E[1 s W], by
absolute continuity on almost every line (in one dimension on the line, so that there is no pole then).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from robustbench_rs.statistics.differential.cosine import Cosine, vertex
from robustbench_rs.statistics.differential.tangents import TangentBound, tangent_bound
from robustbench_rs.statistics.radial.norm_law import NormLaw
from robustbench_rs.statistics.rounding import down

TOLERANCE = 2e-6
"""Relative, of the lines' smallest to the bound with all lines."""
MARGIN = 1e-11
"""Relative; the tails of ``statistics.radial.norm_law`` err by less than 2e-12."""
UP, DOWN = 1.0 + MARGIN, 1.0 - MARGIN
FARTHEST = 1e-18
RATIO = 1.07
"""Of the tail masses of neighbouring cell edges."""
INNER = 240


class Radial(Protocol):
    """Norm-radial noise as this method sees it; :class:`robustbench_rs.api.RadialNoise` is one."""

    @property
    def name(self) -> str: ...
    @property
    def ball(self) -> float: ...
    @property
    def continuous(self) -> bool: ...
    @property
    def score_turns(self) -> tuple[float, ...]: ...

    def problem(self, dim: int, /) -> str | None: ...
    def scale_in(self, dim: int, /) -> float: ...
    def norm_law(self, dim: int, /) -> NormLaw: ...
    def score(self, rho: np.ndarray, /) -> np.ndarray: ...
    def score_parts(self, dim: int, /) -> Sequence[tuple[float, NormLaw]]: ...


def radial_refusal(noise: Radial, norm: float, dim: int) -> str | None:
    """Why the method gives no radius here, for people; None when it does."""
    if (problem := noise.problem(dim)) is not None:
        return problem
    if not noise.continuous:
        return f"{noise.name} noise does not claim a density without jumps, which the differential method needs"
    if vertex(noise.ball, norm, dim) is None:
        return (
            f"the differential method covers {noise.name} noise in l1 and l-inf only: in other norms the worst"
            " direction is not known"
        )
    if not math.isfinite(math.fsum(weight for weight, _ in noise.score_parts(dim))):
        return (
            f"the density of {noise.name} noise rises too steeply at 0 in {dim} dimensions: its score has no mean, and"
            " the differential method gives no radius"
        )
    return None


def radial_radii(noise: Radial, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
    """Proved radii (m,) in input units for limits (m,), rounded down: scale (G(pA) - G(pB)) / 2.

    Raises ``ValueError`` with the text of :func:`radial_refusal`.
    """
    if (reason := radial_refusal(noise, norm, dim)) is not None:
        raise ValueError(reason)
    return down(noise.scale_in(dim) * radial_bound(noise, norm, dim).radii(p_lower, p_upper))


def radial_bound(noise: Radial, norm: float, dim: int) -> TangentBound:
    """The upper bound of Phi on [0, 1/2], for shifts measured in units of the scale."""
    w = vertex(noise.ball, norm, dim)
    if w is None:
        raise ValueError(radial_refusal(noise, norm, dim))
    excess = _Excess(w, score_atoms(noise, dim))
    return tangent_bound(excess, excess.slopes(), TOLERANCE)


@dataclass(frozen=True, eq=False)
class Atoms:
    """Scores (m,) ascending with their masses (m,), and ``surplus``: the mean of what exceeds them and is unbounded."""

    scores: np.ndarray
    masses: np.ndarray
    surplus: float


def score_atoms(noise: Radial, dim: int) -> Atoms:
    """A law of scores above the true one in the order of E f, f increasing convex (see above)."""
    edges = _edges(noise, dim)
    values = noise.score(edges)
    low, high = np.minimum(values[:-1], values[1:]), np.maximum(values[:-1], values[1:])
    mass = _masses(noise.norm_law(dim), edges)
    mean = np.sum([weight * _masses(law, edges) for weight, law in noise.score_parts(dim)], axis=0) * UP * UP
    above = np.maximum(mean - low * mass * DOWN, 0.0)
    bounded = np.isfinite(high)
    with np.errstate(divide="ignore", invalid="ignore"):
        upper = np.where(bounded & (high > low), np.minimum(above / (high - low), mass), 0.0)
    # A cell whose score is constant has it as its only atom.
    scores = np.concatenate([np.where(high > low, low, high), np.where(bounded, high, 0.0)]) * UP
    masses = np.concatenate([mass - upper, upper])
    order = np.argsort(scores, kind="stable")
    merged, where = np.unique(scores[order], return_inverse=True)
    return Atoms(merged, np.bincount(where, masses[order], len(merged)), math.fsum(above[~bounded]))


def _edges(noise: Radial, dim: int) -> np.ndarray:
    """0, infinity, the score's turning points, and quantiles of rho: any choice is sound."""
    law = noise.norm_law(dim)
    tails = 0.05 * RATIO ** -np.arange(math.ceil(math.log(0.05 / FARTHEST) / math.log(RATIO)) + 1.0)
    inner = np.linspace(0.05, 0.95, INNER + 1)
    with np.errstate(all="ignore"):
        found = np.concatenate([law.quantile(tails), law.quantile(inner), law.isf(tails), noise.score_turns])
        found = found[(found > 0) & np.isfinite(found) & np.isfinite(noise.score(found))]
    return np.unique(np.concatenate([[0.0], found, [math.inf]]))


def _masses(law: NormLaw, edges: np.ndarray) -> np.ndarray:
    """Upper bounds of the masses of the cells between ``edges`` (m + 1,), from whichever tail is smaller."""
    with np.errstate(all="ignore"):
        below, above = law.cdf(edges), law.sf(edges)
    from_below = below[1:] * UP - below[:-1] * DOWN
    from_above = above[:-1] * UP - above[1:] * DOWN
    return np.clip(np.where(below[1:] < 0.5, from_below, from_above), 0.0, 1.0)


class _Excess:
    """tau (m,) to upper bounds (m,) of E(s W - tau)_+."""

    def __init__(self, w: Cosine, atoms: Atoms) -> None:
        keep = (atoms.scores > 0) & (atoms.masses > 0)
        self.w, self.scores, self.weights = w, atoms.scores[keep], atoms.masses[keep] * atoms.scores[keep]
        self.surplus = atoms.surplus * float(w(np.array(0.0)))

    def __call__(self, tau: np.ndarray) -> np.ndarray:
        """The 1e-15 keeps the rounded quotient below the true one: K falls."""
        ratio = np.multiply.outer(tau * (1 - 1e-15), 1 / self.scores)
        return np.asarray((self.w(ratio) @ self.weights + self.surplus) * UP)

    def slopes(self) -> np.ndarray:
        """Where to start: geometric, up to where nothing is left to gain; and the kinks of the excess, if few."""
        end = float(self.scores[-1] * self.w.points[-1])
        mean = float(self(np.zeros(1))[0])
        spread = np.geomspace(min(mean, end) * 1e-2, end, 80)
        thinned = self.scores[:: max(1, len(self.scores) // 120)]
        return np.unique(np.concatenate([[0.0], spread, np.multiply.outer(thinned, self.w.kinks).ravel()]))
