"""The four proved l2 bounds: known constants, explicit classifiers that must not beat them, and guards that matter."""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import binom, norm

from robustbench_rs.api import NoiseParams, ProductNoise
from robustbench_rs.statistics.differential import l2
from robustbench_rs.statistics.differential.l2 import L2Constants, l2_bound, l2_constants
from robustbench_rs.statistics.differential.score_law import score_law
from robustbench_rs_plugins.noises.cauchy import Cauchy
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.generalized_normal import GeneralizedNormal
from robustbench_rs_plugins.noises.hyperbolic_secant import HyperbolicSecant
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.logistic import Logistic
from robustbench_rs_plugins.noises.triangular import Triangular
from robustbench_rs_plugins.noises.uniform import Uniform

sys.path.insert(0, str(Path(__file__).parent))
from equal_coordinates import equal_coordinates_radius

P = np.array([0.5001, 0.6, 0.75, 0.9, 0.99, 0.999, 0.999999])


def unit_variance(family: type[ProductNoise], **shape: float) -> ProductNoise:
    return family(family.Params.model_validate({"sigma": 1.0, **shape}))


NOISES: dict[str, ProductNoise] = {
    "laplace": unit_variance(Laplace),
    "logistic": unit_variance(Logistic),
    "sech": unit_variance(HyperbolicSecant),
    "beta 1.5": unit_variance(GeneralizedNormal, beta=1.5),
    "beta 3": unit_variance(GeneralizedNormal, beta=3.0),
}
PUBLISHED = {
    "laplace": (0.780, 1.469),
    "logistic": (1.127, 2.059),
    "sech": (1.027, 1.904),
    "beta 1.5": (1.082, 2.014),
    "beta 3": (0.921, 1.605),
}
"""Proved radii at pA = 0.9 and 0.99, rounded down."""


@pytest.fixture(scope="module")
def constants() -> dict[str, L2Constants]:
    return {name: l2_constants(score_law(noise)) for name, noise in NOISES.items()}


def radii(noise: ProductNoise, found: L2Constants, p: np.ndarray, dim: int = 3072) -> np.ndarray:
    return noise.scale * l2_bound(found, dim).radii(p, 1 - p)


@pytest.mark.parametrize("name", NOISES)
def test_radii_are_what_is_known(name: str, constants: dict[str, L2Constants]) -> None:
    ours = radii(NOISES[name], constants[name], np.array([0.9, 0.99]))
    assert ours == pytest.approx(PUBLISHED[name], abs=1.5e-3)


def test_gaussian_from_below() -> None:
    """The truth is sigma Phi^-1(pA); ours loses less than a millionth."""
    noise = Gaussian(NoiseParams(sigma=0.5))
    p = np.concatenate([P, np.random.default_rng(0).uniform(0.5, 1.0, 1000)])
    truth, ours = 0.5 * ndtri(p), radii(noise, l2_constants(score_law(noise)), p)
    assert np.all(ours < truth)
    assert np.all(ours >= truth * (1 - 1e-6))


def test_constants_are_upper_bounds_of_known_ones() -> None:
    """c = sup Phi_1 / phi(Phi^-1): Laplace (1/2) / phi(0); sech and Cauchy, whose scores are arcsine: sqrt(2/pi)."""
    exact = {
        Laplace: math.sqrt(math.pi / 2),
        HyperbolicSecant: math.sqrt(2 / math.pi),
        Cauchy: math.sqrt(2 / math.pi),
        Logistic: 0.25 * math.sqrt(2 * math.pi),
    }
    for family, c in exact.items():
        found = l2_constants(score_law(unit_scale(family)))
        assert c <= found.clips[-1] <= c * (1 + 1e-6), family
        assert found.third == pytest.approx(math.sqrt(found.information), rel=1e-12)


def unit_scale(family: type[ProductNoise], **shape: float) -> ProductNoise:
    return family(family.Params.model_validate({"scale": 1.0, **shape}))


def test_third_order_bound_fails_for_light_tails(constants: dict[str, L2Constants]) -> None:
    """E(psi - t)_+^3 <= E(s Z - t)_+^3 is false for beta = 3 with any s near the root of the information."""
    assert constants["beta 3"].third is None
    assert constants["beta 3"].clips[-1] > 2 * math.sqrt(constants["beta 3"].information)


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("k", [1, 3, 3072])
def test_no_equal_coordinate_direction_beats_it(name: str, k: int, constants: dict[str, L2Constants]) -> None:
    noise = NOISES[name]
    reach = float(noise.quantile(np.array([1 - 1e-15]))[0])
    p = np.array([0.7, 0.99])
    allowed = [noise.scale * equal_coordinates_radius(noise.log_density, reach, k, float(p_lower)) for p_lower in p]
    assert np.all(radii(noise, constants[name], p) < np.array(allowed))


@pytest.mark.parametrize("k", [1, 2, 3, 4, 9, 25, 100, 1000])
def test_bound_covers_explicit_sets_for_laplace(k: int) -> None:
    """Scores are signs: S = (2 Bin(k, 1/2) - k) / sqrt(k), and E[S; S largest] is a finite sum."""
    bound = l2_bound(l2_constants(score_law(unit_scale(Laplace))), 3072)
    heads = np.arange(k, -1, -1)
    s, mass = (2.0 * heads - k) / math.sqrt(k), binom.pmf(heads, k, 0.5)
    p, gain = np.cumsum(mass), np.cumsum(s * mass)
    inner = (p <= 0.5) & (p > 1e-15)
    assert np.all(bound(p[inner]) >= gain[inner] * (1 - 1e-12))
    assert bound(np.array(0.5)) == pytest.approx(0.5, rel=1e-6)  # one sign: Cauchy-Schwarz is attained


