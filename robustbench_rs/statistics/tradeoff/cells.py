"""One coordinate cut into cells, with exact masses and proved extremes of the likelihood ratio on each.

Coordinate z has density q under P and q(z - s) under Q; the loss is L(z) = ln q(z - s) - ln q(z).
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np

from robustbench_rs.statistics.coordinate import Coordinate

TAIL = 2.0**-60
"""Mass of either law left in each of the two outer cells, where float64 allows."""
IGNORED = 1e-17
"""Cells with less mass under both laws are not refined any more."""
LIGHT = 1e3
"""Cells with less than one part in LIGHT of the mass may be wider: what a cell costs is its mass times the square of
the change of L."""
FEW_WIDE = 0.02
"""So much of what the cells cost may be due to those that are too wide."""
MAX_CELLS = 1 << 18
FARTHEST = 60.0
"""Losses beyond count as infinite: e^-60 of the mass is lost to the safe side."""
NUDGE = 1e-12
"""Scores are looked at this share of a cell inside its edges, because they may jump there."""
EPSILON = 2.0**-52
PRECISE = 1e-15
"""Relative error of a cell's mass that a difference of the distribution function may have."""
LONG = bool(np.finfo(np.longdouble).eps < 2.0**-60)
"""Sums in long double are as good as exact; not on every platform."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_INSIDE = np.linspace(0.0, 1.0, 17)


@dataclass(frozen=True)
class Cells:
    """Adjacent cells (n,): masses ``p``, ``q`` under both laws, ``low`` <= L <= ``high`` on the cell (may be infinite).

    ``slack``: bound of the total-variation error of either law. ``proved``: the extremes are proved ones.
    """

    p: np.ndarray
    q: np.ndarray
    low: np.ndarray
    high: np.ndarray
    slack: float
    proved: bool


@dataclass(frozen=True)
class Outline:
    """Edges of cells (n + 1,), the loss at them, and the distribution functions of both laws there."""

    edges: np.ndarray
    loss: np.ndarray
    below_p: np.ndarray
    below_q: np.ndarray

    @classmethod
    def at(cls, law: Coordinate, shift: float, edges: np.ndarray) -> Outline:
        return cls(edges, loss(law, shift, edges), law.cdf(edges), law.cdf(edges - shift))

    @property
    def p(self) -> np.ndarray:
        """P-masses of the cells (n,), as differences."""
        return np.abs(np.diff(self.below_p))

    @property
    def q(self) -> np.ndarray:
        return np.abs(np.diff(self.below_q))

    def merged(self, other: Outline, ours: np.ndarray) -> Outline:
        """With the edges of another one; ``ours``: which of all of them are those of this one (n + m,)."""
        names = ("edges", "loss", "below_p", "below_q")
        return Outline(*(_placed(getattr(self, name), getattr(other, name), ours) for name in names))


def outline(law: Coordinate, shift: float, width: float, begun: Outline | None = None) -> Outline:
    """Cells on which L changes by at most about ``width``, where there is mass. ``shift``: s, not 0.

    ``begun``: coarser ones of this shift.
    """
    return _refined(law, shift, begun or Outline.at(law, shift, _first_edges(law, shift)), width)


def cut(law: Coordinate, shift: float, width: float, begun: Outline | None = None) -> Cells:
    """The cells of :func:`outline`, with their masses and extremes."""
    found = outline(law, shift, width, begun)
    edges = found.edges
    p, slack_p = _masses(law, edges, found.below_p)
    q, slack_q = _masses(law, edges - shift, found.below_q)
    low, high, proved = _extremes(law, shift, edges, found.loss)
    low, high = np.concatenate([[-math.inf], low, [-math.inf]]), np.concatenate([[math.inf], high, [math.inf]])
    return _tails_narrowed(law, shift, edges, Cells(p, q, low, high, max(slack_p, slack_q), proved))


def loss(law: Coordinate, shift: float, z: np.ndarray) -> np.ndarray:
    """L(z) for z in the supports of both laws, NaN where both densities vanish.

    Rounding at the ends of the supports is not taken for leaving them; what lies outside has no mass under one law.
    """
    ours, theirs = np.clip(z, *law.support), np.clip(z - shift, *law.support)
    with np.errstate(all="ignore"):
        value: np.ndarray = law.log_density(theirs) - law.log_density(ours)
    return value


def _first_edges(law: Coordinate, shift: float) -> np.ndarray:
    """Quantiles of both laws, ends of supports, and every point where monotonicity of the loss may change."""
    own = _own_edges(cast(Hashable, law))
    edges: np.ndarray = np.unique(np.concatenate([own, own + shift]))
    finite: np.ndarray = edges[np.isfinite(edges)]
    return finite


@lru_cache(maxsize=8)
def _own_edges(law: Any) -> np.ndarray:
    """Of the law without a shift. Kept, because a quantile may cost as much as everything else."""
    tail = np.concatenate([np.geomspace(TAIL, 0.1, 100), np.linspace(0.1, 0.5, 60)[1:]])
    lower = law.quantile(tail)
    upper = -lower if law.symmetric else law.quantile(1.0 - np.maximum(tail, EPSILON))
    return np.concatenate([lower, upper, [end for end in law.support if math.isfinite(end)], law.score_turns or ()])


def _refined(law: Coordinate, shift: float, found: Outline, width: float) -> Outline:
    """Cells cut into equal parts until L changes little on each, is far away, or there is no mass to speak of."""
    for _ in range(40):
        edges, value, mass = found.edges, found.loss, np.maximum(found.p, found.q)
        gap = np.diff(edges)
        with np.errstate(invalid="ignore"):
            change = np.abs(np.diff(value)) / width  # NaN or infinite at the ends of supports: halved until massless
        known = np.isfinite(change)
        change[~known] = 0.0
        wanted = change * np.minimum(1.0, np.sqrt(LIGHT * mass))
        parts = np.where(known, np.ceil(np.minimum(wanted, 16.0)), 2.0)
        far = (np.minimum(value[:-1], value[1:]) > FARTHEST) | (np.maximum(value[:-1], value[1:]) < -FARTHEST)
        parts[(mass <= IGNORED) | far | (gap <= 4 * parts * np.spacing(np.abs(edges[1:])))] = 1
        wide = parts > 1
        parts = np.maximum(parts, 1).astype(np.intp)
        total = int(parts.sum())
        if total > MAX_CELLS or (np.all(known[wide]) and mass[wide] @ np.square(change[wide]) <= FEW_WIDE):
            break
        begin = np.cumsum(parts) - parts
        ours = np.zeros(total + 1, dtype=bool)
        ours[begin] = ours[-1] = True
        place = np.arange(total) - np.repeat(begin, parts)
        inside = np.repeat(edges[:-1], parts) + np.repeat(gap / parts, parts) * place
        found = found.merged(Outline.at(law, shift, inside[~ours[:-1]]), ours)
    return found


def _placed(ours: np.ndarray, theirs: np.ndarray, which: np.ndarray) -> np.ndarray:
    both = np.empty(len(which))
    both[which], both[~which] = ours, theirs
    return both


def exact_sum(values: np.ndarray) -> float:
    """Up to one rounding, or two."""
    return float(np.sum(values, dtype=np.longdouble)) if LONG else math.fsum(values)


def _masses(law: Coordinate, edges: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, float]:
    """Masses of the n + 2 cells that the edges cut the line into, and a bound of the sum of their errors.

    ``below``: the distribution function at the edges.

    Differences of the distribution function lose digits on narrow cells; there quadrature of the density is precise
    relative to the cell's mass, unless the two disagree (a kink or a jump inside the cell).
    """
    lower = below[1:] <= 0.5
    above = np.ones(len(edges))
    from_here = int(np.argmin(np.append(lower, False)))
    above[from_here:] = law.sf(edges[from_here:])
    plain = np.where(lower, np.diff(below), -np.diff(above))
    rounding = 4 * EPSILON * np.where(lower, below[1:], above[:-1]) + 2 * law.quantile_error
    half = np.diff(edges) / 2
    points = (edges[:-1] + half)[:, np.newaxis] + half[:, np.newaxis] * _NODES
    smooth = law.density(points) @ _WEIGHTS * half
    narrow = (rounding > PRECISE * plain) & (np.abs(smooth - plain) <= 1e-11 * smooth + 2 * rounding)
    mass = np.concatenate([below[:1], np.where(narrow, smooth, np.maximum(plain, 0.0)), above[-1:]])
    error = abs(exact_sum(mass) - 1.0) + 4 * EPSILON + exact_sum(rounding[~narrow])
    return mass, 2 * error


def _extremes(
    law: Coordinate, shift: float, edges: np.ndarray, value: np.ndarray
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Infimum and supremum of L on every inner cell, and whether they are proved; anything where L is not defined."""
    low, high, proved = np.minimum(value[:-1], value[1:]), np.maximum(value[:-1], value[1:]), True
    if law.log_concave:
        pass  # the score rises, so L = psi(z) - psi(z - s) is monotone
    elif law.score_turns is not None:
        low, high = _enclosed(law, shift, edges, value)
    else:
        inside = edges[:-1, np.newaxis] + np.diff(edges)[:, np.newaxis] * _INSIDE
        found = loss(law, shift, inside)
        low, high, proved = np.minimum(low, found.min(axis=1)), np.maximum(high, found.max(axis=1)), False
    unknown = np.isnan(low) | np.isnan(high)
    return np.where(unknown, -math.inf, low), np.where(unknown, math.inf, high), proved


