"""Symmetric unimodal families, known by the upper half of their law. No plugin by itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import numpy as np

from robustbench_rs.api import ProductNoise
from robustbench_rs.statistics.quadrature import gauss
from robustbench_rs.statistics.rounding import MARGIN, certified, down, up

STEPS = 2000
"""More than bisection needs from the whole range of float64 down to neighbours; Newton's method takes about ten."""
TAILS = 0.25
"""Tail masses below are solved for the tail; above, for the mass between 0 and z, which keeps z precise near 0."""
SETTLED = 8
"""Floats that a step of Newton's method may still move a zero by, for the rounding of the function's values."""
Excess = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class EvenNoise(ProductNoise):
    """A symmetric unimodal family: ``upper_tail``, and the quantile from it, or by formula.

    ``relative_error`` bounds the relative error of :meth:`upper_quantile`, measured against 40-digit
    arithmetic (``tests/noises``). As z q(z) <= 1/2 for an even unimodal density q, the quantile then errs by less than
    half of it in probability.
    """

    symmetric = True
    unimodal = True
    relative_error: float = 2.0**-44

    @property
    def quantile_error(self) -> float:
        return self.relative_error / 2 + 2.0**-53

    @property
    def numerical_quantile(self) -> bool:
        """Draws of families that state no formula for the quantile come from the table."""
        return type(self).upper_quantile is EvenNoise.upper_quantile

    @abstractmethod
    def upper_tail(self, z: np.ndarray) -> np.ndarray:
        """P(Z > z) for z >= 0 (any shape), precise relative to its value."""

    def upper_quantile(self, tail: np.ndarray) -> np.ndarray:
        """z >= 0 with P(Z > z) = ``tail`` in [0, 1/2], by Newton's method; the density must be smooth on (0, 0.7)."""
        tail = np.atleast_1d(np.asarray(tail, dtype=np.float64))
        z = np.where(tail < TAILS, np.inf, 0.0)
        far, near = (tail > 0) & (tail < TAILS), (tail >= TAILS) & (tail < 0.5)
        z[far] = self._from_tail(tail[far])
        z[near] = self._from_body(0.5 - tail[near])
        return z

    def cdf(self, z: np.ndarray) -> np.ndarray:
        z = np.asarray(z, dtype=np.float64)
        with np.errstate(all="ignore"):
            half = self.upper_tail(np.abs(z))
        return np.asarray(np.where(z < 0, half, 1.0 - half))

    def sf(self, z: np.ndarray) -> np.ndarray:
        return self.cdf(np.negative(z))

    def quantile(self, p: np.ndarray) -> np.ndarray:
        p = np.asarray(p, dtype=np.float64)
        with np.errstate(all="ignore"):
            size = self.upper_quantile(np.minimum(p, 1.0 - p))
        return np.asarray(np.copysign(np.reshape(size, p.shape), p - 0.5))

    def _from_tail(self, tail: np.ndarray) -> np.ndarray:
        """Newton's method on the logarithm of the tail."""

        def excess(z: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            reached = self.upper_tail(z)
            return np.log(reached / wanted), np.asarray(self.density(z) / reached)

        high = np.ones(tail.shape)
        while np.any(short := self.upper_tail(high) > tail):
            high = np.where(short, 2.0 * high, high)
        return root(excess, tail, high)

    def _from_body(self, mass: np.ndarray) -> np.ndarray:
        """Newton's method on the mass between 0 and z, which is at most 1/4."""

        def excess(z: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return wanted - gauss(self.density, np.zeros(z.shape), z), self.density(z)

        quartile = self._from_tail(np.array([TAILS]))[0]
        return root(excess, mass, np.full(mass.shape, quartile * (1 + 1e-9)))

    def _l1_radius(self, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        """Rounded by the quantiles' relative error, so that radii near pA = 1/2 keep their precision."""
        margin = max(MARGIN, 2 * self.relative_error)
        z = down(self.quantile(p_lower), margin) - up(self.quantile(p_upper), margin)
        return certified(down(self.scale / 2 * z), p_lower, p_upper)

    def _l1_upper(self, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        margin = max(MARGIN, 2 * self.relative_error)
        z = up(self.quantile(p_lower), margin) - down(self.quantile(p_upper), margin)
        return certified(up(self.scale / 2 * z), p_lower, p_upper)


def root(excess: Excess, target: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Zeros (m,) of decreasing functions of z, one for each ``target``, in the brackets [0, ``high``].

    ``excess`` gives for z and targets (n,) the functions and minus their derivatives. Newton's method, bisection where
    it leaves the bracket; each zero is left alone as soon as it moves by rounding errors only.
    """
    low, high, z = np.zeros(target.shape), high.copy(), high / 2
    open_ = np.arange(len(target))
    for _ in range(STEPS):
        here, below, above = z[open_], low[open_], high[open_]
        value, rate = excess(here, target[open_])
        below, above = np.where(value >= 0, here, below), np.where(value <= 0, here, above)
        step = here + value / rate
        new = np.where((step > below) & (step < above), step, (below + above) / 2)
        z[open_], low[open_], high[open_] = new, below, above
        open_ = open_[(np.abs(new - here) > SETTLED * np.spacing(here)) & (below < above)]
        if not len(open_):
            break
    return z
