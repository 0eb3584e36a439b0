"""The differential method for i.i.d. noise in l1 and l-inf: against formulas, enumeration, and guards that matter."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtri
from scipy.stats import binom

from robustbench_rs.api import ProductNoise
from robustbench_rs.statistics.differential import score_sum
from robustbench_rs.statistics.differential.product import l1_bound, linf_bound
from robustbench_rs.statistics.differential.score_law import score_law
from robustbench_rs.statistics.differential.score_sum import Lattice, sum_excess
from robustbench_rs.statistics.differential.stop_loss import enclosed
from robustbench_rs.statistics.rounding import certified
from robustbench_rs_plugins.noises.cauchy import Cauchy
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.generalized_normal import GeneralizedNormal
from robustbench_rs_plugins.noises.hyperbolic_secant import HyperbolicSecant
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.logistic import Logistic
from robustbench_rs_plugins.noises.pareto import Pareto
from robustbench_rs_plugins.noises.triangular import Triangular
from robustbench_rs_plugins.noises.uniform import Uniform

P = np.array([0.5001, 0.6, 0.75, 0.9, 0.99, 0.999, 0.99999, 0.9999999])
LOG_CONCAVE = [Gaussian, Laplace, Uniform, Logistic, HyperbolicSecant, Triangular]


def unit(family: type[ProductNoise], **shape: float) -> ProductNoise:
    return family(family.Params.model_validate({"scale": 1.0, **shape}))


@pytest.mark.parametrize("family", LOG_CONCAVE)
def test_l1_of_log_concave_noise_is_the_quantile(family: type[ProductNoise]) -> None:
    noise = unit(family)
    truth, ours = noise.quantile(P), l1_bound(score_law(noise)).radii(P, 1 - P)
    assert np.all(ours <= truth)
    assert np.all(ours >= truth * (1 - 2e-5))


@pytest.mark.parametrize("beta", [1.2, 1.5, 3.0, 8.0])
def test_l1_of_generalized_normal_noise(beta: float) -> None:
    noise = unit(GeneralizedNormal, beta=beta)
    truth, ours = noise.quantile(P), l1_bound(score_law(noise)).radii(P, 1 - P)
    assert np.all(ours <= truth)
    assert np.all(ours >= truth * (1 - 2e-5))


@pytest.mark.parametrize("a", [0.5, 1.0, 3.0])
def test_l1_of_pareto_noise_is_its_formula(a: float) -> None:
    """Its score falls from 0 on: Phi(p) = a/2 (1 - (1 - 2p)^(1 + 1/a))."""
    ours = l1_bound(score_law(unit(Pareto, a=a))).radii(P, 1 - P)
    truth = [quad(lambda p: 2 / (a * (1 - (1 - 2 * p) ** (1 + 1 / a))), 1 - x, 0.5, epsrel=1e-12)[0] for x in P]
    assert np.all(ours <= np.array(truth) * (1 + 1e-10))
    assert np.all(ours >= np.array(truth) * (1 - 1e-5))


def test_l1_of_cauchy_noise_is_its_formula() -> None:
    """With z = tan(a/2) the score is sin(a), a uniform: Phi(p) = sin(pi p) / pi, so R = -ln tan(pi (1 - pA) / 2)."""
    ours = l1_bound(score_law(unit(Cauchy))).radii(P, 1 - P)
    truth = -np.log(np.tan(math.pi * (1 - P) / 2))
    assert np.all(ours <= truth * (1 + 1e-9))
    assert np.all(ours >= truth * (1 - 1e-5))


def test_l1_with_a_score_that_is_infinite_at_the_centre() -> None:
    """beta = 0.7: U is the interval 0 < z < t, and Phi(p) = q(0) - q(t) there."""
    noise = unit(GeneralizedNormal, beta=0.7)
    p = np.array([0.01, 0.1, 0.3, 0.49])
    exact = noise.density(np.zeros(4)) - noise.density(noise.quantile(0.5 + p))
    bound = l1_bound(score_law(noise))(p)
    assert np.all(bound >= exact * (1 - 1e-12))
    assert np.all(bound <= exact * (1 + 1e-4))


@pytest.mark.parametrize("dim", [1, 2, 64, 3072])
def test_linf_of_gaussian_noise(dim: int) -> None:
    truth = ndtri(P) / math.sqrt(dim)
    ours = linf_bound(score_law(unit(Gaussian)), dim).radii(P, 1 - P)
    assert np.all(ours <= truth)
    assert np.all(ours >= truth * (1 - 2e-5))


@pytest.mark.slow
def test_linf_of_gaussian_noise_on_images_of_imagenet() -> None:
    truth = ndtri(P) / math.sqrt(150_528)
    ours = linf_bound(score_law(unit(Gaussian)), 150_528).radii(P, 1 - P)
    assert np.all(ours <= truth)
    assert np.all(ours >= truth * (1 - 2e-5))


@pytest.mark.parametrize("dim", [2, 7, 64, 784, 3072])
def test_linf_of_laplace_noise_by_enumeration(dim: int) -> None:
    """Scores are signs, so that Phi(p) = E[S; S largest] with S = 2 Bin(d, 1/2) - d: piecewise linear, exact."""
    heads = np.arange(dim, -1, -1)
    mass = binom.pmf(heads, dim, 0.5)
    p = np.append(0.0, np.cumsum(mass))
    phi = np.append(0.0, np.cumsum((2.0 * heads - dim) * mass))
    at = np.concatenate([np.geomspace(1e-13, 0.5, 60), p[(p > 1e-13) & (p <= 0.5)]])
    exact = np.interp(at, p, phi)
    bound = linf_bound(score_law(unit(Laplace)), dim)(at)
    assert np.all(bound >= exact * (1 - 1e-11))
    assert np.all(bound[at > 1e-8] <= exact[at > 1e-8] * (1 + 2e-4))


@pytest.mark.parametrize("dim", [1, 2, 3072])
def test_linf_of_uniform_noise_sees_only_jumps(dim: int) -> None:
    ours = linf_bound(score_law(unit(Uniform)), dim).radii(P, 1 - P)
    assert ours == pytest.approx(2 * (P - 0.5) / dim, rel=1e-6)
    assert np.all(ours <= 2 * (1 - (1.5 - P) ** (1 / dim)) * (1 + 1e-12))


@pytest.mark.parametrize(("family", "shape"), [(Cauchy, {}), (Logistic, {}), (GeneralizedNormal, {"beta": 3.0})])
def test_sum_of_two_scores_by_quadrature(family: type[ProductNoise], shape: dict[str, float]) -> None:
    """E(S - tau)_+ of two scores as a double sum over quantiles: midpoints lose in convex order, so it is below."""
    noise = unit(family, **shape)
    z = noise.quantile((np.arange(4000) + 0.5) / 4000)
    score = noise.score(z) if family is not Logistic else np.tanh(z / 2)
    law = score_law(noise)
    tau, excess = sum_excess(law, 2)
    root = math.sqrt(2 * law.information[1])
    for level in (0.1, 0.7, 1.5):
        i = int(np.argmin(np.abs(tau - level * root)))
        sums = np.add.outer(score, score) - tau[i]
        approximate = float(np.mean(np.maximum(sums, 0.0)))
        assert approximate * (1 - 1e-4) <= excess[i] <= approximate * (1 + 5e-3)


def test_lattice_law_is_above_the_score() -> None:
    """Its mean excess is nowhere below what is certain of the score's, clipped at the last lattice point."""
    for noise in (unit(Gaussian), unit(Cauchy), unit(GeneralizedNormal, beta=0.7), unit(Laplace)):
        law = score_law(noise)
        lattice, _ = score_sum._lattice(law, 64)
        t = np.linspace(0.0, lattice.end, 997)
        own = np.maximum(np.subtract.outer(lattice.points, t), 0.0)
        (upper, lower), clip = enclosed(law, t), enclosed(law, np.array([lattice.end]))[0][0]
        reached = lattice.mass @ own
        assert np.all(reached >= (lower - clip) * (1 - 1e-12))
        assert np.all(reached <= upper + lattice.step**1.5 * upper.max())
        assert lattice.mass.sum() == pytest.approx(1.0, abs=1e-9)
        assert lattice.mass.sum() >= 1.0 - 1e-14


