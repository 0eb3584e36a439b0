"""The law of a score, enclosed in cells: against formulas, quadrature, and claims that are false."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr
from scipy.stats import norm

from robustbench_rs.api import NoiseParams, ProductNoise
from robustbench_rs.statistics.differential import score_law as cells
from robustbench_rs.statistics.differential.normal_excess import excess_power, profile
from robustbench_rs.statistics.differential.score_law import ScoreLaw, score_law, score_refusal
from robustbench_rs.statistics.differential.stop_loss import enclosed, stop_loss
from robustbench_rs_plugins.noises.cauchy import Cauchy
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.gaussian_laplace_mixture import GaussianLaplaceMixture
from robustbench_rs_plugins.noises.generalized_normal import GeneralizedNormal
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.logistic import Logistic
from robustbench_rs_plugins.noises.pareto import Pareto
from robustbench_rs_plugins.noises.student_t import StudentT
from robustbench_rs_plugins.noises.triangular import Triangular
from robustbench_rs_plugins.noises.uniform import Uniform

UNIT = NoiseParams(scale=1.0)


def general(family: type[ProductNoise], **shape: float) -> ProductNoise:
    return family(family.Params.model_validate({"scale": 1.0, **shape}))


SMOOTH = {
    "gaussian": Gaussian(UNIT),
    "laplace": Laplace(UNIT),
    "logistic": general(Logistic),
    "beta 1.5": general(GeneralizedNormal, beta=1.5),
    "beta 3": general(GeneralizedNormal, beta=3.0),
    "beta 0.7": general(GeneralizedNormal, beta=0.7),
    "cauchy": general(Cauchy),
    "student-t": general(StudentT, df=3.0),
    "pareto": general(Pareto, a=3.0),
    "mixture": general(GaussianLaplaceMixture, weight=0.5),
}
INFORMATION = {"gaussian": 1.0, "laplace": 1.0, "logistic": 1 / 3, "cauchy": 0.5, "student-t": 2 / 3, "pareto": 9.6}


class TruncatedGaussian(ProductNoise):
    """A Gaussian conditioned to [-1, 1]: log-concave, with a jump at its ends. The support may be left unstated."""

    name = "truncated-gaussian"
    symmetric = log_concave = True

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return np.where(np.abs(z) <= 1.0, -0.5 * np.square(z), -np.inf)


class RaisedCosine(ProductNoise):
    """From its density alone, which loses all precision near the ends of its support."""

    name = "raised-cosine"
    support = (-1.0, 1.0)
    symmetric = log_concave = True

    def log_density(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log1p(np.cos(np.pi * z))


@pytest.fixture(scope="module")
def laws() -> dict[str, ScoreLaw]:
    return {name: score_law(noise) for name, noise in SMOOTH.items()}


@pytest.mark.parametrize("name", INFORMATION)
def test_fisher_information_is_enclosed(name: str, laws: dict[str, ScoreLaw]) -> None:
    low, high = laws[name].information
    assert low <= INFORMATION[name] <= high
    assert high - low < 1e-6 * high


def test_beta_3_information(laws: dict[str, ScoreLaw]) -> None:
    exact = 9 * math.gamma(5 / 3) / math.gamma(1 / 3)
    low, high = laws["beta 3"].information
    assert low <= exact <= high < exact * (1 + 1e-6)


@pytest.mark.parametrize("name", SMOOTH)
def test_masses_and_fluxes_are_enclosed(name: str, laws: dict[str, ScoreLaw]) -> None:
    """Half of the mass lies above 0; q(0) is the integral of score times density."""
    pieces, noise = laws[name].pieces, SMOOTH[name]
    mass = [sum(float(np.sum(column)) for column in columns) for columns in zip(*_columns(pieces), strict=True)]
    at_zero = float(noise.density(np.zeros(1))[0])
    assert mass[0] <= 0.5 <= mass[1] + 1e-14
    assert mass[1] - mass[0] < 1e-7
    assert mass[2] <= at_zero * (1 + 1e-12)
    assert at_zero <= mass[3] + laws[name].loose
    assert laws[name].loose < 1e-13


def _columns(pieces: tuple[cells.Piece, ...]) -> list[tuple[np.ndarray, ...]]:
    return [(piece.mass_low, piece.mass_high, piece.flux_low, piece.flux_high) for piece in pieces]


@pytest.mark.parametrize("name", ["gaussian", "laplace", "logistic", "beta 3", "cauchy", "student-t", "pareto"])
def test_mean_excess_against_quadrature(name: str, laws: dict[str, ScoreLaw]) -> None:
    """C(t) = E(psi - t)_+ by adaptive quadrature over the density, with breaks where the score crosses t."""
    noise, t = SMOOTH[name], np.array([0.0, 0.1, 0.45, 0.8, 0.99, 1.1, 2.5])
    upper, lower = enclosed(laws[name], t)
    for level, high, low in zip(t, upper, lower, strict=True):
        exact = _mean_excess(noise, float(level))
        assert low <= exact * (1 + 1e-9) + 1e-15
        assert exact <= high * (1 + 1e-9) + 1e-15
        assert high - low <= 1e-4 * exact + 1e-9


def _mean_excess(noise: ProductNoise, t: float) -> float:
    z = np.geomspace(1e-3, 60.0, 200_001)
    above = np.array([_score(noise, z)]).ravel() > t
    edges = np.unique(np.concatenate([[0.0], z[:-1][above[:-1] != above[1:]], np.geomspace(1e-3, 1e12, 80)]))

    def integrand(x: float) -> float:
        point = np.array([x])
        return max(float(_score(noise, point)[0]) - t, 0.0) * float(noise.density(point)[0])

    parts = [quad(integrand, a, b, epsabs=1e-14, epsrel=1e-11)[0] for a, b in itertools.pairwise(edges)]
    return math.fsum(parts)


def _score(noise: ProductNoise, z: np.ndarray) -> np.ndarray:
    """Written out for the log-concave ones, which need not state it."""
    known = {"gaussian": lambda z: z, "laplace": np.ones_like, "logistic": lambda z: np.tanh(z / 2)}
    return known.get(noise.name, noise.score)(z)


def test_gaussian_mean_excess_in_the_tail(laws: dict[str, ScoreLaw]) -> None:
    """phi(t) - t Phi(-t), down to 1e-16, within a relative 1e-3."""
    t = np.linspace(0.0, 8.0, 81)
    exact = norm.pdf(t) - t * ndtr(-t)
    upper, lower = enclosed(laws["gaussian"], t)
    rounding = 1e-16 * t**2 + 1e-13 * exact  # of the formula, which cancels
    assert np.all(lower <= exact + rounding)
    assert np.all(exact <= upper + rounding)
    assert np.all(upper[t < 6] <= lower[t < 6] * (1 + 1e-4))


def test_grid_ends_where_no_score_is_larger(laws: dict[str, ScoreLaw]) -> None:
    for law in laws.values():
        score = stop_loss(law)
        assert score.t[0] == 0
        assert np.all(np.diff(score.t) > 0)
        assert score.upper[-1] == 0
        assert np.all(score.upper[:-1] > 0)
        assert np.all(score.lower <= score.upper)
    assert stop_loss(laws["laplace"]).t[-1] == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize(
    ("noise", "jump"),
    [
        (Uniform(UNIT), 0.5),
        (TruncatedGaussian(UNIT), norm.pdf(1.0) / (norm.cdf(1.0) - norm.cdf(-1.0))),
        (general(Triangular), 0.0),
        (RaisedCosine(UNIT), 0.0),
    ],
)
def test_a_jump_at_the_end_counts(noise: ProductNoise, jump: float) -> None:
    """The density just inside the end of the support is what U can gain from the jump."""
    loose = score_law(noise).loose
    assert jump <= loose <= jump + 1e-8


def test_raised_cosine_in_spite_of_its_rounding() -> None:
    """I = pi^2: the score is pi tan(pi z / 2), the density cos^2(pi z / 2). What is not resolved counts as loose."""
    law = score_law(RaisedCosine(UNIT))
    assert law.information == pytest.approx([math.pi**2] * 2, rel=1e-4)
    assert law.information[0] <= math.pi**2
    assert 0 < law.loose < 1e-9


def test_false_claims_are_found() -> None:
    class Bimodal(ProductNoise):
        name = "bimodal"
        symmetric = log_concave = True

        def log_density(self, z: np.ndarray) -> np.ndarray:
            return np.logaddexp(-0.5 * np.square(z - 3), -0.5 * np.square(z + 3))

    class WrongScore(Cauchy):
        def score(self, z: np.ndarray) -> np.ndarray:
            return 0.9 * super().score(z)

    with pytest.raises(ValueError, match="contradicts"):
        score_law(Bimodal(UNIT))
    with pytest.raises(ValueError, match="contradicts"):
        score_law(general(WrongScore))


def test_refusals() -> None:
    class Skewed(Gaussian):
        symmetric = False

    class Unclaimed(Cauchy):
        continuous = False

    class Pole(ProductNoise):
        name = "pole"
        symmetric = unimodal = continuous = True
        score_turns = (0.0,)

        def log_density(self, z: np.ndarray) -> np.ndarray:
            with np.errstate(divide="ignore"):
                return -np.abs(z) - 0.5 * np.log(np.abs(z))

    assert "symmetric" in str(score_refusal(Skewed(UNIT)))
    assert "continuous" in str(score_refusal(general(Unclaimed)))
    assert "pole" in str(score_refusal(Pole(UNIT)))
    assert score_refusal(general(Cauchy)) is None


def test_normal_excesses_against_quadrature() -> None:
    for z in (-2.0, -0.3, 0.0, 1.0, 3.9, 4.1, 8.0, 20.0):
        for power in (2, 3):
            value = quad(lambda u, z=z, k=power: u**k * math.exp(-z * u - u * u / 2), 0, np.inf, epsrel=1e-13)[0]
            assert excess_power(np.array(z), power) == pytest.approx(norm.pdf(z) * value, rel=1e-10)
    assert profile(np.array([0.0, 0.5])) == pytest.approx([0.0, 1 / math.sqrt(2 * math.pi)], rel=1e-15)
