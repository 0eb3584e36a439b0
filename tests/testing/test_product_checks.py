"""Each check of a product noise's law and facts fails on a family in which that one thing is wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robustbench_rs.api import NoiseParams, ProductNoise
from robustbench_rs.statistics import TabulatedLaw
from robustbench_rs.testing import facts, product_law
from robustbench_rs.testing.product_law import Product
from robustbench_rs.testing.result import run

UNIT = NoiseParams(scale=1.0)


class Normal(ProductNoise):
    """Correct in all that it states."""

    name = "normal"
    symmetric = unimodal = log_concave = continuous = True
    fisher_information = 1.0

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -np.square(z) / 2

    def score(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(z, dtype=np.float64)


class Heavy(ProductNoise):
    """Student's t with 3 degrees of freedom, correct."""

    name = "heavy"
    symmetric = unimodal = continuous = True
    score_turns = (-math.sqrt(3), math.sqrt(3))
    fisher_information = 4 / 6
    slope_variation = 4 * 0.21968
    score_slope_turns = (-3.0, 0.0, 3.0)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -2 * np.log1p(np.square(z) / 3)

    def score(self, z: np.ndarray) -> np.ndarray:
        return 4 * z / (3 + np.square(z))

    def score_slope(self, z: np.ndarray) -> np.ndarray:
        return 4 * (3 - np.square(z)) / np.square(3 + np.square(z))


class Root(ProductNoise):
    """exp(-sqrt(abs(z))): the score has a pole at 0, and its mean square diverges; correct."""

    name = "root"
    symmetric = unimodal = continuous = True
    score_turns = (0.0,)
    fisher_information = math.inf

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -np.sqrt(np.abs(z))

    def score(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.where(z == 0, 0.0, np.sign(z) / (2 * np.sqrt(np.abs(z))))


class Triangle(ProductNoise):
    """Falls to 0 at the ends of its support, with a kink at 0; correct."""

    name = "triangle"
    support = (-1.0, 1.0)
    symmetric = unimodal = log_concave = continuous = True
    fisher_information = math.inf

    def log_density(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log1p(-np.minimum(np.abs(z), 1.0))

    def score(self, z: np.ndarray) -> np.ndarray:
        return np.sign(z) / (1 - np.abs(z))


def failing(noise: ProductNoise) -> set[str]:
    product = Product(noise, TabulatedLaw(noise.log_density, noise.support))
    results = run(product_law.CHECKS, product, "") + run(facts.CHECKS, product, "")
    assert len(results) == 17
    return {result.name for result in results if not result.passed}


@pytest.mark.parametrize("family", [Normal, Heavy, Root, Triangle])
def test_what_is_right_passes(family: type[ProductNoise]) -> None:
    assert failing(family(UNIT)) == set()


class WrongNormaliser(Normal):
    log_normaliser = math.log(2 * math.pi) / 2 + 1e-8

    def density(self, z: np.ndarray) -> np.ndarray:
        return self.law.density(z)


class WrongDensity(Normal):
    def density(self, z: np.ndarray) -> np.ndarray:
        return super().density(z) * 1.0001


class LeakingDensity(Triangle):
    def density(self, z: np.ndarray) -> np.ndarray:
        return np.maximum(super().density(z), 1e-12)


class ShortTail(Normal):
    """Right up to tails of 1e-9."""

    def quantile(self, p: np.ndarray) -> np.ndarray:
        return np.where(np.isin(p, (0, 1)), self.law.quantile(p), np.clip(self.law.quantile(p), -6.0, 6.0))


class LongTail(Normal):
    def cdf(self, z: np.ndarray) -> np.ndarray:
        return self.law.cdf(z) + 1e-12

    quantile_error = 1e-14


class LongUpperTail(Normal):
    def sf(self, z: np.ndarray) -> np.ndarray:
        return self.law.sf(z) + 1e-12

    quantile_error = 1e-14


class WrongEnds(Triangle):
    def quantile(self, p: np.ndarray) -> np.ndarray:
        return self.law.quantile(np.clip(p, 1e-12, 1 - 1e-12))


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (WrongNormaliser, "log_normaliser follows from the density"),
        (WrongDensity, "density is normalised"),
        (LeakingDensity, "density is normalised"),
        (ShortTail, "quantile inverts the cdf"),
        (LongTail, "cdf follows from the density"),
        (LongUpperTail, "sf follows from the density"),
        (WrongEnds, "quantile ends at the support"),
    ],
)
def test_what_is_wrong_with_the_law_is_named(family: type[ProductNoise], expected: str) -> None:
    assert expected in failing(family(UNIT))


