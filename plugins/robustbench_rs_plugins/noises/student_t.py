"""Student's t noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field
from scipy.special import betaincinv, betaln, stdtr

from robustbench_rs.api import Noise, NoiseParams, hookimpl
from robustbench_rs_plugins.noises.even import TAILS, EvenNoise

if TYPE_CHECKING:
    import torch

TINY = 1e-30
"""Below, x is got from the leading term of its law to full precision; ``betaincinv`` would underflow later."""
NEWTON = 3
LARGE = 1e8
"""Above, 1 + t^2 is t^2 in float64; t^2 itself would overflow later."""


class StudentT(EvenNoise):
    """Independent coordinates with density proportional to (1 + (x / scale)^2 / df)^(-(df + 1) / 2).

    sigma = scale sqrt(df / (df - 2)), which exists for df > 2.
    """

    name = "student-t"
    continuous = True
    relative_error = 2.0**-42  # z reaches 1e300 by exponentials
    quantile_error = 2.0**-47

    class Params(NoiseParams):
        """``df``: below 0.2 the tails are too heavy to be sampled in floating point."""

        df: float = Field(ge=0.2, description="degrees of freedom; 1: Cauchy")

    params: Params

    @property
    def score_turns(self) -> tuple[float, ...]:  # type: ignore[override]
        return (-math.sqrt(self.params.df), math.sqrt(self.params.df))

    @property
    def fisher_information(self) -> float:  # type: ignore[override]
        return (self.params.df + 1) / (self.params.df + 3)

    @property
    def slope_variation(self) -> float:  # type: ignore[override]
        """Four times the largest slope, which is at z^2 = df / (df + 2)."""
        steepest = np.array(math.sqrt(self.params.df / (self.params.df + 2)))
        return 4.0 * float(self.score(steepest) * self.density(steepest))

    @property
    def std(self) -> float:
        return math.sqrt(self.params.df / (self.params.df - 2)) if self.params.df > 2 else math.inf

    @property
    def log_normaliser(self) -> float:
        return math.log(self.params.df) / 2 + float(betaln(0.5, self.params.df / 2))

    def log_density(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            t = np.asarray(z, dtype=np.float64) / math.sqrt(self.params.df)
        return -(self.params.df + 1) / 2 * log1p_square(t)

    def score(self, z: np.ndarray) -> np.ndarray:
        """(df + 1) z / (df + z^2)."""
        z = np.asarray(z, dtype=np.float64)
        with np.errstate(divide="ignore", over="ignore"):
            return np.asarray((self.params.df + 1) / (z + self.params.df / z))

    @property
    def score_slope_turns(self) -> tuple[float, ...]:  # type: ignore[override]
        return (-math.sqrt(3 * self.params.df), 0.0, math.sqrt(3 * self.params.df))

    def score_slope(self, z: np.ndarray) -> np.ndarray:
        """(df + 1) (df - z^2) / (df + z^2)^2."""
        df = self.params.df
        with np.errstate(over="ignore"):
            total = df + np.square(np.asarray(z, dtype=np.float64))
        return np.asarray((df + 1) / total * (2.0 * df / total - 1.0))

    def upper_tail(self, z: np.ndarray) -> np.ndarray:
        """Far out by its leading term, t^-df / (df B(df/2, 1/2)) with t = z / sqrt(df), for ``stdtr`` underflows there;
        for df = 1 by the arc tangent, for there ``stdtr`` errs by up to 4e-9 next to 0 (scipy 1.17)."""
        df = self.params.df
        z = np.asarray(z, dtype=np.float64)
        if df == 1:
            return np.asarray(np.arctan2(1.0, z) / math.pi)
        log_t = np.log(z) - math.log(df) / 2
        far = np.exp(-df * log_t - math.log(df) - betaln(df / 2, 0.5))
        return np.asarray(np.where(log_t > math.log(LARGE), far, stdtr(df, -z)))

    def upper_quantile(self, tail: np.ndarray) -> np.ndarray:
        """From the beta law of x = df / (df + z^2), or of 1 - x where that is small; in the tails refined by Newton's
        method for ln(tail) as a function of ln(z), which is nearly a line there."""
        df = self.params.df
        x, y = betaincinv(df / 2, 0.5, 2.0 * tail), betaincinv(0.5, df / 2, 1.0 - 2.0 * tail)
        leading = np.exp(-(np.log(tail) + math.log(df) + betaln(df / 2, 0.5)) / df)
        odds = np.where((x < 0.5) | (tail < TAILS), (1.0 - x) / x, y / (1.0 - y))
        z = math.sqrt(df) * np.where(x < TINY, leading, np.sqrt(odds))
        for _ in range(NEWTON):
            reached = self.upper_tail(z)
            step = np.log(reached / tail) * reached / (z * self.density(z))
            z = np.where((tail < TAILS) & np.isfinite(step), z * np.exp(step), z)
        return np.asarray(z)

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        """sqrt(df (U^(-2/df) - 1)) cos(2 pi V), exact for every df (Bailey 1994, Math. Comp. 62, 779-781)."""
        import torch

        from robustbench_rs.api.draws import place, rounded, standard_exponential, uniform

        radius = standard_exponential(shape, generator, place(device), torch.float64).mul_(2 / self.params.df)
        radius = radius.expm1_().mul_(self.params.df).sqrt_()
        cosine = uniform(shape, generator, radius.device).mul_(2 * math.pi).cos_()
        return rounded(radius.mul_(cosine), self.scale, device, dtype)

    def draws(self, count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
        """As :meth:`sample`, in numpy: the quantile takes microseconds for each value."""
        df = self.params.df
        radius = np.sqrt(df * np.expm1(rng.standard_exponential((count, dim)) * (2 / df)))
        return np.asarray(self.scale * radius * np.cos(rng.uniform(0.0, 2 * math.pi, (count, dim))))


def log1p_square(t: np.ndarray) -> np.ndarray:
    """ln(1 + t^2), any shape, without overflow."""
    size = np.abs(t)
    with np.errstate(divide="ignore"):
        return np.asarray(np.where(size < LARGE, np.log1p(np.square(np.minimum(size, LARGE))), 2.0 * np.log(size)))


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [StudentT]
