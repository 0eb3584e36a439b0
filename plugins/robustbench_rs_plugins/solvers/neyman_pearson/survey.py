"""Which rays a table needs, and where, if no theorem names the worst: a look at all candidates at a few radii."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from robustbench_rs_plugins.solvers.neyman_pearson.accounts import SCAN, Accounts
from robustbench_rs_plugins.solvers.neyman_pearson.rays import Ray, between, candidates, neighbours, two_level
from robustbench_rs_plugins.solvers.neyman_pearson.root import LARGEST

TOP = 1.0 - 1e-7
"""A table ends where this pA is not certified any more."""
LEVELS = (0.0, -0.8, -1.6)
"""Where rays are compared: normal quantiles of what is left to pA, with the negative left to 1 - pB. 0: pB = 1 - pA."""
NEAR = 0.98
"""Rays that move the limits this much of the most are looked at again, at the table's tolerance."""
SAME = 1.0 - 3e-4
"""A ray that moves them this much of the most will do."""
EARLY = 0.1
"""Where limits move less than this (in normal quantiles), curves are nearly linear in the radius."""
LOOK_BACK = (0.625, 0.75, 0.875)
"""Shares of a radius at which rays between its worst one and that of the radius before are looked at."""
APART = 1.25
"""Rays of equal coordinates, and counts so far apart at most, can be told from the worst between them."""
SELDOM = 3
"""Rays of two levels are sought at every so many radii."""
_GRID = np.concatenate([[0.0], ndtr(np.linspace(-5.5, 5.5, 89)), [1.0]])


class Course(NamedTuple):
    """A ray, and between which radii it is, or is near, the worst one that is known."""

    ray: Ray
    first: float = 0.0
    last: float = math.inf


class _Look:
    """``strengths``: how far each ray moves the limits at one radius, in normal quantiles, at each of ``LEVELS``: those
    pA and 1 - pB to which the worst of the first rays leaves the probabilities of ``LEVELS``."""

    def __init__(self, accounts: Accounts, radius: float, rays: Iterable[Ray], tolerance: float) -> None:
        self.radius = radius
        self._accounts = accounts
        left = {ray: self._left(ray, tolerance) for ray in rays}
        envelope = np.min(list(left.values()), axis=0)
        self._before = np.interp(ndtr([LEVELS, np.negative(LEVELS)]), envelope, _GRID)
        self.strengths = {ray: self._strength(each) for ray, each in left.items()}

    @property
    def most(self) -> np.ndarray:
        return np.asarray(np.max(list(self.strengths.values()), axis=0))

    @property
    def worst(self) -> Ray:
        """For pB = 1 - pA."""
        return max(self.strengths, key=lambda ray: float(self.strengths[ray][0]))

    def narrow(self, tolerance: float) -> None:
        """Keep those that are near the worst, looked at again."""
        most = self.most
        near = [ray for ray, strength in self.strengths.items() if np.any(strength >= NEAR * most)]
        self.strengths = {}
        self.add(near, tolerance)

    def add(self, rays: Iterable[Ray], tolerance: float) -> None:
        self.strengths |= {ray: self._strength(self._left(ray, tolerance)) for ray in dict.fromkeys(rays)}

    def same(self, level: int) -> list[Ray]:
        """Those that are as good as the worst one."""
        most = self.most[level]
        return [ray for ray, strength in self.strengths.items() if strength[level] >= SAME * most]

    def _left(self, ray: Ray, tolerance: float) -> np.ndarray:
        return self._accounts.at(ray, self.radius, tolerance=tolerance).left(_GRID)

    def _strength(self, left: np.ndarray) -> np.ndarray:
        after = np.interp(self._before, _GRID, left)
        return np.asarray((_quantile(self._before) - _quantile(after)).sum(axis=0))


def survey(accounts: Accounts, norm: float, dim: int) -> list[Course]:
    """Rays among which is one (nearly) as bad as any at every radius looked at, from the one before to the next one;
    and some that may be the worst in between."""
    looks = _looks(accounts, norm, dim)
    _complete(looks, accounts.tolerance)
    ends = [0.0, *(look.radius for look in looks), looks[-1].radius]
    wants = {
        (place, level): look.same(level)
        for place, look in enumerate(looks)
        for level, most in enumerate(look.most.tolist())
        if most < 2 * ndtri(TOP) or place == 0
    }
    last = max(place for place, _ in wants)
    kept: list[Course] = []
    while wants:
        ray = Counter(each for same in wants.values() for each in same).most_common(1)[0][0]
        served = [want for want, same in wants.items() if ray in same]
        places = [place for place, _ in served]
        kept.append(Course(ray, ends[min(places)], ends[max(places) + 2]))
        for want in served:
            del wants[want]
    for one, other in pairwise(looks[: last + 2]):
        if not set(one.same(0)) & set(other.same(0)):
            kept += [Course(ray, one.radius, other.radius) for ray in _passing(one.worst, other.worst, norm)]
    return _joined(kept)


def _passing(one: Ray, other: Ray, norm: float) -> list[Ray]:
    """Rays between, with counts no farther apart than ``APART``."""
    rays = between(one, other, norm)
    if not rays:
        return []
    wanted = math.ceil(abs(math.log(one.count / other.count)) / math.log(APART)) - 1
    places = np.rint(np.linspace(0, len(rays) - 1, wanted + 2)[1:-1]).astype(int)
    return [rays[place] for place in dict.fromkeys(places.tolist())]


def _joined(courses: list[Course]) -> list[Course]:
    """Each ray once."""
    joined: dict[Ray, Course] = {}
    for each in courses:
        known = joined.get(each.ray, each)
        joined[each.ray] = Course(each.ray, min(each.first, known.first), max(each.last, known.last))
    return list(joined.values())


def _looks(accounts: Accounts, norm: float, dim: int) -> list[_Look]:
    """Ascending, up to one where no ray certifies ``TOP``."""
    rays, radius = _far_apart(candidates(accounts.law, norm, dim), dim), accounts.floor
    looks: list[_Look] = []
    for number in range(1000):
        look = _Look(accounts, radius, rays, SCAN)
        look.add(neighbours(look.worst, norm, dim), SCAN)
        if number % SELDOM == SELDOM - 1:
            look.add(two_level(look.worst, accounts.law, norm, dim), SCAN)
        look.narrow(accounts.tolerance)
        passing = between(looks[-1].worst, look.worst, norm) if looks else []
        if passing:
            looks += [_Look(accounts, share * radius, passing, accounts.tolerance) for share in LOOK_BACK]
        looks.append(look)
        if look.most[0] >= 2 * ndtri(TOP) or radius > LARGEST:
            break
        radius *= 4 if look.most[0] < EARLY else 2
    return looks


def _complete(looks: list[_Look], tolerance: float) -> None:
    """Rays of two levels that matter somewhere where none of one level does are looked at everywhere."""
    served = [look.same(level) for look in looks for level in range(len(LEVELS))]
    found = [ray for same in served for ray in same if all(len(each.parts) > 1 for each in same)]
    for look in looks:
        look.add((ray for ray in dict.fromkeys(found) if ray not in look.strengths), tolerance)


def _far_apart(rays: Iterable[Ray], dim: int) -> list[Ray]:
    """Powers of two: what lies between the best of them is looked at as their neighbours."""
    return [ray for ray in rays if ray.count & (ray.count - 1) == 0 or ray.count == dim]


def _quantile(p: np.ndarray) -> np.ndarray:
    return np.asarray(ndtri(np.clip(p, 1e-15, 1.0 - 1e-15)))
