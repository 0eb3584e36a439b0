"""Pareto noise (Yang et al. 2020, "Randomized smoothing of all shapes and sizes")."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from robustbench_rs.api import ClosedForm, Noise, NoiseParams, hookimpl
from robustbench_rs.statistics.quadrature import gauss
from robustbench_rs.statistics.rounding import certified, down
from robustbench_rs_plugins.noises.even import TAILS, EvenNoise

if TYPE_CHECKING:
    import torch

TERMS = 60
"""Of a series whose terms fall by half at least."""
ROUNDING = 1e-12
"""Relative; the integral of :meth:`Pareto._path` was measured to err by less than 5e-14."""


class Pareto(EvenNoise):
    """Independent coordinates with density a / (2 scale) (1 + abs(x) / scale)^-(a + 1).

    sigma = scale sqrt(2 / ((a - 1) (a - 2))), which exists for a > 2.
    """

    name = "pareto"
    continuous = True
    score_turns = score_slope_turns = (0.0,)
    relative_error = 2.0**-42  # z reaches 1e300 by exponentials
    quantile_error = 2.0**-50  # with a tail of mass q it is q abs(ln q) times that of the exponent

    class Params(NoiseParams):
        """``a``: below 0.2 the tails are too heavy to be sampled in floating point."""

        a: float = Field(ge=0.2, description="power of the tail mass")

    params: Params

    @property
    def fisher_information(self) -> float:  # type: ignore[override]
        a = self.params.a
        return (a + 1) ** 2 * a / (a + 2)

    @property
    def slope_variation(self) -> float:  # type: ignore[override]
        """Four times the slope at 0: convex on both sides."""
        return 2 * self.params.a * (self.params.a + 1)

    @property
    def std(self) -> float:
        a = self.params.a
        return math.sqrt(2 / ((a - 1) * (a - 2))) if a > 2 else math.inf

    @property
    def log_normaliser(self) -> float:
        return math.log(2 / self.params.a)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(-(self.params.a + 1) * np.log1p(np.abs(z)))

    def score(self, z: np.ndarray) -> np.ndarray:
        """(a + 1) sign(z) / (1 + abs(z)): it jumps at 0 and falls on both sides."""
        return np.asarray((self.params.a + 1) * np.sign(z) / (1.0 + np.abs(z)))

    def score_slope(self, z: np.ndarray) -> np.ndarray:
        """-(a + 1) / (1 + abs(z))^2."""
        with np.errstate(over="ignore"):
            return np.asarray(-(self.params.a + 1) / np.square(1.0 + np.abs(z)))

    def upper_tail(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(0.5 * np.exp(-self.params.a * np.log1p(z)))

    def upper_quantile(self, tail: np.ndarray) -> np.ndarray:
        """(2 tail)^(-1/a) - 1."""
        log = np.where(tail < TAILS, np.log(2.0 * tail), np.log1p(-2.0 * (0.5 - tail)))
        return np.asarray(np.expm1(-log / self.params.a))

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        """exp(E / a) - 1 with a random sign, E of the exponential law."""
        import torch

        from robustbench_rs.api.draws import place, random_signs, rounded, standard_exponential

        size = standard_exponential(shape, generator, place(device), torch.float64).div_(self.params.a).expm1_()
        return rounded(size.mul_(random_signs(shape, generator, size.device, torch.float64)), self.scale, device, dtype)

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:
        """l1: scale (G(pA) - G(pB)) / 2, G(p) the integral of du / Phi(min(u, 1 - u)) from 1/2 to p; a lower bound.

        The supremum Phi(p) of E[1_U v . score] over P(U) = p and the l1 unit ball is reached at v = e_1, being convex
        in v, and at U = {0 < z_1 < t}, where the score is largest: Phi(p) = q(0) - q(t) with P(0 < z < t) = p <= 1/2,
        that is a/2 (1 - (1 - 2p)^(1 + 1/a)). With s = 2u - 1, G(p) = (1/a) integral of ds / (1 - s^(1 + 1/a)) from 0 to
        2p - 1 = (2p - 1) / a 2F1(1, a/(a+1); 1 + a/(a+1); (2p - 1)^(1 + 1/a)) for p >= 1/2, and G(1 - p) = -G(p).
        ``upper`` is what a half-space loses its majority at.
        """
        if norm != 1 and dim != 1:
            return None
        source = "Yang et al. 2020, differential method for Pareto noise, l1"
        return ClosedForm(self._differential, source, exact=False, upper=self._l1_upper)

    def _differential(self, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        half = self.scale / (2 * self.params.a)
        return certified(half * (down(self._path(p_lower), ROUNDING) - self._path_up(p_upper)), p_lower, p_upper)

    def _path_up(self, p: np.ndarray) -> np.ndarray:
        return -down(-self._path(p), ROUNDING)

    def _path(self, p: np.ndarray) -> np.ndarray:
        """Integral of ds / (1 - s^b) from 0 to 2p - 1, b = 1 + 1/a; odd about p = 1/2, infinite at 1.

        Up to s^b = 1/2 its power series. Beyond, in t = 1 - s: the integral of 1 / (b t), and by quadrature that of the
        smooth rest (``scipy.special.hyp2f1`` comes out infinite already from 2p - 1 = 1 - 1e-14 on).
        """
        p = np.asarray(p, dtype=np.float64)
        b = 1 + 1 / self.params.a
        left = 2.0 * np.minimum(p, 1.0 - p)
        middle = 0.5 ** (1 / b)
        with np.errstate(all="ignore"):
            x = np.minimum(1.0 - left, middle)
            terms = (np.power.outer(x, b * k) / (1 + b * k) for k in range(TERMS))
            near = x * np.sum([*terms], axis=0)
            start = np.minimum(left, 1.0 - middle)
            rest = gauss(lambda t: _without_pole(t, b), start, np.full(p.shape, 1.0 - middle))
            far = np.log((1.0 - middle) / start) / b + rest
        return np.asarray(np.copysign(near + far, p - 0.5))


def _without_pole(t: np.ndarray, b: float) -> np.ndarray:
    """1 / (1 - (1 - t)^b) - 1 / (b t)."""
    return np.asarray(-1.0 / np.expm1(b * np.log1p(-t)) - 1.0 / (b * t))


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [Pareto]
