"""Laws behind norm-radial noise, against 40-digit arithmetic, and their draws against their own cdf."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from robustbench_rs.statistics.radial import (
    BallNorm,
    BetaPrimeNorm,
    GammaNorm,
    NormLaw,
    artanh_from_centre,
    artanh_from_tail,
    mean_excess,
    sphere,
)
from robustbench_rs.statistics.radial.gamma_ratio import log_gamma_ratio
from robustbench_rs.statistics.radial.gamma_tail import lower_gamma

LAWS: list[NormLaw] = [
    GammaNorm(3072.0, 1.0),
    GammaNorm(1536.0, 2.0),
    GammaNorm(0.3, 10.0),
    GammaNorm(2.5, 0.5),
    BetaPrimeNorm(3072.0, 4.0),
    BetaPrimeNorm(2.0, 0.5),
    BetaPrimeNorm(64.0, 1000.0),
    BallNorm(1),
    BallNorm(3072),
]


@pytest.mark.parametrize("a", [0.3, 1.5, 15.9, 16.1, 3072.0, 150528.0, 1.5e6, 1e9])
@pytest.mark.parametrize("step", [-0.29, -0.1, 0.5, 1.0, 10.0, 200.0])
def test_gamma_ratio(a: float, step: float) -> None:
    with mpmath.workdps(40):
        truth = mpmath.loggamma(mpmath.mpf(a) + mpmath.mpf(step)) - mpmath.loggamma(mpmath.mpf(a))
        error = abs(mpmath.mpf(log_gamma_ratio(a, step)) - truth)
    assert error < 3e-16 * (50 + abs(step) * math.log(a + 2))


def test_gamma_ratio_beyond_the_pole_is_infinite() -> None:
    assert log_gamma_ratio(0.5, -0.5) == math.inf
    assert GammaNorm(0.5, 2.0).moment(-1.0) == math.inf
    assert BetaPrimeNorm(3.0, 2.0).moment(2.0) == math.inf


def _lower_gamma(a: float, x: float) -> mpmath.mpf:
    """x^a exp(-x) / Gamma(a + 1) times the sum of x^k / ((a + 1) ... (a + k))."""
    total = term = mpmath.mpf(1)
    k = 0
    while term > total * mpmath.mpf(10) ** -25:
        k += 1
        term = term * x / (a + k)
        total += term
    return mpmath.exp(a * mpmath.log(x) - x - mpmath.loggamma(mpmath.mpf(a) + 1)) * total


@pytest.mark.parametrize("a", [9.9e4, 150528.0, 1.5e6])
@pytest.mark.parametrize("sds", [-8.5, -5.0, -4.1, -3.0])
def test_lower_tail_of_large_shapes(a: float, sds: float) -> None:
    """scipy's own value is wrong by 6e-5 at a = 1.5e6, five standard deviations down."""
    x = a + sds * math.sqrt(a)
    with mpmath.workdps(40):
        assert float(abs(mpmath.mpf(float(lower_gamma(a, np.array(x)))) / _lower_gamma(a, mpmath.mpf(x)) - 1)) < 1e-13


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_density_cdf_and_quantiles_belong_together(law: NormLaw) -> None:
    """The mass between quantiles, by quadrature of the density in logarithmic steps; both tails and their inverses."""
    p = np.array([1e-9, 1e-4, 0.02, 0.3, 0.5, 0.9, 0.999])
    rho = law.quantile(p)
    assert law.cdf(rho) == pytest.approx(p, rel=1e-9)
    assert law.sf(law.isf(p)) == pytest.approx(p, rel=1e-9, abs=1e-12)
    assert law.cdf(rho) + law.sf(rho) == pytest.approx(1.0, abs=1e-13)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    low, high = np.log(rho[1:-1]), np.log(rho[2:])
    y = low + (high - low) * (1 + nodes[:, None]) / 2
    mass = weights @ np.exp(law.log_density(np.exp(y)) + y) * (high - low) / 2
    assert mass == pytest.approx(np.diff(p[1:]), rel=1e-8)
    assert law.cdf(np.array([0.0, math.inf])).tolist() == [0.0, 1.0]
    assert law.sf(np.array([0.0, math.inf])).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("law", "power", "truth"),
    [
        (GammaNorm(4.0, 1.0), 2.0, 20.0),
        (GammaNorm(1.5, 2.0), 2.0, 1.5),
        (GammaNorm(3072.0, 1.0), -1.0, 1 / 3071),
        (BetaPrimeNorm(3.0, 4.0), 1.0, 1.0),
        (BetaPrimeNorm(3.0, 4.0), 2.0, 2.0),
        (BallNorm(3), 2.0, 0.6),
    ],
)
def test_moments(law: NormLaw, power: float, truth: float) -> None:
    assert law.moment(power) == pytest.approx(truth, rel=1e-13)