@pytest.mark.parametrize("name", ["logistic", "beta 1.5", "beta 3"])
def test_bound_covers_one_coordinate_and_many(name: str, constants: dict[str, L2Constants]) -> None:
    """v = e_1: q(F^-1(p)). v flat in many dimensions: sqrt(I) phi(Phi^-1(p)), by the central limit theorem."""
    noise, bound = NOISES[name], l2_bound(constants[name], 10**6)
    p = np.geomspace(1e-12, 0.5, 200)
    one = noise.density(noise.quantile(p))
    flat = math.sqrt(score_law(noise).information[0]) * norm.pdf(ndtri(p))
    assert np.all(bound(p) >= one * (1 - 1e-9))
    assert np.all(bound(p) >= flat * (1 - 1e-9))


def test_two_sided_is_half_the_sum(constants: dict[str, L2Constants]) -> None:
    bound = l2_bound(constants["logistic"], 3)
    p, other = np.array([0.6, 0.9, 0.45]), np.array([0.1, 0.01, 0.2])
    one, two = bound.radii(np.maximum(p, 0.5), 1 - np.maximum(p, 0.5)), bound.radii(1 - other, other)
    assert bound.radii(p, other)[:2] == pytest.approx(((one + two) / 2)[:2], rel=1e-9)
    behind = bound.radii(np.array([0.55]), np.array([0.45]))  # pA = 0.45 lies below 1/2 by as much
    assert bound.radii(p, other)[2] == pytest.approx((two[2] - behind[0]) / 2, rel=1e-9)


class Truncated(ProductNoise):
    """A Gaussian conditioned to [-1, 1]; the support is left unstated."""

    name = "truncated-gaussian"
    symmetric = log_concave = True

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return np.where(np.abs(z) <= 1.0, -0.5 * np.square(z), -np.inf)


@pytest.mark.parametrize("dim", [1, 4, 3072])
def test_a_jump_is_not_overlooked(dim: int) -> None:
    """The half-space z_1 <= F^-1(pA) allows F^-1(pA); without the jump's share of Phi, the bounds would give more."""
    noise = Truncated(NoiseParams(scale=1.0))
    found = l2_constants(score_law(noise))
    truth = norm.ppf(norm.cdf(-1) + P * (norm.cdf(1) - norm.cdf(-1)))
    assert np.all(radii(noise, found, P, dim) <= truth)
    smooth = dataclasses.replace(found, loose=0.0)
    assert np.all(radii(noise, smooth, P, dim)[3:] > truth[3:])


def test_truncated_gaussian_in_many_dimensions() -> None:
    """Shifted by r / sqrt(d) each, a coordinate leaves the cube with at least q(1) r / sqrt(d) of its mass, as q falls
    towards the end; A may lose all that: certified only if pA - (1 - (1 - q(1) r / sqrt(d))^d) >= 1/2."""
    noise, dim, p = Truncated(NoiseParams(scale=1.0)), 3072, np.array([0.6, 0.9])
    jump = norm.pdf(1) / (norm.cdf(1) - norm.cdf(-1))
    found = l2_constants(score_law(noise))
    kept = 1 - jump * radii(noise, found, p, dim) / math.sqrt(dim)
    assert np.all(p - (1 - kept**dim) >= 0.5)
    smooth = radii(noise, dataclasses.replace(found, loose=0.0), p, dim)
    assert np.all(p - (1 - (1 - jump * smooth / math.sqrt(dim)) ** dim) < 0.5)


def test_uniform_is_the_inclusion_of_l1() -> None:
    """No smooth part: Phi = sqrt(d) / 2 scale, so 2 scale (pA - 1/2) / sqrt(d), and never above the exact l2 radius."""
    noise = Uniform(NoiseParams(scale=1.0))
    found = l2_constants(score_law(noise))
    for dim in (1, 16, 3072):
        ours = radii(noise, found, P, dim)
        assert ours == pytest.approx(2 * (P - 0.5) / math.sqrt(dim), rel=1e-6)
        exact = 2 * math.sqrt(dim) * (1 - (1.5 - P) ** (1 / dim))
        assert np.all(ours <= exact * (1 + 1e-12))


def test_clipped_scores_without_their_remainder_are_unsound(constants: dict[str, L2Constants]) -> None:
    """Bound 4 for beta = 3: the remainder sqrt(p (1 - p) E r^2) is what keeps it below the searched 1.204."""
    noise = NOISES["beta 3"]
    reach = float(noise.quantile(np.array([1 - 1e-15]))[0])
    allowed = noise.scale * equal_coordinates_radius(noise.log_density, reach, 3072, 0.9)
    found = constants["beta 3"]
    bare = dataclasses.replace(found, remainders=np.zeros_like(found.remainders))
    assert radii(noise, found, np.array([0.9]))[0] < allowed
    assert radii(noise, bare, np.array([0.9]))[0] > allowed


def test_triangular_has_a_radius_though_its_information_is_infinite() -> None:
    """The end of the support counts as a jump: a small radius, below what the half-space allows."""
    noise = unit_scale(Triangular)
    ours = radii(noise, l2_constants(score_law(noise)), P)
    assert np.all(ours <= noise.quantile(P))
    assert ours[3] > 0.3 * noise.std


def test_order_below_the_information_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """c >= sqrt(I) always."""
    monkeypatch.setattr(l2, "_clipped", lambda score: (np.array([0.9]), np.array([0.0])))
    with pytest.raises(ValueError, match="Fisher information"):
        l2_constants(score_law(Gaussian(NoiseParams(scale=1.0))))