@pytest.mark.parametrize("window", [0.5, 2.0])
def test_a_window_that_is_too_small_is_paid_for(window: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever leaves the FFT's window at the top is added; without that the bound would fall below the truth."""
    law, dim = score_law(unit(Gaussian)), 3072
    monkeypatch.setattr(score_sum, "WINDOW", window)
    p = np.geomspace(1e-9, 0.4, 50)
    exact = math.sqrt(dim) * np.exp(-0.5 * ndtri(p) ** 2) / math.sqrt(2 * math.pi)
    assert np.all(linf_bound(law, dim)(p) >= exact)
    monkeypatch.setattr(score_sum, "_beyond", lambda *_: 0.0)
    assert np.any(linf_bound(law, dim)(p) < exact)


def test_rounding_of_the_fft_is_paid_for() -> None:
    """The l2 norm of the difference to a direct convolution stays below the stated error."""
    mass = np.random.default_rng(5).uniform(size=41)
    mass /= mass.sum()
    direct = np.array([1.0])
    for _ in range(9):
        direct = np.convolve(direct, mass)
    bins, error = score_sum._power(mass, 9, 400)
    centred = bins[np.arange(-180, 181) % 400]
    assert np.linalg.norm(centred - direct) <= error < 1e-12


def test_tail_masses_by_chernoff() -> None:
    """E[S; S >= top h] of a fair sign sum, against the exact sum."""
    lattice = Lattice(1.0, np.array([0.5, 0.0, 0.5]))
    tilt = score_sum._tilted(lattice, 0.05)
    heads = np.arange(101)
    s, mass = 2.0 * heads - 100, binom.pmf(heads, 100, 0.5)
    for top in (12, 30, 60, 96):
        exact = float(np.sum((s * mass)[s >= top]))
        assert exact <= score_sum._beyond(lattice, tilt, 100, top) < 100 * exact


def test_abstention_is_zero() -> None:
    bound = l1_bound(score_law(unit(Logistic)))
    p = np.array([0.5, 0.4, 0.3])
    assert np.array_equal(certified(bound.radii(p, 1 - p), p, 1 - p), np.zeros(3))
