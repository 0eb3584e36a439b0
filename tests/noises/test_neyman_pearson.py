"""Closed forms against brute force in one to three dimensions: certified inside the ball, not beyond it."""

from __future__ import annotations

import math

import neyman_pearson as brute
import numpy as np
import pytest

from robustbench_rs.api import NoiseParams, ProductNoise
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.uniform import Uniform

SIGMA = NoiseParams(sigma=0.5)


def _length(shift: np.ndarray, norm: float) -> float:
    return float(np.linalg.norm(shift, ord=norm))


def _radius(noise: ProductNoise, norm: float, dim: int, p_lower: float, p_upper: float) -> float:
    form = noise.closed_form(norm, dim)
    assert form is not None
    assert form.exact
    return float(form.radius(np.array([p_lower]), np.array([p_upper]))[0])


def _axes(noise: ProductNoise, shift: np.ndarray, inner: np.ndarray) -> list[brute.Axis]:
    return [brute.axis(noise, float(s), inner) for s in shift]


@pytest.mark.parametrize("p", [0.5 + 1e-4, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("family", [Gaussian, Laplace, Uniform])
def test_one_dimension(family: type[ProductNoise], p: float) -> None:
    """All norms agree; the enclosure is within 1e-3 of the radius, so both sides are tested that closely."""
    noise = family(SIGMA)
    inner = np.unique(np.concatenate([noise.scale * np.linspace(-12, 12, 40_001), [0.0]]))
    if family is Uniform:
        inner = noise.scale * np.array([-1.0, 1.0])
    for norm in (1.0, 2.0, math.inf):
        radius = _radius(noise, norm, 1, p, 1 - p)
        assert brute.split(_axes(noise, np.array([radius * 0.999]), inner)).certified(p)
        assert not brute.merged(_axes(noise, np.array([radius * 1.001]), inner)).certified(p)


@pytest.mark.parametrize(("p_lower", "p_upper"), [(0.6, 0.1), (0.9, 0.02), (0.45, 0.3), (0.7, 0.3)])
@pytest.mark.parametrize("family", [Gaussian, Laplace, Uniform])
def test_one_dimension_two_sided(family: type[ProductNoise], p_lower: float, p_upper: float) -> None:
    noise = family(SIGMA)
    inner = np.unique(np.concatenate([noise.scale * np.linspace(-12, 12, 40_001), [0.0]]))
    if family is Uniform:
        inner = noise.scale * np.array([-1.0, 1.0])
    radius = _radius(noise, 1.0, 1, p_lower, p_upper)
    assert brute.split(_axes(noise, np.array([radius * 0.999]), inner)).certified(p_lower, p_upper)
    assert not brute.merged(_axes(noise, np.array([radius * 1.001]), inner)).certified(p_lower, p_upper)


@pytest.mark.parametrize("p", [0.6, 0.9, 0.99])
def test_laplace_l1_in_two_dimensions(p: float) -> None:
    """Every direction of the l1 ball is certified up to 99 per cent of the radius; an axis is not beyond 101."""
    noise = Laplace(SIGMA)
    radius = _radius(noise, 1.0, 2, p, 1 - p)
    inner = noise.scale * np.unique(np.concatenate([np.linspace(-12, 12, 601), [0.0]]))
    for share in (0.0, 0.1, 0.25, 0.5):
        shift = 0.99 * radius * np.array([1 - share, share])
        assert brute.split(_axes(noise, shift, inner)).certified(p)
    assert not brute.merged(_axes(noise, np.array([1.01 * radius, 0.0]), inner)).certified(p)


@pytest.mark.parametrize(("p_lower", "p_upper"), [(0.51, 0.49), (0.9, 0.1), (0.99, 0.01), (0.6, 0.1), (0.45, 0.2)])
@pytest.mark.parametrize("norm", [1.0, 2.0, 3.0, math.inf])
@pytest.mark.parametrize("dim", [2, 3])
def test_uniform_in_every_direction(norm: float, dim: int, p_lower: float, p_upper: float) -> None:
    """Boxes give the exact ratio, so the radius is met to 1e-9 in the worst direction, and is safe in all others."""
    noise = Uniform(SIGMA)
    inner = noise.scale * np.array([-1.0, 1.0])
    radius = _radius(noise, norm, dim, p_lower, p_upper)
    limits = (p_lower,) if p_lower + p_upper == 1 else (p_lower, p_upper)
    rng = np.random.default_rng(dim)
    directions = [np.eye(dim)[0], np.ones(dim), *np.abs(rng.normal(size=(60, dim))), *rng.random((60, dim)) ** 4]
    for direction in directions:
        shift = radius * (1 - 1e-9) * direction / _length(direction, norm)
        assert brute.merged(_axes(noise, shift, inner)).certified(*limits), direction
    worst = np.eye(dim)[0] if norm == 1 else np.ones(dim)
    shift = radius * (1 + 1e-9) * worst / _length(worst, norm)
    assert not brute.merged(_axes(noise, shift, inner)).certified(*limits)


@pytest.mark.parametrize("norm", [1.0, 2.0, 4.0, math.inf])
def test_gaussian_in_two_dimensions(norm: float) -> None:
    noise, p = Gaussian(SIGMA), 0.9
    radius = _radius(noise, norm, 2, p, 1 - p)
    inner = noise.scale * np.linspace(-8, 8, 401)
    directions = [np.array([1.0, 0.0]), np.array([1.0, 1.0]), np.array([0.8, 0.3])]
    for direction in directions:
        shift = 0.98 * radius * direction / _length(direction, norm)
        assert brute.split(_axes(noise, shift, inner)).certified(p)
    worst = directions[0] if norm <= 2 else directions[1]
    assert not brute.merged(_axes(noise, 1.01 * radius * worst / _length(worst, norm), inner)).certified(p)


def test_the_oracle_itself_is_an_enclosure() -> None:
    """Coarse cells: the split atoms certify less than the merged ones, with the Gaussian truth between."""
    noise = Gaussian(NoiseParams(sigma=1.0))
    inner = np.linspace(-6, 6, 49)
    axes = [brute.axis(noise, 1.0, inner)]
    low, high = brute.split(axes).lowest(0.8), brute.merged(axes).lowest(0.8)
    truth = float(noise.cdf(noise.quantile(np.array(0.8)) - 1.0))
    assert low < truth < high
    assert high - low < 0.05
