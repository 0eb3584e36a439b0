"""Claims of a noise sampler: form, reproducibility, and its law. Statistical checks state their false-alarm rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from robustbench_rs.api import Noise, ProductNoise
from robustbench_rs.statistics.binomial import lower_limit, upper_limit
from robustbench_rs.testing.result import FALSE_ALARM, Check

if TYPE_CHECKING:
    import torch

ROWS, COLUMNS = 500, (8, 64)
SEED = 20_190_206
ROUNDING = 2.0**-24
"""The u-error that the contract allows a numerical sampler, doubled."""


def _draw(
    noise: Noise, seed: int = SEED, shape: tuple[int, ...] = (ROWS, *COLUMNS), single: bool = False
) -> torch.Tensor:
    import torch

    generator = torch.Generator("cpu").manual_seed(seed)
    return noise.sample(shape, generator, "cpu", torch.float32 if single else torch.float64)


def _form(noise: Noise) -> str | None:
    import torch

    for single, dtype in ((True, torch.float32), (False, torch.float64)):
        drawn = _draw(noise, shape=(3, 2, 5), single=single)
        if drawn.shape != (3, 2, 5) or drawn.dtype != dtype or drawn.device.type != "cpu":
            return f"asked for (3, 2, 5) {dtype} on cpu, got {tuple(drawn.shape)} {drawn.dtype} on {drawn.device.type}"
        if not bool(torch.isfinite(drawn).all()):
            return "a draw is not finite"
    return None


def _reproducible(noise: Noise) -> str | None:
    """The same generator state gives the same draws, whatever torch's global generator does."""
    import torch

    shape = (4, 3, 7)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first = _draw(noise, shape=shape)
        torch.manual_seed(2)
        again, other = _draw(noise, shape=shape), _draw(noise, seed=SEED + 1, shape=shape)
    if not torch.equal(first, again):
        return "two generators with the same seed give different draws: randomness comes from elsewhere"
    return "two generators with different seeds give the same draws" if torch.equal(first, other) else None


def _advances(noise: Noise) -> str | None:
    import torch

    generator = torch.Generator("cpu").manual_seed(SEED)
    first, second = (noise.sample((4, 3, 7), generator, "cpu", torch.float64) for _ in range(2))
    return "two calls with one generator give the same draws" if torch.equal(first, second) else None


@dataclass(frozen=True)
class Sampled:
    """A noise with one large sample of z, drawn when first looked at."""

    noise: ProductNoise

    @cached_property
    def z(self) -> np.ndarray:
        return _draw(self.noise).numpy().reshape(ROWS, -1) / self.noise.scale


def _distribution(sampled: Sampled) -> str | None:
    """Dvoretzky-Kiefer-Wolfowitz-Massart: P(sup abs(F_n - F) > t) <= 2 exp(-2 n t^2), exact for every n."""
    z = np.sort(sampled.z.ravel())
    n = len(z)
    cdf, steps = sampled.noise.cdf(z), np.arange(n + 1) / n
    distance = float(max(np.max(steps[1:] - cdf), np.max(cdf - steps[:-1])))
    limit = math.sqrt(math.log(2 / FALSE_ALARM) / (2 * n)) + ROUNDING
    return None if distance <= limit else f"draws differ from the cdf by {distance:.4f} (limit {limit:.4f}, n = {n})"


def _tails(sampled: Sampled) -> str | None:
    """Exact binomial limits for the number of draws beyond four quantiles on either side."""
    z = sampled.z
    for mass in (1e-1, 1e-2, 1e-3, 1e-4):
        below, above = sampled.noise.quantile(np.array([mass, 1 - mass]))
        for side, count in (("lower", int(np.sum(z < below))), ("upper", int(np.sum(z > above)))):
            if not _plausible(count, z.size, mass, FALSE_ALARM / 16):
                return f"{count} of {z.size} draws lie in the {side} tail of mass {mass:g}"
    return None


def _independent(sampled: Sampled) -> str | None:
    """Neighbours, in a row or in a column, lie on the same side of the median half of the time."""
    high = sampled.z > float(sampled.noise.quantile(np.array(0.5)))
    for name, first, second in (
        ("coordinates", high[:, ::2], high[:, 1::2]),
        ("draws", high[::2], high[1::2]),
    ):
        count, n = int(np.sum(first == second)), first.size
        if not _plausible(count, n, 0.5, FALSE_ALARM / 4):
            return f"neighbouring {name} are dependent: {count} of {n} pairs lie on the same side of the median"
    return None


def _plausible(count: int, n: int, p: float, share: float) -> bool:
    """Both one-sided limits of the count's probability, each at level ``share``, allow ``p``."""
    return bool(lower_limit(count, n, share) <= p + ROUNDING and upper_limit(count, n, share) >= p - ROUNDING)


CHECKS: dict[str, Check[Noise]] = {
    "sample has the shape, dtype and device asked for": _form,
    "sample is reproducible": _reproducible,
    "sample advances its generator": _advances,
}
AGAINST_CDF: dict[str, Check[Sampled]] = {
    "sample follows the cdf": _distribution,
    "sample has the tails of the cdf": _tails,
    "sample has independent coordinates": _independent,
}
