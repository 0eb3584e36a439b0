"""Claims of noise that is not a product: what can be derived from its joint density alone, without knowing its form."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from robustbench_rs.api import Noise, VectorNoise
from robustbench_rs.statistics.tabulated import TabulatedLaw
from robustbench_rs.testing.balance import ROWS
from robustbench_rs.testing.closed_forms import doubled
from robustbench_rs.testing.precision import draw_in, offered, refusal
from robustbench_rs.testing.result import FALSE_ALARM, Check
from robustbench_rs.testing.sampler import SEED, draw

if TYPE_CHECKING:
    import torch

DIMS = (1, 2, 48)
OCTANT_NODES = 12
TOLERANCE = 1e-6
ERRORS = 8.0
"""Standard errors of a mean of squares: a normal mean exceeds six with probability 2e-9; the rest is for skewness."""
DOMINANT = 0.01
"""Share of the sum of squares above which one draw shows that such a mean is far from normal."""


def _dims(noise: VectorNoise) -> list[int]:
    return [dim for dim in DIMS if noise.problem(dim) is None]


def _normalisable(noise: Noise) -> str | None:
    """In one and in two dimensions; :class:`TabulatedLaw` raises where the integral along a ray diverges."""
    assert isinstance(noise, VectorNoise)
    for dim in (dim for dim in _dims(noise) if dim <= 2):
        _second_moment(noise, dim)
    return None


def _std(noise: Noise) -> str | None:
    """std(dim) against the density in one and two dimensions; in 48, where it is finite, against the draws' squares."""
    assert isinstance(noise, VectorNoise)
    if type(noise).std is VectorNoise.std:
        return None
    for dim in (dim for dim in _dims(noise) if dim <= 2):
        ours, truth = noise.std(dim), math.sqrt(_second_moment(noise, dim))
        if not (ours == truth or abs(ours - truth) <= TOLERANCE * truth):
            return f"std({dim}) is {ours:.12g} where {truth:.9g} follows from the density"
    return _std_of_draws(noise, 48) if 48 in _dims(noise) else None


def _std_of_draws(noise: VectorNoise, dim: int) -> str | None:
    std = noise.std(dim)
    squares = np.mean(np.square(draw(noise, (ROWS[dim], dim)).numpy() / noise.scale_in(dim)), axis=1)
    if not math.isfinite(std) or np.max(squares) > DOMINANT * np.sum(squares):
        return None
    error = float(np.std(squares) / math.sqrt(len(squares)))
    if abs(float(np.mean(squares)) - std**2) <= ERRORS * error:
        return None
    return f"std({dim}) is {std:.6g}, but the draws' root mean square is {math.sqrt(np.mean(squares)):.6g}"


def _second_moment(noise: VectorNoise, dim: int) -> float:
    """E[|z|_2^2] / dim by integration along rays; in two dimensions over Gauss-Legendre angles in every octant."""
    if dim == 1:
        law = TabulatedLaw(lambda z: noise.log_density(z[..., None]))
        return law.std**2
    nodes, weights = np.polynomial.legendre.leggauss(OCTANT_NODES)
    angles = (np.arange(8)[:, None] + (1 + nodes) / 2).ravel() * math.pi / 4
    logs, squares = np.zeros(len(angles)), np.zeros(len(angles))
    for i, angle in enumerate(angles):
        logs[i], squares[i] = _ray(noise, np.array([math.cos(angle), math.sin(angle)]))
    mass = np.tile(weights, 8) * np.exp(logs - np.max(logs))
    return float(np.sum(mass * squares) / np.sum(mass) / 2)


def _ray(noise: VectorNoise, direction: np.ndarray) -> tuple[float, float]:
    """Log of the integral of r f(r u) over r > 0, and the mean of r^2 under it."""

    def log_density(r: np.ndarray) -> np.ndarray:
        return np.asarray(noise.log_density(r[..., None] * direction) + np.log(r))

    law = TabulatedLaw(log_density, (0.0, math.inf))
    try:
        second = TabulatedLaw(lambda r: log_density(r) + 2 * np.log(r), (0.0, math.inf)).log_normaliser
    except ValueError:
        return law.log_normaliser, math.inf
    return law.log_normaliser, math.exp(second - law.log_normaliser)


