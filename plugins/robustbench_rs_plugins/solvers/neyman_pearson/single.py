"""One question, answered at full precision: bracketing along rays, and a search for the worst ray."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from robustbench_rs_plugins.solvers.neyman_pearson.accounts import PROGRESS, RETRIES, SCAN, Accounts
from robustbench_rs_plugins.solvers.neyman_pearson.question import Question
from robustbench_rs_plugins.solvers.neyman_pearson.rays import (
    Ray,
    candidates,
    falls_along_rays,
    neighbours,
    proved_worst,
    tilted,
    two_level,
)
from robustbench_rs_plugins.solvers.neyman_pearson.root import largest

ROOT_SHARE = 0.25
"""Of the tolerance, for the bracket of a root."""
CLIMBS = 6
DOUBLINGS = 8
LOOKED_BELOW = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02)
"""Shares of a radius at which shorter shifts are looked at where nothing is known of them."""


@dataclass(frozen=True)
class Answer:
    """In units of z. ``radius`` was itself evaluated and is certified for every ray tried; ``ray`` is the one that ends
    it. ``upper``: the truth is known not to exceed it."""

    radius: float
    upper: float
    ray: Ray


def answer(question: Question, accounts: Accounts, norm: float, dim: int) -> Answer:
    """The radius of ``question``: along the rays that a theorem names, else the smallest over those searched."""
    known = proved_worst(accounts.law, norm, dim)
    rays: Sequence[Ray] = known or _suspects(question, accounts, norm, dim)
    before = math.inf
    for _ in range(RETRIES):
        search = _Search(question, accounts, [SCAN, 4 * accounts.tolerance, None])
        search.lower(rays)
        if known is None and 1 < norm < math.inf:
            search.climb(lambda ray: tilted(ray, norm, dim))
        upper = _upper(question, accounts, search.worst, search.radius)
        # The first step of `_upper` is one width; the engine did not meet the tolerance where more were needed.
        excess = (upper - search.radius) / accounts.width(search.radius) / 2.5
        if excess > PROGRESS * before or not accounts.sharpen(search.radius, excess):
            break
        before = excess
        rays = [search.worst, *(ray for ray in rays if ray != search.worst)]
    return Answer(search.radius, upper, search.worst)


def _suspects(question: Question, accounts: Accounts, norm: float, dim: int) -> list[Ray]:
    """All rays that were tried, at a coarse tolerance, the worst first."""
    search = _Search(question, accounts, [SCAN])
    search.lower(candidates(accounts.law, norm, dim))
    search.climb(lambda ray: neighbours(ray, norm, dim))
    search.lower(two_level(search.worst, accounts.law, norm, dim))
    return [search.worst, *(ray for ray in search.tried if ray != search.worst)]


class _Search:
    """``radius``: certified for every ray tried so far; ``tolerances``: from coarse to fine, tried in this order;
    None is the finest."""

    def __init__(self, question: Question, accounts: Accounts, tolerances: Sequence[float | None]) -> None:
        self.radius = math.inf
        self.tried: dict[Ray, None] = {}
        self._question = question
        self._accounts = accounts
        self._tolerances = tolerances
        self._falls = falls_along_rays(accounts.law)
        self._worst: Ray | None = None

    @property
    def worst(self) -> Ray:
        if self._worst is None:
            raise ValueError("no direction was given")
        return self._worst

    def lower(self, rays: Iterable[Ray]) -> None:
        """Look at each ray at the radius so far, and follow it inwards where it is not certified there."""
        for ray in rays:
            self.tried[ray] = None
            if not self.radius > 0 or self._certified(ray, self.radius):
                continue
            before = self.radius - self._width(self.radius) if math.isfinite(self.radius) else 0.0
            if before > 0 and self._certified(ray, before):  # as many are, but for the engine's error
                self.radius = before
            else:
                self.radius, self._worst = self._along(ray), ray

    def climb(self, near: Callable[[Ray], Iterable[Ray]]) -> None:
        """Look at what lies ``near`` the worst ray, and then near a worse one that was found there."""
        for _ in range(CLIMBS):
            before = self.worst
            self.lower(near(before))
            if self.worst == before:
                break

    def _certified(self, ray: Ray, radius: float) -> bool:
        if math.isinf(radius):
            return False
        shares = (1.0,) if self._falls else (1.0, *LOOKED_BELOW)
        return all(any(self._margin(ray, share * radius, at) > 0 for at in self._tolerances) for share in shares)

    def _along(self, ray: Ray) -> float:
        """The largest radius certified along one ray; where T may rise again, below every failure that was seen."""
        start = self.radius if math.isfinite(self.radius) else self._guess(ray)
        at = self._tolerances[-1]
        while True:
            found = largest(lambda radius: self._margin(ray, radius, at), self._question.start, start, self._width)
            shares = () if self._falls else LOOKED_BELOW
            failing = [share * found for share in shares if found > 0 and self._margin(ray, share * found, at) <= 0]
            if not failing:
                return found
            start = min(failing)

    def _margin(self, ray: Ray, radius: float, tolerance: float | None) -> float:
        return self._question.margin(self._accounts.at(ray, radius, tolerance=tolerance))

    def _width(self, radius: float) -> float:
        tolerance = self._tolerances[-1] or self._accounts.tolerance
        return ROOT_SHARE * tolerance * max(radius, self._accounts.floor)

    def _guess(self, ray: Ray) -> float:
        """As if the noise were Gaussian with the same central 68 per cent."""
        low, high = self._accounts.law.quantile(ndtr(np.array([-1.0, 1.0]))).tolist()
        sides = 1 if self._question.rest == self._question.top else 2
        guess = float(self._question.start * (high - low) / 2 / sides / ray.euclidean)
        return max(guess, self._accounts.width(0.0))


def _upper(question: Question, accounts: Accounts, ray: Ray, radius: float) -> float:
    """The first radius beyond, in growing steps, at which an optimistic curve shows a failure."""
    step = accounts.width(radius)
    for _ in range(DOUBLINGS):
        if question.refuted(accounts.at(ray, radius + step, optimistic=True)):
            return radius + step
        step *= 2
    return math.inf