class Jump(Normal):
    """Three per cent more density above 1.2345 than below."""

    log_concave = symmetric = unimodal = False
    fisher_information = None

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -np.square(z) / 2 + 0.06 * (z > 1.2345)

    score_turns = None


class JumpAtTheEnd(Triangle):
    """Cut off where it is still a twentieth of its height."""

    support = (-0.95, 0.95)
    fisher_information = None


class Pole(Root):
    fisher_information = None
    score_turns = None

    def log_density(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return -np.log(np.abs(z)) / 4 - np.abs(z)


class ScoreTooLarge(Normal):
    def score(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(z) * 1.00001

    fisher_information = None


class ScoreElsewhere(Heavy):
    """Right, but for one interval of the tail."""

    def score(self, z: np.ndarray) -> np.ndarray:
        right = super().score(z)
        return np.where((z > 5) & (z < 6), 0.99 * right, right)

    fisher_information = score_slope_turns = None


class NoScore(ProductNoise):
    name = "no-score"
    score_turns = (0.0,)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -np.sqrt(np.abs(z))


class WrongTurns(Heavy):
    score_turns = (-1.0, 1.0)


class NoTurns(Heavy):
    score_turns = ()


class UnsortedTurns(Heavy):
    score_turns = (math.sqrt(3), -math.sqrt(3))


class WrongFisher(Heavy):
    fisher_information = 0.6667


class WrongSlopes(Heavy):
    slope_variation = 4 * 0.2195


class WrongScoreSlope(Heavy):
    def score_slope(self, z: np.ndarray) -> np.ndarray:
        return 1.001 * super().score_slope(z)


class WrongSlopeTurns(Heavy):
    score_slope_turns = (-3.0, 3.0)


class NoScoreSlope(Heavy):
    score_slope = ProductNoise.score_slope


class SlopesOfAJump(Jump):
    """A score that leaves the jump out says nothing about it."""

    continuous = False
    slope_variation = 4 * 0.2420


class FiniteFisher(Triangle):
    fisher_information = 12.0


class InfiniteFisher(Heavy):
    fisher_information = math.inf


class FisherOfAJump(ProductNoise):
    """The mean square of the score is 1/2 inside, and the jumps at the ends add to it without limit."""

    name = "cut"
    support = (-1.0, 1.0)
    fisher_information = 0.5

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -np.square(z) / 2

    def score(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(z)


SCORE = "score is the derivative of the log density"
TURNS = "score is monotone between its turns"


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (Jump, {"continuous"}),
        (JumpAtTheEnd, {"continuous"}),
        (Pole, {"continuous", SCORE}),
        (ScoreTooLarge, {SCORE}),
        (ScoreElsewhere, {SCORE, TURNS}),
        (NoScore, {SCORE}),
        (WrongTurns, {TURNS}),
        (NoTurns, {TURNS}),
        (UnsortedTurns, {TURNS}),
        (WrongFisher, {"fisher_information"}),
        (WrongSlopes, {"slope_variation"}),
        (WrongScoreSlope, {"score_slope"}),
        (WrongSlopeTurns, {"score_slope"}),
        (NoScoreSlope, {"score_slope"}),
        (SlopesOfAJump, {"slope_variation"}),
        (FiniteFisher, {"fisher_information"}),
        (InfiniteFisher, {"fisher_information"}),
        (FisherOfAJump, {"fisher_information"}),
    ],
)
def test_a_fact_that_does_not_hold_is_named(family: type[ProductNoise], expected: set[str]) -> None:
    assert failing(family(UNIT)) == expected


def test_a_fact_that_is_not_claimed_is_not_checked() -> None:
    class Modest(Pole):
        continuous = False

        def score(self, z: np.ndarray) -> np.ndarray:
            with np.errstate(divide="ignore"):
                return np.sign(z) + 1 / (4 * z)

    assert failing(Modest(UNIT)) == set()


def test_a_falling_score_is_not_that_of_a_log_concave_density() -> None:
    """Where the second differences of the log density are below their rounding, the score still tells."""

    class Rippled(Normal):
        fisher_information = None

        def score(self, z: np.ndarray) -> np.ndarray:
            return z - 2e-3 * np.sin(1e3 * z)

    assert TURNS in failing(Rippled(UNIT))
