"""Distribution functions, quantiles, moments, densities and scores against 40 digits and more."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from exact import upper_tail
from families import EXAMPLES, Example
from mpmath import mpf

from robustbench_rs_plugins.noises.even import EvenNoise

OWN = [example for example in EXAMPLES if issubclass(example.family, EvenNoise)]

QUICK = [example for example in OWN if example.key != "beta" or example.shape in (0.5, 1.5, 3.0)]
"""mpmath needs minutes for the others' incomplete gamma functions."""


def _tails() -> np.ndarray:
    """From 1e-290 to 1/2, and next to 1/2."""
    rng = np.random.default_rng(5)
    far, body = 10.0 ** rng.uniform(-290, -16, 4), 10.0 ** rng.uniform(-16, -0.4, 10)
    return np.concatenate([far, body, 0.5 - 10.0 ** rng.uniform(-15.5, -1, 6), [0.25, np.nextafter(0.25, 0)]])


@pytest.mark.parametrize("example", OWN, ids=str)
def test_quantiles_are_as_exact_as_they_say(example: Example) -> None:
    """z errs by |T(z) - tail| / q(z), to first order: below ``relative_error`` z, and ``quantile_error`` in p."""
    noise = example.make()
    assert isinstance(noise, EvenNoise)
    tails = _tails()
    with np.errstate(all="ignore"):
        z = np.asarray(noise.upper_quantile(tails))
    with mpmath.workdps(60):
        for tail, value, density in zip(tails, z, noise.density(z), strict=True):
            if np.isinf(value) or density * value < 1e-300:
                assert tail < 1e-50
                continue
            off = abs(upper_tail(example.family.name, example.shape, float(value)) - mpf(float(tail)))
            assert off <= noise.relative_error * density * value, tail
            assert off <= noise.quantile_error, tail


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_both_tails_of_the_cdf_keep_relative_precision(example: Example) -> None:
    noise = example.make()
    z = noise.quantile(np.array([1e-200, 1e-30, 1e-9, 1e-3, 0.1, 0.3, 0.499]))
    z = z[np.isfinite(z)]
    with mpmath.workdps(60):
        truth = [float(upper_tail(example.family.name, example.shape, float(-value))) for value in z]
    lattice = example.family.name == "uniform"  # 1 + z has absolute precision only
    close = pytest.approx(truth, rel=1e-12, abs=1e-15 if lattice else 0)
    assert noise.cdf(z) == close
    assert noise.sf(-z) == close
    assert noise.sf(z) == pytest.approx(1 - np.array(truth), rel=1e-14)


@pytest.mark.parametrize("example", QUICK, ids=str)
def test_density_and_score(example: Example) -> None:
    """First and second derivative of the exact tail."""
    noise = example.make()
    z = noise.quantile(np.array([0.51, 0.7, 0.9, 0.99, 1 - 1e-6]))
    with mpmath.workdps(80):
        for value, density, score in zip(z, noise.density(z), noise.score(z), strict=True):
            _, first, second = mpmath.taylor(
                lambda t: upper_tail(example.family.name, example.shape, t), mpf(float(value)), 2
            )
            assert density == pytest.approx(float(-first), rel=1e-11)
            assert score == pytest.approx(float(-2 * second / first), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("example", [e for e in QUICK if math.isfinite(e.make().std)], ids=str)
def test_std(example: Example) -> None:
    """E z^2 = 4 times the integral of z T(z) over z > 0, here with z = exp(y)."""
    noise = example.make()
    ends = [0.5, 0.3, 0.1, 1e-2, 1e-4, 1e-8, 1e-14, 1e-24, 1e-40]
    with np.errstate(divide="ignore"):
        edges = np.unique(np.log(np.asarray(noise.upper_quantile(np.array(ends)))))
    edges = np.concatenate([[-20.0, -8.0, -4.0], edges[edges > -3.9]])
    with mpmath.workdps(30):
        moment = 4 * mpmath.quad(
            lambda y: mpmath.exp(2 * y) * upper_tail(example.family.name, example.shape, mpmath.exp(y)),
            [mpf(float(edge)) for edge in edges],
        )
        assert noise.std == pytest.approx(float(mpmath.sqrt(moment)), rel=2e-8)


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        ("gaussian", 1.0),
        ("laplace", math.sqrt(2)),
        ("uniform", 1 / math.sqrt(3)),
        ("triangular", 1 / math.sqrt(6)),
        ("logistic", math.pi / math.sqrt(3)),
        ("hyperbolic-secant", math.pi / 2),
        ("generalized-normal-beta-2", math.sqrt(0.5)),
        ("generalized-normal-beta-1", math.sqrt(2)),
        ("student-t-df-2.5", math.sqrt(5)),
        ("pareto-a-3", 1.0),
        ("gaussian-laplace-mixture-weight-0.5", math.sqrt(1.5)),
        ("exponential-mix-weight-1", math.sqrt(2)),
        ("exponential-mix-weight-0", math.sqrt(0.5)),
    ],
)
def test_standard_deviations_of_handbooks(name: str, truth: float) -> None:
    noise = next(example for example in EXAMPLES if str(example) == name).make()
    assert noise.std == pytest.approx(truth, rel=1e-14)


def test_exponential_mix_between_its_two_formulas_for_moments() -> None:
    """The continued fraction begins where m = weight / (2 sqrt(1 - weight)) reaches 1: no seam there."""
    seam = 2 * (math.sqrt(2) - 1)
    family = next(example.family for example in EXAMPLES if example.family.name == "exponential-mix")
    below, above = (
        family(family.Params.model_validate({"scale": 1.0, "weight": seam + step})).std for step in (-1e-12, 1e-12)
    )
    assert below == pytest.approx(above, rel=1e-11)


def test_the_mixture_turns_where_its_score_is_largest() -> None:
    for weight in (1e-9, 1e-3, 0.5, 0.999):
        family = next(example.family for example in EXAMPLES if example.family.name == "gaussian-laplace-mixture")
        noise = family(family.Params.model_validate({"scale": 1.0, "weight": weight}))
        assert noise.score_turns is not None
        low, middle, turn = noise.score_turns
        assert (low, middle) == (-turn, 0.0)
        z = turn + np.linspace(-1e-3, 1e-3, 2001)
        assert abs(z[int(np.argmax(noise.score(z)))] - turn) <= 2e-6
