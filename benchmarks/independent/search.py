"""A hunt for shifts inside ``searched`` balls that are not certified: how much too large can a searched radius be?

Directions: random ones, two, three and more levels, and local optimisation from the worst. In few dimensions they are
weighed by the explicit regions of :mod:`independent.product`; in many, where these are too coarse, by the project's own
trade-off functions, which are sound for each direction. What counts as found is what an optimistic trade-off function
refutes, so that the truth is known to be smaller; in few dimensions the two methods are compared on the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize

from independent.counting import judged
from independent.laws import Law
from independent.product import regions
from independent.questions import Limits, random_directions
from robustbench_rs.api import ProductNoise
from robustbench_rs.statistics.tradeoff import Group, trade_off

SMALL = 8
"""Dimensions up to which explicit regions are sharp."""
COARSE, FINE = 1e-2, 1e-4
STARTS, STEPS = 3, 60
"""Of the local optimisation: how many of the worst directions it starts from, and evaluations from each."""
HALVINGS = 12
BATCH = 32
LARGEST_LOSS = 30.0


@dataclass(frozen=True)
class Ball:
    """A searched radius, in units of z, for one pair of limits (arrays of one)."""

    noise: ProductNoise
    law: Law
    norm: float
    dim: int
    limits: Limits
    radius: float


@dataclass(frozen=True)
class Direction:
    """Of l_p norm 1: ``sizes`` (k,) on ``counts`` (k,) coordinates each."""

    sizes: np.ndarray
    counts: np.ndarray

    def groups(self, radius: float) -> list[Group]:
        """The shift of that norm."""
        return [Group(float(radius * size), int(count)) for size, count in zip(self.sizes, self.counts, strict=True)]

    def __str__(self) -> str:
        return ", ".join(f"{count} x {size:.4g}" for size, count in zip(self.sizes, self.counts, strict=True))


@dataclass
class Finding:
    """The worst of ``tried`` directions: share of the margin ``used`` at the radius (1: the edge), and the smallest
    share ``refuted`` of the radius at which that direction is proved not to be certified (1 where none below is).

    ``contradictions``: directions for which the two methods contradict each other.
    """

    tried: int = 0
    used: float = -math.inf
    refuted: float = 1.0
    contradictions: int = 0
    worst: Direction | None = field(default=None)


def direction(levels: np.ndarray, counts: np.ndarray, norm: float) -> Direction:
    """Levels (k,) scaled to norm 1; levels of no size or on no coordinate are left out."""
    kept = (counts > 0) & (levels != 0)
    sizes, counts = levels[kept] / np.abs(levels).max(), counts[kept]
    if not math.isinf(norm):
        sizes = sizes / np.sum(counts * np.abs(sizes) ** norm) ** (1 / norm)
    return Direction(sizes, counts)


def random_levels(norm: float, dim: int, rng: np.random.Generator) -> Direction:
    """Up to three levels on random numbers of coordinates, or a Gaussian direction in 12 levels."""
    if rng.random() < 0.05:
        values = np.abs(np.sort(rng.standard_normal(dim)))
        parts = np.array_split(values, min(12, dim))
        return direction(np.array([part.mean() for part in parts]), np.array([len(part) for part in parts]), norm)
    levels = int(rng.integers(1, min(3, dim) + 1))
    counts = np.floor(np.exp(rng.uniform(0, np.log(dim + 1), levels))).astype(np.int64)
    while counts.sum() > dim:
        counts[counts.argmax()] -= counts.sum() - dim if counts.max() > counts.sum() - dim else counts.max() // 2
    return direction(np.exp(rng.uniform(-4, 0, levels)), counts, norm)


def search(ball: Ball, directions: int, rng: np.random.Generator) -> Finding:
    """The worst direction found for one searched radius."""
    found = Finding()
    if ball.dim <= SMALL:
        tried = [_of(row, ball.norm) for row in random_directions(directions, ball.dim, ball.norm, rng)]
        scores = _by_regions(ball, tried)
    else:
        tried = [random_levels(ball.norm, ball.dim, rng) for _ in range(directions)]
        scores = np.array([used(ball, each, 1.0) for each in tried])
    for i in np.argsort(-scores)[:STARTS]:
        better = _climbed(ball, tried[i], found)
        if found.worst is None or better[1] > found.used:
            found.worst, found.used = better
    found.tried += directions
    if ball.dim <= SMALL:
        found.contradictions = _contradictions(ball, tried[:20])
    assert found.worst is not None
    found.refuted = _refuted(ball, found.worst)
    return found


def used(ball: Ball, each: Direction, share: float, tolerance: float = COARSE, *, optimistic: bool = False) -> float:
    """Share of the margin that the shift of ``share`` times the radius uses up."""
    curve = trade_off(ball.noise, each.groups(share * ball.radius), tolerance, optimistic=optimistic)
    return float(judged(ball.limits, curve.left(ball.limits.lower), curve.left(ball.limits.rest))[0][0])


def _of(vector: np.ndarray, norm: float) -> Direction:
    levels, counts = np.unique(vector, return_counts=True)
    return direction(levels, counts, norm)


def _by_regions(ball: Ball, tried: list[Direction]) -> np.ndarray:
    shifts = ball.radius * np.array([_vector(each, ball.dim) for each in tried])
    spread = min(4.0 - math.log1p(-max(ball.limits.lower[0], ball.limits.rest[0])), LARGEST_LOSS)
    scores = []
    for start in range(0, len(shifts), BATCH):
        part = shifts[start : start + BATCH]
        for found in regions(ball.law, part, np.full(len(part), spread)):
            scores.append(judged(ball.limits, found.left(ball.limits.lower), found.left(ball.limits.rest))[0][0])
    return np.array(scores)


def _vector(each: Direction, dim: int) -> np.ndarray:
    moved = np.repeat(each.sizes, each.counts)
    return np.concatenate([moved, np.zeros(dim - len(moved))])


def _climbed(ball: Ball, start: Direction, found: Finding) -> tuple[Direction, float]:
    """Nelder and Mead's method on the logarithms of sizes and numbers of coordinates."""
    signs, k = np.sign(start.sizes), len(start.sizes)

    def at(x: np.ndarray) -> Direction:
        counts = np.maximum(np.rint(np.exp(np.clip(x[k:], 0.0, math.log(ball.dim)))), 1).astype(np.int64)
        while counts.sum() > ball.dim:
            counts[counts.argmax()] -= 1 if counts.max() > 1 else 0
        return direction(signs * np.exp(np.clip(x[:k], -12.0, 3.0)), counts, ball.norm)

    def goal(x: np.ndarray) -> float:
        found.tried += 1
        return -used(ball, at(x), 1.0)

    first = np.log(np.concatenate([np.abs(start.sizes), start.counts]))
    simplex = first + np.concatenate([np.zeros((1, 2 * k)), 0.4 * np.eye(2 * k)])
    best = minimize(goal, first, method="Nelder-Mead", options={"maxfev": STEPS, "initial_simplex": simplex})
    return at(best.x), used(ball, at(best.x), 1.0, FINE)


def _refuted(ball: Ball, worst: Direction) -> float:
    """By bisection; 1 where the radius itself is not refuted."""
    refutes: Callable[[float], bool] = lambda share: used(ball, worst, share, FINE, optimistic=True) >= 1.0  # noqa: E731
    if not refutes(1.0):
        return 1.0
    low, high = 0.5, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if refutes(middle) else (middle, high)
    return high


def _contradictions(ball: Ball, some: list[Direction]) -> int:
    """How often a pessimistic trade-off function leaves more than an explicit region: one of the two must be wrong."""
    ours = _by_regions(ball, some)
    theirs = np.array([used(ball, each, 1.0, FINE) for each in some])
    return int(np.sum(theirs < ours - 1e-6))
