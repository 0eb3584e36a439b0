"""Claims of what a noise makes of inputs: most add their draws; those that do not are held to little else."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from robustbench_rs.api import Noise, ProductNoise, VectorNoise
from robustbench_rs.statistics.binomial import lower_limit, upper_limit
from robustbench_rs.testing.balance import ROWS
from robustbench_rs.testing.closed_forms import proved_forms
from robustbench_rs.testing.result import FALSE_ALARM, Check
from robustbench_rs.testing.sampler import SEED, draw, shape_of

if TYPE_CHECKING:
    import torch

LEVELS = (0.6, 0.9)
TESTS = 64
"""At most: four norms, two dimensions, two levels, two shifts, two limits each."""
MARGIN = 10.0
"""Standard errors by which a region is chosen larger than pA, so that its limit is likely to reach pA."""
STEPS = 256
"""Numbers of which the sum is looked at are multiples of 1 / STEPS, so that their sums are exact."""


def _inputs(noise: Noise, shape: tuple[int, ...]) -> torch.Tensor:
    """Inputs all over the range of the noise with both ends, (0, 1) where it has none; float64, on its grid, by default
    one of STEPS + 1 levels."""
    import torch

    low, high = (end if math.isfinite(end) else default for end, default in zip(noise.pixel_range, (0, 1), strict=True))
    steps = noise.pixel_levels or STEPS
    cells = torch.randint(0, steps + 1, shape, generator=torch.Generator().manual_seed(SEED), dtype=torch.float64)
    cells.view(-1)[0], cells.view(-1)[-1] = 0, steps
    return low + (high - low) * cells / steps


def _form(noise: Noise) -> str | None:
    import torch

    drawn = draw(noise, shape_of(noise))
    inputs, kept = _inputs(noise, tuple(drawn.shape[1:])), drawn.clone()
    noisy = noise.apply(inputs, drawn)
    if noisy.shape != drawn.shape or noisy.dtype != torch.float64:
        return f"{tuple(drawn.shape)} draws around one input in float64 gave {tuple(noisy.shape)} {noisy.dtype}"
    if not bool(noisy.isfinite().all()):
        return "a noisy input is not finite"
    if not torch.equal(inputs, _inputs(noise, tuple(inputs.shape))) or not torch.equal(drawn, kept):
        return "it changes the inputs or the draws, which others may still need"
    return None if torch.equal(noise.apply(inputs, drawn), noisy) else "twice the same input and draws, two results"


def _out(noise: Noise) -> str | None:
    """Written into a row of a batch, and over a batch of inputs itself."""
    import torch

    drawn = draw(noise, shape_of(noise))
    inputs, kept = _inputs(noise, tuple(drawn.shape)), drawn.clone()
    noisy = noise.apply(inputs, drawn)
    for out in (torch.full_like(drawn, math.nan), inputs):
        if not torch.equal(noise.apply(inputs, drawn, out=out), noisy):
            return "with out=, the result is another one"
    return None if torch.equal(drawn, kept) else "with out=, it changes the draws"


def _row_by_row(noise: Noise) -> str | None:
    import torch

    drawn = draw(noise, shape_of(noise))
    inputs = _inputs(noise, tuple(drawn.shape))
    together = noise.apply(inputs, drawn)
    for row, one in enumerate(inputs):
        if not torch.equal(noise.apply(one, drawn[row : row + 1])[0], together[row]):
            return f"draw {row} gives another result alone than among {len(inputs)}"
    return None


def _sum_alone(noise: Noise) -> str | None:
    """Moving a part of the draw into the input changes nothing."""
    if not isinstance(noise, ProductNoise | VectorNoise):
        return None
    import torch

    drawn = draw(noise, shape_of(noise))
    drawn = drawn.mul(STEPS).round_().div_(STEPS).clamp_(-STEPS, STEPS)
    inputs = _inputs(noise, tuple(drawn.shape))
    moved = _inputs(noise, tuple(drawn.shape)).flip(0)
    one, other = noise.apply(inputs, drawn), noise.apply(moved, drawn + (inputs - moved))
    if torch.allclose(one, other, rtol=1e-9, atol=1e-9):
        return None
    return "the result is no function of input plus draw, about which everything is proved; use Noise as the base"


@dataclass(frozen=True)
class Regions:
    """Regions {statistic <= t} of noisy inputs, for pairs of inputs that differ by ``shift`` (d,) >= 0."""

    noise: Noise
    shift: np.ndarray

    def excess(self, p: float) -> str | None:
        """A region of probability at least ``p`` at one input, and below 1/2 at the other; t from draws of its own."""
        share, size = FALSE_ALARM / TESTS, ROWS[len(self.shift)]
        level = p + MARGIN * math.sqrt(p * (1 - p) / size)
        limit = np.quantile(self._statistic(SEED + 1, 0.0), min(level, 1.0))
        here, there = (int(np.sum(self._statistic(SEED + 2, moved) <= limit)) for moved in (0.0, 1.0))
        if lower_limit(here, size, share) < p or upper_limit(there, size, share) >= 0.5:
            return None
        return f"a region with {here} of {size} draws at one input has {there} at another inside of the radius"

    def _statistic(self, seed: int, moved: float) -> np.ndarray:
        """Mean over the coordinates that are shifted, of draws around one or the other input."""
        import torch

        low = self.noise.pixel_range[0] if math.isfinite(self.noise.pixel_range[0]) else 0.0
        inputs = torch.from_numpy(low + moved * self.shift)
        noisy = self.noise.apply(inputs, _draws(self.noise, len(self.shift), seed))
        return np.asarray(noisy.numpy()[:, self.shift > 0].mean(axis=1))


@lru_cache(maxsize=4)
def _draws(noise: Noise, dim: int, seed: int) -> torch.Tensor:
    return draw(noise, (ROWS[dim], dim), seed)


def _regions(noise: Noise) -> str | None:
    """A product noise's radii are compared with those of half-spaces, exactly, elsewhere."""
    if isinstance(noise, ProductNoise):
        return None
    for norm, dim, form in proved_forms(noise):
        for p in LEVELS:
            radius = float(form.radius(np.array([p]), np.array([1 - p]))[0])
            for shift in _shifts(noise, norm, dim, radius):
                wrong = Regions(noise, shift).excess(p)
                if wrong is not None:
                    return f"norm {norm:g}, {dim} dimensions, pA = {p}, radius {radius:.6g}: {wrong}"
    return None


def _shifts(noise: Noise, norm: float, dim: int, radius: float) -> Iterator[np.ndarray]:
    """Along one coordinate and along all, just inside of the ball, of the range of pixels, and on their grid."""
    inside, width = radius * (1 - 1e-9), noise.pixel_range[1] - noise.pixel_range[0]
    along_all = inside * dim ** (0.0 if math.isinf(norm) else -1.0 / norm)
    for length, direction in ((inside, np.arange(dim) < 1), (along_all, np.ones(dim)))[: 2 if dim > 1 else 1]:
        step = min(length, width)
        if noise.pixel_levels is not None:
            step = math.floor(step * noise.pixel_levels) / noise.pixel_levels
        if step > 0:
            yield step * direction


CHECKS: dict[str, Check[Noise]] = {
    "apply gives one noisy input per draw": _form,
    "apply writes where it is told": _out,
    "apply works draw by draw": _row_by_row,
    "apply depends on the sum alone": _sum_alone,
    "closed forms hold for regions of noisy inputs": _regions,
}
