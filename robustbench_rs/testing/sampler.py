"""Claims of a noise sampler: form, reproducibility, and its law. Statistical checks state their false-alarm rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from robustbench_rs.api import Noise, ProductNoise
from robustbench_rs.statistics.binomial import lower_limit, upper_limit
from robustbench_rs.testing.precision import draw_in, offered, refusal
from robustbench_rs.testing.result import FALSE_ALARM, Check

if TYPE_CHECKING:
    import torch

ROWS, COLUMNS = 500, (8, 64)
SEED = 20_190_206
ROUNDING = 2.0**-24
"""The u-error that the contract allows a numerical sampler, doubled."""
EVERY = 32
"""Order statistics between two at which the cdf is compared: fewer than the test can tell apart."""
MASSES = (1e-1, 1e-2, 1e-3, 1e-4)


def draw(noise: Noise, shape: tuple[int, ...], seed: int = SEED, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Draws on the CPU, float64 unless told."""
    import torch

    generator = torch.Generator("cpu").manual_seed(seed)
    return noise.sample(shape, generator, "cpu", dtype or torch.float64)


def shape_of(noise: Noise) -> tuple[int, ...]:
    """A small sample of an image-like input, in a dimension in which there is such noise."""
    return (3, 2, 5) if noise.problem(10) is None else (3, 1, 1)


def _form(noise: Noise) -> str | None:
    import torch

    shape = shape_of(noise)
    for dtype in (torch.float32, torch.float64):
        drawn = draw(noise, shape, dtype=dtype)
        if drawn.shape != shape or drawn.dtype != dtype or drawn.device.type != "cpu":
            return f"asked for {shape} {dtype} on cpu, got {tuple(drawn.shape)} {drawn.dtype} on {drawn.device.type}"
        if not bool(torch.isfinite(drawn).all()):
            return "a draw is not finite"
    return None


def _reproducible(noise: Noise) -> str | None:
    """The same generator state gives the same draws, whatever torch's global generator does."""
    import torch

    shape = shape_of(noise)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first = draw(noise, shape)
        torch.manual_seed(2)
        again, other = draw(noise, shape), draw(noise, shape, SEED + 1)
    if not torch.equal(first, again):
        return "two generators with the same seed give different draws: randomness comes from elsewhere"
    return "two generators with different seeds give the same draws" if torch.equal(first, other) else None


def _advances(noise: Noise) -> str | None:
    import torch

    generator = torch.Generator("cpu").manual_seed(SEED)
    first, second = (noise.sample(shape_of(noise), generator, "cpu", torch.float64) for _ in range(2))
    return "two calls with one generator give the same draws" if torch.equal(first, second) else None


@dataclass(frozen=True)
class Sampled:
    """A noise with one large sample of z in the precision that the engine works with, drawn when first looked at."""

    noise: ProductNoise

    @cached_property
    def z(self) -> np.ndarray:
        import torch

        drawn = draw(self.noise, (ROWS, *COLUMNS), dtype=torch.float32)
        return drawn.to(torch.float64).numpy().reshape(ROWS, -1) / self.noise.scale


def _distribution(sampled: Sampled) -> str | None:
    return distance(sampled.noise, sampled.z.ravel(), 2.0**-23)


def distance(noise: ProductNoise, z: np.ndarray, eps: float, share: float = FALSE_ALARM) -> str | None:
    """What is wrong with independent draws of z, seldom if they are right: a chance of ``share``.

    Dvoretzky-Kiefer-Wolfowitz-Massart: P(sup abs(F_n - F) > t) <= 2 exp(-2 n t^2), exact for every n.

    Looked at on either side of some of the draws; a value stands for what rounds to it, up to ``eps`` relative.
    """
    z = np.sort(z)
    n = len(z)
    some = z[np.arange(0, n, EVERY)]
    below, upto = np.searchsorted(z, some, side="left") / n, np.searchsorted(z, some, side="right") / n
    slack = eps * np.abs(some)
    found = float(np.max(np.maximum(upto - noise.cdf(some + slack), noise.cdf(some - slack) - below)))
    limit = math.sqrt(math.log(2 / share) / (2 * n)) + ROUNDING
    return None if found <= limit else f"draws differ from the cdf by {found:.4f} (limit {limit:.4f}, n = {n})"


def _tails(sampled: Sampled) -> str | None:
    """Exact binomial limits for the number of draws beyond four quantiles on either side."""
    z = sampled.z
    for mass in MASSES:
        below, above = sampled.noise.quantile(np.array([mass, 1 - mass]))
        for side, count in (("lower", int(np.sum(z < below))), ("upper", int(np.sum(z > above)))):
            if not plausible(count, z.size, mass, FALSE_ALARM / (4 * len(MASSES))):
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
        if not plausible(count, n, 0.5, FALSE_ALARM / 4):
            return f"neighbouring {name} are dependent: {count} of {n} pairs lie on the same side of the median"
    return None


def _everywhere(sampled: Sampled) -> str | None:
    """The same law in float64 and bfloat16 on the CPU, and in float32 and bfloat16 on a CUDA device where there is one.

    A precision may be refused, by an error that names it.
    """
    for place, dtype in offered():
        try:
            drawn = draw_in(sampled.noise, (ROWS, *COLUMNS), SEED + 2, place, dtype)
        except Exception as error:
            if (wrong := refusal(error, place, dtype)) is not None:
                return wrong
            continue
        eps = max(drawn.eps, 2.0**-23)
        wrong = distance(sampled.noise, drawn.values.ravel() / sampled.noise.scale, eps, FALSE_ALARM / 5)
        if wrong is not None:
            return f"{drawn.where}: {wrong}"
    return None


def plausible(count: int, n: int, p: float, share: float) -> bool:
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
    "sample has one law in every precision and on every device": _everywhere,
}
