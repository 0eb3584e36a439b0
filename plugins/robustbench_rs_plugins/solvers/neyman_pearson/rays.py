"""Directions of a shift, up to the order of the coordinates, and which of them can be the worst."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from robustbench_rs.statistics.coordinate import Coordinate
from robustbench_rs.statistics.tradeoff import Group

SHARES = (0.25, 0.5, 0.75)
"""Of the p-th power of the norm, on the first level of a two-level direction."""
TILTS = (-1.0, -0.3, -0.1, 0.1, 0.3, 1.0)
"""By so much the logarithm of the odds of that share is moved for a closer look."""
NEARLY_ALL = 0.98
"""Share of one coordinate that stands for all, where others are to move, too."""
MOST_BETWEEN = 7
NEARBY = (0.7, 0.85, 0.95, 1.05, 1.2, 1.4)


@dataclass(frozen=True, order=True)
class Ray:
    """``parts``: (size per unit of the norm, signed; number of coordinates); coordinates left over do not move.

    The norm is 1 up to rounding, far less than what radii are rounded by in the end.
    """

    parts: tuple[tuple[float, int], ...]

    def shift(self, radius: float) -> tuple[Group, ...]:
        """The shift of that norm, in units of z."""
        return tuple(Group(radius * size, count) for size, count in self.parts)

    @property
    def count(self) -> int:
        """Number of coordinates that move."""
        return sum(count for _, count in self.parts)

    @property
    def euclidean(self) -> float:
        """l2 norm per unit of the norm that the ray was made for."""
        return math.sqrt(sum(count * size * size for size, count in self.parts))

    def __str__(self) -> str:
        """In words: "3072 coordinates by 0.018 r"."""
        words = [f"{count} coordinate{'s' if count > 1 else ''} by {size:.6g} r" for size, count in self.parts]
        return ", ".join(words)


def ray(levels: Iterable[tuple[float, int]], norm: float) -> Ray:
    """The ray through a vector with ``count`` coordinates of each ``size``, scaled to l_p norm 1."""
    kept = [(size, count) for size, count in levels if size != 0 and count > 0]
    largest = max(abs(size) for size, _ in kept)
    if math.isinf(norm):
        return Ray(tuple((size / largest, count) for size, count in kept))
    length = math.fsum(count * (abs(size) / largest) ** norm for size, count in kept) ** (1.0 / norm)
    return Ray(tuple((size / largest / length, count) for size, count in kept))


def equal(count: int, norm: float, negative: int = 0) -> Ray:
    """``count`` coordinates of one size, ``negative`` of them downwards."""
    return ray([(1.0, count - negative), (-1.0, negative)], norm)


def proved_worst(law: Coordinate, norm: float, dim: int) -> tuple[Ray, ...] | None:
    """Rays among which a theorem places a worst shift of every norm, for every pair of limits; None where none does.

    - One dimension, symmetric unimodal: either sign. Log-concave: the ratio is monotone in z, so the best tests are
      half-lines, and T falls with the shift; one of the two signs is worst.
    - l-inf, symmetric unimodal: T of one coordinate falls as the size of its shift grows, and domination survives
      products, so the corner is worst.
    - l1, symmetric log-concave: the differential method gives T >= F(F^-1 - r) for every shift of norm r, with
      equality for one coordinate (Yang et al. 2020, Theorem 4.2).
    """
    falls = law.symmetric and (law.unimodal or law.log_concave)
    if dim == 1 and (falls or law.log_concave):
        return (equal(1, norm),) if law.symmetric else (equal(1, norm), equal(1, norm, 1))
    if math.isinf(norm) and falls:
        return (equal(dim, norm),)
    if norm == 1 and law.symmetric and law.log_concave:
        return (equal(1, norm),)
    return None


def falls_along_rays(law: Coordinate) -> bool:
    """T is proved to fall along every ray: a shift that is certified covers all shorter ones of its direction."""
    return law.log_concave or (law.symmetric and law.unimodal)


def candidates(law: Coordinate, norm: float, dim: int) -> list[Ray]:
    """Equal coordinates, k = 1, 2, 3, 4, 6, 8, 12, ..., d; all signs up, down and mixed where the law is not even.

    In l-inf a further coordinate that moves only adds information, so all of them do.
    """
    counts = [dim] if math.isinf(norm) else list(_counts(dim))
    if law.symmetric:
        return [equal(count, norm) for count in counts]
    signs = {(count, round(count * share)) for count in counts for share in (0.0, 0.25, 0.5, 0.75, 1.0)}
    return [equal(count, norm, negative) for count, negative in sorted(signs)]


def neighbours(best: Ray, norm: float, dim: int) -> list[Ray]:
    """Counts near that of a ray of equal coordinates, with its share of negative signs."""
    if math.isinf(norm):
        return []
    negative = sum(count for size, count in best.parts if size < 0) / best.count
    wanted = [best.count - 1, best.count + 1, *(round(best.count * factor) for factor in NEARBY)]
    counts = {min(max(count, 1), dim) for count in wanted} - {best.count}
    return [equal(count, norm, round(negative * count)) for count in sorted(counts)]


def between(one: Ray, other: Ray, norm: float) -> list[Ray]:
    """Rays of equal coordinates with counts from that of one to that of the other; none where these are neighbours."""
    first, last = sorted((one.count, other.count))
    if last - first < 2:
        return []
    counts = np.unique(np.rint(np.geomspace(first, last, min(last - first + 1, MOST_BETWEEN))).astype(int))
    negative = sum(count for size, count in one.parts if size < 0) / one.count
    return [equal(count, norm, round(negative * count)) for count in counts.tolist()]


def two_level(best: Ray, law: Coordinate, norm: float, dim: int) -> list[Ray]:
    """A few large coordinates and many small ones, about the best ray of equal coordinates."""
    signs = [(1.0, 1.0)] if law.symmetric else [(1.0, 1.0), (1.0, -1.0)]
    found = set()
    for first in {1, max(best.count // 4, 1), best.count}:
        for second in {first, dim - first, min(4 * first, dim - first)}:
            if 0 < second <= dim - first:
                found |= {_levels(first, second, share, each, norm) for share in SHARES for each in signs}
    return sorted(each for each in found if len({abs(size) for size, _ in each.parts}) > 1)


def tilted(best: Ray, norm: float, dim: int) -> list[Ray]:
    """Other shares of the levels of a ray with one or two, in l_p norms with 1 < p < inf."""
    (size, count), *others = best.parts
    signs = math.copysign(1.0, size), math.copysign(1.0, others[0][0] if others else size)
    if len(others) == 1:
        splits = [(count, others[0][1], count * abs(size) ** norm)]
    elif count > 1:
        splits = [(first, count - first, first / count) for first in sorted({1, count // 2})]
    else:
        splits = [(1, 1, NEARLY_ALL)] if dim > 1 else []
    found = []
    for first, second, share in splits:
        for tilt in TILTS:
            odds = share / (1.0 - share) * math.exp(tilt)
            found.append(_levels(first, second, odds / (1.0 + odds), signs, norm))
    return found


def _levels(first: int, second: int, share: float, signs: tuple[float, float], norm: float) -> Ray:
    sizes = (1.0, share) if math.isinf(norm) else ((share / first) ** (1 / norm), ((1 - share) / second) ** (1 / norm))
    return ray([(signs[0] * sizes[0], first), (signs[1] * sizes[1], second)], norm)


def _counts(dim: int) -> Iterator[int]:
    power = 1
    while power <= dim:
        yield power
        if power >= 2 and power + power // 2 < dim:
            yield power + power // 2
        power *= 2
    if power // 2 != dim:
        yield dim
