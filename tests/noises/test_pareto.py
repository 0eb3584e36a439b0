"""The differential l1 radius of Pareto noise: its formula at 60 digits, and brute force in one and two dimensions."""

from __future__ import annotations

import itertools

import mpmath
import neyman_pearson as brute
import numpy as np
import pytest
from mpmath import mpf

from robustbench_rs.api import ClosedForm
from robustbench_rs_plugins.noises.pareto import Pareto

SHAPES = (0.2, 0.5, 1.0, 3.0, 10.0, 1000.0)


def _form(a: float, scale: float = 1.0, dim: int = 3072) -> ClosedForm:
    form = Pareto(Pareto.Params(a=a, scale=scale)).closed_form(1.0, dim)
    assert form is not None
    return form


def _path(a: float, p: float) -> mpf:
    """G(p) of CERTIFICATION's formula: with x = 2p - 1, (x / a) 2F1(1, a/(a+1); 1 + a/(a+1); x^(1 + 1/a))."""
    if p < 0.5:
        return -_path(a, 1 - mpf(p))
    x, power = 2 * mpf(p) - 1, 1 + 1 / mpf(a)
    return x / mpf(a) * mpmath.hyp2f1(1, 1 / power, 1 + 1 / power, x**power)


@pytest.mark.parametrize("a", SHAPES)
def test_never_above_and_within_1e_11(a: float) -> None:
    rng = np.random.default_rng(3)
    p = np.concatenate(
        [[0.5 + 1e-9, 1 - 1e-15], 0.5 + 10 ** rng.uniform(-9, -0.4, 15), 1 - 10 ** rng.uniform(-15, -1, 15)]
    )
    pairs = [(x, 1 - x) for x in p] + [(x, (1 - x) / 3) for x in p]
    lower, upper = np.array(pairs).T
    radius = _form(a).radius(lower, upper)
    with mpmath.workdps(60):
        for (low, high), found in zip(pairs, radius, strict=True):
            truth = (_path(a, float(low)) - _path(a, float(high))) / 2
            assert mpf(float(found)) <= truth, (low, high)
            assert truth - mpf(float(found)) <= mpf(10) ** -11 * truth, (low, high)


def test_the_formula_is_the_differential_method() -> None:
    """R = integral of dp / Phi(p) from 1 - pA to 1/2, Phi(p) = q(0) - q(t) with P(0 < z < t) = p, by quadrature."""
    for a, p in itertools.product((0.5, 3.0), (0.6, 0.9, 0.999)):
        with mpmath.workdps(30):

            def rate(mass: mpf, a: float = a) -> mpf:
                t = (1 - 2 * mass) ** (-1 / mpf(a)) - 1
                return mpf(a) / 2 * (1 - (1 + t) ** (-(a + 1)))

            truth = float(mpmath.quad(lambda mass: 1 / rate(mass), [1 - mpf(p), mpf("0.3"), mpf("0.45"), mpf("0.5")]))
        assert _form(a).radius(np.array([p]), np.array([1 - p]))[0] == pytest.approx(truth, rel=1e-10)


def test_edges() -> None:
    form = _form(3.0)
    assert form.radius(np.array([0.5, 0.4, 0.3, 0.5]), np.array([0.5, 0.6, 0.3, 0.9])).tolist() == [0.0] * 4
    assert form.radius(np.array([1.0]), np.array([0.0]))[0] == np.inf
    assert not form.exact
    assert form.guarantee == "proved"
    assert Pareto(Pareto.Params(a=3.0, scale=1.0)).closed_form(2.0, 2) is None


@pytest.mark.parametrize("p", [0.51, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("a", [0.5, 1.0, 3.0, 10.0])
def test_one_dimension_by_brute_force(a: float, p: float) -> None:
    """Certified at the radius in one dimension, and not at the upper value."""
    noise = Pareto(Pareto.Params(a=a, scale=1.0))
    form = noise.closed_form(1.0, 1)
    assert form is not None
    assert form.upper is not None
    far = float(noise.quantile(np.array(1 - 1e-9)))
    inner = np.unique(np.concatenate([[0.0], np.geomspace(1e-4, far, 6_000), -np.geomspace(1e-4, far, 6_000)]))
    limits = np.array([p]), np.array([1 - p])
    radius, upper = float(form.radius(*limits)[0]), float(form.upper(*limits)[0])
    assert 0 < radius < upper
    assert brute.split([brute.axis(noise, radius, inner)]).certified(p)
    assert not brute.merged([brute.axis(noise, 1.001 * upper, inner)]).certified(p)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
def test_two_dimensions_by_brute_force(share: float) -> None:
    """Every direction of the l1 ball."""
    noise, p = Pareto(Pareto.Params(a=3.0, scale=1.0)), 0.8
    radius = float(_form(3.0, dim=2).radius(np.array([p]), np.array([1 - p]))[0])
    line = np.geomspace(1e-2, 200, 150)
    inner = np.concatenate([-line[::-1], [0.0], line])
    shift = radius * np.array([1 - share, share])
    axes = [brute.axis(noise, float(s), inner) for s in shift]
    assert brute.split(axes).certified(p)
