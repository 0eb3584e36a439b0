"""Trade-off functions of one law along rays, with the error that a solver can afford there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from robustbench_rs.statistics.coordinate import Coordinate
from robustbench_rs.statistics.tradeoff import Group, trade_off
from robustbench_rs_plugins.solvers.neyman_pearson.rays import Ray

SHARE = 0.6
"""Of the tolerance, for the trade-off function; the rest is for what is built on it."""
SCAN = 0.01
"""Tolerance where directions are only compared."""
COARSEST = 0.02


class Curve(Protocol):
    """What is used of :class:`robustbench_rs.statistics.tradeoff.TradeOff`."""

    @property
    def proved(self) -> bool: ...
    def p_star(self) -> float: ...
    def left(self, p: np.ndarray, /) -> np.ndarray: ...
    def intercepts(self, log_slopes: np.ndarray, /) -> np.ndarray: ...


class Engine(Protocol):
    def __call__(
        self, law: Coordinate, shift: Sequence[Group], tolerance: float, *, optimistic: bool = False
    ) -> Curve: ...


class Nothing:
    """What is known of a shift that could not be accounted for: nothing is left (optimistic: everything is)."""

    proved = True

    def __init__(self, optimistic: bool) -> None:
        self._optimistic = optimistic

    def p_star(self) -> float:
        return 0.5 if self._optimistic else 1.0

    def left(self, p: np.ndarray) -> np.ndarray:
        return np.array(p, dtype=np.float64) if self._optimistic else np.zeros(np.shape(p))

    def intercepts(self, log_slopes: np.ndarray) -> np.ndarray:
        return np.asarray(-np.exp(log_slopes))


class Accounts:
    """``floor``: radii are wanted to ``tolerance`` times the larger of themselves and ``floor`` (units of z).

    ``proved`` turns False when a curve was used whose ratio extremes were only found numerically.
    """

    def __init__(self, law: Coordinate, norm: float, dim: int, tolerance: float, engine: Engine = trade_off) -> None:
        self.law = law
        self.tolerance = tolerance
        self.floor = floor(norm, dim)
        self.proved = True
        self.calls = 0
        self._engine = engine

    def width(self, radius: float) -> float:
        """The error that a radius may have."""
        return self.tolerance * max(radius, self.floor)

    def at(self, ray: Ray, radius: float, *, optimistic: bool = False, tolerance: float | None = None) -> Curve:
        """The curve of the shift of norm ``radius`` > 0 along ``ray``; sound whatever the tolerance [the own one]."""
        wanted = SHARE * (tolerance or self.tolerance) * max(1.0, self.floor / radius)
        self.calls += 1
        try:
            curve = self._engine(self.law, ray.shift(radius), min(wanted, COARSEST), optimistic=optimistic)
        except ValueError:  # the loss needs more lattice points than there is room for
            return Nothing(optimistic)
        self.proved = self.proved and curve.proved
        return curve


def floor(norm: float, dim: int) -> float:
    """1e-3 (units of z), or what corresponds to it where radii shrink with the dimension; a power of two.

    l_p norms of p > 2: a corner of the ball lies d^(1/2 - 1/p) times farther away in l2.
    """
    shrinks = 1.0 if norm <= 2 else dim ** ((0.0 if math.isinf(norm) else 1.0 / norm) - 0.5)
    return 2.0 ** math.floor(math.log2(1e-3 * shrinks))