def _scale(noise: Noise) -> str | None:
    """sigma = scale_in(dim) std(dim), and whichever was given comes back."""
    assert isinstance(noise, VectorNoise)
    scale, sigma = getattr(noise.params, "scale", None), getattr(noise.params, "sigma", None)
    for dim in _dims(noise):
        found = noise.sigma_in(dim)
        if scale is not None and noise.scale_in(dim) != scale:
            return f"scale_in({dim}) is {noise.scale_in(dim)} where scale = {scale} was given"
        if sigma is not None and (found is None or abs(found - sigma) > 1e-12 * sigma):
            return f"sigma_in({dim}) is {found} where sigma = {sigma} was given"
        product = noise.scale_in(dim) * noise.std(dim)
        if found is not None and abs(found - product) > 1e-12 * product:
            return f"sigma_in({dim}) is {found}, but scale_in * std is {product}"
    return None


def _equivariant(noise: Noise) -> str | None:
    """Twice the scale: the density of 2x differs by a constant only."""
    assert isinstance(noise, VectorNoise)
    for dim in _dims(noise):
        x = draw(noise, (64, dim)).numpy()
        one, two = noise.joint_log_density(x), doubled(noise, dim).joint_log_density(2 * x)
        if two is None or not np.allclose(two - two[0], one - one[0], rtol=1e-9, atol=1e-9):
            return f"{dim} dimensions: at twice the scale, twice the vectors do not have the same density ratios"
    return None


def _everywhere(noise: Noise) -> str | None:
    """Two-sample Dvoretzky-Kiefer-Wolfowitz test of the norms and of the first coordinates, against float64 on the CPU.

    Each pair of samples has the false-alarm rate FALSE_ALARM / 8. An error that names the precision refuses it.
    """
    assert isinstance(noise, VectorNoise)
    dim, rows = max(_dims(noise)), ROWS[48]
    reference = _numbers(draw_in(noise, (rows, dim), SEED, *offered()[0]).values)
    limit = 2 * math.sqrt(math.log(4 * 8 / FALSE_ALARM) / (2 * rows))
    for place, dtype in [*offered()[1:], ("cpu", _float32())]:
        try:
            drawn = draw_in(noise, (rows, dim), SEED + 1, place, dtype)
        except Exception as error:
            if (wrong := refusal(error, place, dtype)) is not None:
                return wrong
            continue
        for name, numbers in _numbers(drawn.values).items():
            distance = _distance(numbers, reference[name], 2 * drawn.eps)
            if distance > limit:
                return f"{drawn.where}: {name} differ from float64 on the CPU by {distance:.4f} (limit {limit:.4f})"
    return None


def _float32() -> torch.dtype:
    import torch

    return torch.float32


def _numbers(x: np.ndarray) -> dict[str, np.ndarray]:
    return {"norms": np.sort(np.linalg.norm(x, axis=1)), "first coordinates": np.sort(x[:, 0])}


def _distance(found: np.ndarray, reference: np.ndarray, eps: float) -> float:
    """Largest difference of the distribution functions of two sorted samples, up to ``eps`` relative in the value."""
    slack = eps * np.abs(found)
    n, m = len(found), len(reference)
    below, upto = np.searchsorted(found, found, side="left") / n, np.searchsorted(found, found, side="right") / n
    more = upto - np.searchsorted(reference, found + slack, side="right") / m
    less = np.searchsorted(reference, found - slack, side="left") / m - below
    return float(max(np.max(more), np.max(less)))


CHECKS: dict[str, Check[Noise]] = {
    "density can be normalised": _normalisable,
    "std follows from the density": _std,
    "scale and sigma agree": _scale,
    "density scales with the noise": _equivariant,
    "sample has one law in every precision and on every device": _everywhere,
}
