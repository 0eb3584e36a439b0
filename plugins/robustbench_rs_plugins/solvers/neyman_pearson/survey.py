"""Which rays a table needs where no theorem names the worst: a look at all candidates on a coarse set of radii."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from scipy.special import ndtr, ndtri

from robustbench_rs_plugins.solvers.neyman_pearson.accounts import SCAN, Accounts
from robustbench_rs_plugins.solvers.neyman_pearson.rays import Ray, between, candidates, neighbours, two_level
from robustbench_rs_plugins.solvers.neyman_pearson.root import LARGEST

TOP = 1.0 - 1e-7
"""A table ends where this pA is not certified any more."""
MAX_RAYS = 10
LEVELS = (0.0, -0.8, -1.6)
"""Where rays are compared: normal quantiles of what is left to pA, with the negative left to 1 - pB. 0: pB = 1 - pA."""
NEAR = 0.98
"""Rays that move the limits this much of the most are looked at again, at the table's tolerance."""
SAME = 1.0 - 5e-4
"""A ray that moves them this much of the most will do."""
EARLY = 0.1
"""Where limits move less than this (in normal quantiles), curves are nearly linear in the radius."""
LOOK_BACK = (0.6, 0.75, 0.87)
"""Shares of a radius at which rays between its worst one and that of the radius before are looked at."""
_GRID = np.concatenate([[0.0], ndtr(np.linspace(-5.5, 5.5, 89)), [1.0]])

Strengths = dict[Ray, np.ndarray]
"""How far each ray moves the limits at one radius, in normal quantiles, at each of ``LEVELS``."""


def survey(accounts: Accounts, norm: float, dim: int) -> list[Ray]:
    """At most ``MAX_RAYS`` rays, among which is one (nearly) as bad as any at every radius looked at."""
    wants = [
        (strengths, level, max(strength[level] for strength in strengths.values()))
        for strengths in _looks(accounts, norm, dim)
        for level in range(len(LEVELS))
    ]
    kept: list[Ray] = []
    while wants and len(kept) < MAX_RAYS:
        served = [ray for strengths, level, most in wants for ray in strengths if strengths[ray][level] >= SAME * most]
        kept.append(max(dict.fromkeys(served), key=served.count))
        wants = [want for want in wants if want[0].get(kept[-1], np.zeros(len(LEVELS)))[want[1]] < SAME * want[2]]
    return kept


def _looks(accounts: Accounts, norm: float, dim: int) -> Iterator[Strengths]:
    rays, radius = _far_apart(candidates(accounts.law, norm, dim), dim), accounts.floor
    before: Ray | None = None
    for look in range(1000):
        strengths = _strengths(accounts, rays, radius, SCAN)
        worst = _worst(strengths)
        more = [*neighbours(worst, norm, dim), *(two_level(worst, accounts.law, norm, dim) if look % 3 == 2 else [])]
        strengths |= _strengths(accounts, more, radius, SCAN)
        most = np.max(list(strengths.values()), axis=0)
        near = [ray for ray, strength in strengths.items() if np.any(strength >= NEAR * most)]
        found = _strengths(accounts, near, radius, accounts.tolerance)
        yield found
        passing = between(before, _worst(found), norm) if before is not None else []
        if passing:
            yield from (_strengths(accounts, passing, share * radius, accounts.tolerance) for share in LOOK_BACK)
        if most[0] >= 2 * ndtri(TOP) or radius > LARGEST:
            return
        before = _worst(found)
        radius *= 4 if most[0] < EARLY else 2


def _far_apart(rays: Iterable[Ray], dim: int) -> list[Ray]:
    """Powers of two: what lies between the best of them is looked at as their neighbours."""
    return [ray for ray in rays if ray.count & (ray.count - 1) == 0 or ray.count == dim]


def _worst(strengths: Strengths) -> Ray:
    """The worst ray for pB = 1 - pA."""
    return max(strengths, key=lambda ray: strengths[ray][0])


def _strengths(accounts: Accounts, rays: Iterable[Ray], radius: float, tolerance: float) -> Strengths:
    """Compared at those pA and 1 - pB to which the worst of these rays leaves the probabilities of ``LEVELS``."""
    left = {ray: accounts.at(ray, radius, tolerance=tolerance).left(_GRID) for ray in dict.fromkeys(rays)}
    if not left:
        return {}
    envelope = np.min(list(left.values()), axis=0)
    before = np.interp(ndtr([LEVELS, np.negative(LEVELS)]), envelope, _GRID)
    return {
        ray: (_quantile(before) - _quantile(np.interp(before, _GRID, each))).sum(axis=0) for ray, each in left.items()
    }


def _quantile(p: np.ndarray) -> np.ndarray:
    return np.asarray(ndtri(np.clip(p, 1e-15, 1.0 - 1e-15)))