def _enclosed(law: Coordinate, shift: float, edges: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Monotone where no turn of the score lies between z - s and z; else by an enclosure of L' = psi'(z) - psi'(z - s).

    Both scores are monotone on each cell, so their ends bound them. Where L' may change sign, L lies between the lines
    of the extreme slopes through its two end values.
    """
    a, b = edges[:-1], edges[1:]
    gap = b - a
    first, last = a + NUDGE * gap, b - NUDGE * gap
    with np.errstate(all="ignore"):
        ours = np.stack([law.score(first), law.score(last)])
        theirs = np.stack([law.score(first - shift), law.score(last - shift)])
        least, most = ours.min(axis=0) - theirs.max(axis=0), ours.max(axis=0) - theirs.min(axis=0)
        start, end = value[:-1], value[1:]
        under = (most * start - least * end + least * most * gap) / (most - least)
        over = (most * end - least * start - least * most * gap) / (most - least)
    low, high = np.minimum(start, end), np.maximum(start, end)
    turns = ~((least >= 0) | (most <= 0))
    score_turns = np.asarray(law.score_turns, dtype=np.float64)
    reach = np.searchsorted(score_turns, np.maximum(last, last - shift))
    turns &= reach > np.searchsorted(score_turns, np.minimum(first, first - shift))
    low = np.where(turns, np.minimum(low, np.where(np.isnan(under), -math.inf, under)), low)
    high = np.where(turns, np.maximum(high, np.where(np.isnan(over), math.inf, over)), high)
    return low, high


def _tails_narrowed(law: Coordinate, shift: float, edges: np.ndarray, cells: Cells) -> Cells:
    """The unbounded cells of a log-concave law: L is monotone, so its value at the edge is one extreme."""
    if not law.log_concave:
        return cells
    low, high = cells.low.copy(), cells.high.copy()
    first, last = loss(law, shift, edges[[0, -1]])
    if shift > 0:
        high[0], low[-1] = np.nan_to_num(first, nan=math.inf), np.nan_to_num(last, nan=-math.inf)
    else:
        low[0], high[-1] = np.nan_to_num(first, nan=-math.inf), np.nan_to_num(last, nan=math.inf)
    return Cells(cells.p, cells.q, low, high, cells.slack, cells.proved)
