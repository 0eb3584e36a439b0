"""Trade-off functions of one law along rays, with the error that a solver can afford there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from scipy.special import ndtr, ndtri

from robustbench_rs.statistics.coordinate import Coordinate
from robustbench_rs.statistics.tradeoff import Account, Group
from robustbench_rs_plugins.solvers.neyman_pearson.rays import Ray

SHARE = 0.6
"""Of the tolerance, for what lies between both sides of a trade-off function, mostly on the optimistic one; the rest is
for what is built on it."""
SCAN = 0.01
"""Tolerance where directions are only compared."""
COARSEST = 0.05
SHARPEST, BLUNTEST = 2.0**-12, 16.0
RETRIES = 3
PROGRESS = 0.7
"""A sharper curve must bring the gap down to this share, or it was not the tolerance that made it."""
LOSSES_PER_WORK = 4000.0
"""A curve costs about a millisecond, and another one for so many points."""


LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
_GRID = np.concatenate([[0.0], ndtr(np.linspace(-5.5, 5.5, 111)), [1.0]])


class Curve(Protocol):
    """What is used of :class:`robustbench_rs.statistics.tradeoff.TradeOff`."""

    @property
    def proved(self) -> bool: ...
    @property
    def losses(self) -> np.ndarray: ...
    def p_star(self) -> float: ...
    def left(self, p: np.ndarray, /) -> np.ndarray: ...
    def intercepts(self, log_slopes: np.ndarray, /) -> np.ndarray: ...


class OneShift(Protocol):
    """What is used of :class:`robustbench_rs.statistics.tradeoff.Account`."""

    def curve(self, *, optimistic: bool = False) -> Curve: ...


class Engine(Protocol):
    """:class:`robustbench_rs.statistics.tradeoff.Account`."""

    def __call__(self, law: Coordinate, shift: Sequence[Group], tolerance: float, /) -> OneShift: ...


class Nothing:
    """What is known of a shift that could not be accounted for: nothing is left (optimistic: everything is)."""

    proved = True
    losses = np.zeros(0)

    def __init__(self, optimistic: bool) -> None:
        self._optimistic = optimistic

    def p_star(self) -> float:
        return 0.5 if self._optimistic else 1.0

    def left(self, p: np.ndarray) -> np.ndarray:
        kept = np.array(p, dtype=np.float64)
        return kept if self._optimistic else np.zeros_like(kept)

    def intercepts(self, log_slopes: np.ndarray) -> np.ndarray:
        return np.asarray(-np.exp(log_slopes))


class Accounts:
    """``floor``: radii are wanted to ``tolerance`` times the larger of themselves and ``floor`` (units of z).

    ``proved`` turns False when a curve was used whose ratio extremes were only found numerically. ``work``: what the
    curves so far cost, about milliseconds, but the same on every machine.
    """

    def __init__(self, law: Coordinate, norm: float, dim: int, tolerance: float, engine: Engine = Account) -> None:
        self.law = law
        self.tolerance = tolerance
        self.floor = floor(norm, dim)
        self.proved = True
        self.work = 0.0
        self._engine = engine
        self._sharpness: dict[int, float] = {}

    def width(self, radius: float) -> float:
        """The error that a radius may have."""
        return self.tolerance * max(radius, self.floor)

    def at(self, ray: Ray, radius: float, *, optimistic: bool = False, tolerance: float | None = None) -> Curve:
        """The curve of the shift of norm ``radius`` > 0 along ``ray``; sound whatever the tolerance [its own]."""
        return self._curve(self._account(ray, radius, tolerance), optimistic)

    def _account(self, ray: Ray, radius: float, tolerance: float | None = None) -> OneShift:
        wanted = SHARE * (tolerance or self._sharp(radius) * self.tolerance) * max(1.0, self.floor / radius)
        return self._engine(self.law, ray.shift(radius), min(wanted, COARSEST))

    def _curve(self, account: OneShift, optimistic: bool) -> Curve:
        try:
            curve = account.curve(optimistic=optimistic)
        except ValueError:  # the loss needs more lattice points than there is room for
            curve = Nothing(optimistic)
        self.work += 1.0 + len(curve.losses) / LOSSES_PER_WORK
        self.proved = self.proved and curve.proved
        return curve

    def pair(self, ray: Ray, radius: float) -> tuple[Curve, Curve]:
        """The curve and the optimistic one; the engine is asked for more until they lie within the tolerance."""
        before, kept = math.inf, self._sharp(radius)
        for _ in range(RETRIES):
            account = self._account(ray, radius)
            curve, optimistic = self._curve(account, False), self._curve(account, True)
            excess = _gap(curve, optimistic) * radius / (SHARE * self.width(radius))
            if excess > PROGRESS * before:
                self._sharpness[_octave(radius)] = kept
                break
            before, kept = excess, self._sharp(radius)
            if not self.sharpen(radius, excess):
                break
        if excess < 0.25:
            self._sharpness[_octave(radius)] = min(4 * self._sharp(radius), BLUNTEST)
        return curve, optimistic

    def sharpen(self, radius: float, excess: float) -> bool:
        """Ask for more near ``radius``, where a gap was ``excess`` times what it may be; False where it need not, or
        cannot be."""
        if excess <= 1.0 or self._sharp(radius) <= SHARPEST:
            return False
        self._sharpness[_octave(radius)] = max(self._sharp(radius) / min(2.0 * excess, 64.0), SHARPEST)
        return True

    def _sharp(self, radius: float) -> float:
        """The share of the tolerance that is asked of the engine, which does not promise to meet it: that of the
        octave of radii nearest by."""
        here = _octave(radius)
        nearest = min(self._sharpness, key=lambda octave: abs(octave - here), default=None)
        return 1.0 if nearest is None else self._sharpness[nearest]


def _octave(radius: float) -> int:
    return math.frexp(radius)[1]


def floor(norm: float, dim: int) -> float:
    """1e-3 (units of z), or what corresponds to it where radii shrink with the dimension; a power of two.

    l_p norms of p > 2: a corner of the ball lies d^(1/2 - 1/p) times farther away in l2.
    """
    shrinks = 1.0 if norm <= 2 else dim ** ((0.0 if math.isinf(norm) else 1.0 / norm) - 0.5)
    return 2.0 ** math.floor(math.log2(1e-3 * shrinks))


def _gap(curve: Curve, optimistic: Curve) -> float:
    """How far apart the two are at ``LEVELS``, as a share of what the shift takes, in normal quantiles."""
    p = np.interp(LEVELS, curve.left(_GRID), _GRID)
    before, low, high = (ndtri(np.clip(x, 1e-15, 1 - 1e-15)) for x in (p, curve.left(p), optimistic.left(p)))
    known = (p < _GRID[-2]) & (before > low)
    return float(np.max((np.minimum(high, before) - low)[known] / (before - low)[known], initial=0.0))
