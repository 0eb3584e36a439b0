"""Claims of a noise that lists all its draws, checked by going through them; only what ``sample`` does is a test."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from robustbench_rs.api import Noise
from robustbench_rs.testing.closed_forms import proved_forms
from robustbench_rs.testing.result import FALSE_ALARM, Check
from robustbench_rs.testing.sampler import ROUNDING, SEED, draw, shape_of

if TYPE_CHECKING:
    import torch

DRAWN = 20_000
PAIRS = 24
SHORT = 5


def _listed(noise: Noise, shape: tuple[int, ...], dtype: torch.dtype | None = None) -> torch.Tensor:
    """All draws for inputs of ``shape``, float64 unless told."""
    import torch

    assert noise.outcomes is not None
    return noise.outcome(0, (noise.outcomes, *shape), "cpu", dtype or torch.float64)


def _form(noise: Noise) -> str | None:
    """Draw number i is the same whatever is asked for with it, and numbers start again at the end."""
    import torch

    number = noise.outcomes
    if number is None:
        return None
    if number < 1:
        return f"outcomes = {number}: there must be one at least"
    shape = shape_of(noise)[1:]
    for dtype in (torch.float32, torch.float64):
        listed = _listed(noise, shape, dtype)
        if listed.shape != (number, *shape) or listed.dtype != dtype:
            return f"asked for {(number, *shape)} {dtype}, got {tuple(listed.shape)} {listed.dtype}"
        if not bool(listed.isfinite().all()):
            return "a draw is not finite"
        for first in (0, number // 2, number - 1):
            numbers = torch.arange(first, first + SHORT) % number
            if not torch.equal(noise.outcome(first, (SHORT, *shape), "cpu", dtype), listed[numbers]):
                return f"draws {first} to {first + SHORT - 1} of {number} are others when asked for alone"
    return None


def _sampled(noise: Noise) -> str | None:
    """``sample`` gives each listed draw equally often: Dvoretzky-Kiefer-Wolfowitz-Massart, as of a cdf."""
    if noise.outcomes is None:
        return None
    shape = shape_of(noise)[1:]
    listed = _listed(noise, shape).numpy().reshape(noise.outcomes, -1)
    drawn = draw(noise, (DRAWN, *shape)).numpy().reshape(DRAWN, -1)
    different, where = np.unique(np.concatenate([listed, drawn]), axis=0, return_inverse=True)
    shares = [np.bincount(part, minlength=len(different)) for part in np.split(where.reshape(-1), [noise.outcomes])]
    if np.any((shares[0] == 0) & (shares[1] > 0)):
        return "sample gives draws that outcome does not list"
    found = float(np.max(np.abs(np.cumsum(shares[0]) / noise.outcomes - np.cumsum(shares[1]) / DRAWN)))
    limit = math.sqrt(math.log(2 / FALSE_ALARM) / (2 * DRAWN)) + ROUNDING
    return None if found <= limit else f"draws are not equally likely: off by {found:.4f} (limit {limit:.4f})"


def _exact_on_grid(noise: Noise) -> str | None:
    """A pixel on the grid and its neighbouring floats give one and the same, in float32 the same as in float64."""
    import torch

    levels = noise.pixel_levels
    if levels is None or noise.outcomes is None:
        return None
    cells = torch.linspace(0, levels, 12, dtype=torch.float64).round_() / levels
    drawn = _listed(noise, (12,))
    exact = noise.apply(cells, drawn)
    coarse = cells.float()
    for pixels in (coarse, *(torch.nextafter(coarse, torch.tensor(end)) for end in (-1.0, 2.0))):
        noisy = noise.apply(pixels, drawn.float())
        if not torch.equal(noisy, noise.apply(coarse, drawn.float())):
            return "neighbouring floats of a pixel on the grid give another result"
        if not torch.allclose(noisy.double(), exact, rtol=0.0, atol=1e-6):
            return "float32 gives another result than float64"
    return None


def _forms(noise: Noise) -> str | None:
    """No classifier refutes a closed form: neither inputs on the grid nor the draws leave it to chance."""
    if noise.outcomes is None or noise.pixel_levels is None:
        return None
    for norm, dim, form in proved_forms(noise):
        for x, y in _pairs(noise.pixel_levels, dim):
            count = worst_count(noise, x, y)
            p = np.array([count / noise.outcomes])
            radius, distance = float(form.radius(p, 1 - p)[0]), float(np.linalg.norm(x - y, norm))
            if radius > distance * (1 + 1e-12):
                lost = f"a class of {count} of {noise.outcomes} draws has no majority at a distance of {distance:.6g}"
                return f"norm {norm:g}, {dim} dimensions: {lost}, and the radius is {radius:.6g}"
    return None


def worst_count(noise: Noise, x: np.ndarray, y: np.ndarray) -> int:
    """Draws, of all, that some classifier gives to a class at ``x`` (d,) that has at most half of them at ``y`` (d,).

    It has all noisy inputs that come at x more often than at y, and as many others as half of the draws leave room for.
    """
    import torch

    assert noise.outcomes is not None
    drawn = _listed(noise, x.shape)
    noisy = np.concatenate([noise.apply(torch.from_numpy(each), drawn).numpy() for each in (x, y)])
    _, where = np.unique(noisy, axis=0, return_inverse=True)
    here, there = (np.bincount(part, minlength=where.max() + 1) for part in np.split(where.reshape(-1), 2))
    order = np.argsort(there - here, kind="stable")
    kept = np.cumsum(there[order]) <= noise.outcomes // 2
    return int(here[order][kept].sum())


def _pairs(levels: int, dim: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Inputs (d,) on the grid, at all kinds of distances: some pixels are moved by some steps, from 0 or elsewhere."""
    rng = np.random.default_rng(SEED)
    for number in range(PAIRS):
        x = rng.integers(0, levels + 1, dim) if number % 2 else np.zeros(dim, dtype=np.int64)
        y = x.copy()
        moved = rng.integers(0, dim, rng.integers(1, dim + 1))
        y[moved] += rng.integers(0, 1 + max(1, levels // (1 + number % 7)), len(moved))
        yield x / levels, np.minimum(y, levels) / levels


CHECKS: dict[str, Check[Noise]] = {
    "outcomes are numbered": _form,
    "outcomes are what sample draws": _sampled,
    "outcomes are exact on the grid": _exact_on_grid,
    "closed forms hold for all outcomes": _forms,
}