def test_tilted_law_is_the_law_times_a_power() -> None:
    law, edges = GammaNorm(5.0, 2.0), np.array([1.0, 1.7, 2.2, 3.0])
    tilted = law.tilted(1.5)
    ratio = np.exp(tilted.log_density(edges) - law.log_density(edges)) * law.moment(1.5)
    assert ratio == pytest.approx(edges**1.5, rel=1e-12)
    with pytest.raises(ValueError, match="no mean"):
        law.tilted(-11.0)


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_draws_follow_the_cdf(law: NormLaw) -> None:
    """Dvoretzky-Kiefer-Wolfowitz-Massart: false alarm below 1e-9, exact for every n; and a count on each side."""
    n = 100_000
    u = np.sort(law.cdf(law.draw(n, np.random.default_rng(5))))
    distance = max(np.max(np.arange(1, n + 1) / n - u), np.max(u - np.arange(n) / n))
    assert distance < math.sqrt(math.log(2e9) / (2 * n))
    # P(Poisson(10) > 40) < 1e-11, and the binomial tail is lighter.
    assert np.sum(u < 1e-4) <= 40
    assert np.sum(u > 1 - 1e-4) <= 40


@pytest.mark.parametrize("n", [2, 3, 4, 5, 64, 3072, 150_530])
def test_coordinate_of_the_sphere(n: int) -> None:
    """Tail, body, mean excess and both inverses at 40 digits, from one ten-millionth to nine standard deviations."""
    with mpmath.workdps(40):
        constant = mpmath.gamma(mpmath.mpf(n) / 2) / mpmath.sqrt(mpmath.pi) / mpmath.gamma(mpmath.mpf(n - 1) / 2)

        def density(v: mpmath.mpf) -> mpmath.mpf:
            return constant * mpmath.cosh(v) ** (1 - n)

        for z in (1e-7, 0.3, 1.0, 3.0, 9.0):
            at = z * (1.3 if n < 10 else 1 / math.sqrt(n))
            v = mpmath.mpf(at)
            width = 1 / mpmath.sqrt(n) / max(1, z) if n > 10 else mpmath.mpf(1)
            points = [v + width * k for k in (0, 0.5, 1, 2, 4, 8, 16, 32, 64)] + ([mpmath.inf] if n < 10 else [])
            above = mpmath.quad(density, points)
            excess = mpmath.quad(lambda u, v=v: density(u) * (mpmath.tanh(u) - mpmath.tanh(v)), points)
            here = np.array(at)
            assert float(abs(mpmath.mpf(float(sphere.tail(here, n))) / above - 1)) < 2e-13
            assert float(abs(mpmath.mpf(float(mean_excess(here, n))) / excess - 1)) < 2e-13
            body = mpmath.quad(density, [0, v / 2, v])
            if body < 0.25:
                mass = float(body)
                exact = v + (mpmath.mpf(mass) - body) / density(v)
                assert float(abs(mpmath.mpf(float(artanh_from_centre(np.array(mass), n))) / exact - 1)) < 1e-13
            else:
                mass = float(above)
                exact = v - (mpmath.mpf(mass) - above) / density(v)
                assert float(abs(mpmath.mpf(float(artanh_from_tail(np.array(mass), n))) / exact - 1)) < 1e-13


@pytest.mark.parametrize("n", [2, 3, 3072, 150_530])
def test_inverse_of_the_tail_over_its_whole_range(n: int) -> None:
    q = np.concatenate([10.0 ** np.linspace(-290, -1, 60), np.linspace(0.1, 0.5, 60)])
    v = artanh_from_tail(q, n)
    assert np.all(np.diff(v) <= 0)
    assert sphere.tail(v, n) == pytest.approx(q, rel=1e-11)
    assert artanh_from_tail(np.array([0.0, 0.5]), n).tolist() == [math.inf, 0.0]
