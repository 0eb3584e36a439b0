"""The check's own method, against laws in closed form, 30-digit arithmetic and simulation."""

from __future__ import annotations

import math
from types import ModuleType

import mpmath
import numpy as np
import pytest
from independent import balls, laws, radial, simulation
from independent.product import regions
from scipy.special import ndtr, ndtri

P = np.array([0.01, 0.3, 0.6, 0.9, 0.999, 1 - 1e-6])
SPREAD = 4 + math.log(1e6)


def left(law: laws.Law, shift: list[float]) -> np.ndarray:
    (found,) = regions(law, np.array([shift]), np.array([SPREAD]))
    return found.left(P)


def half_line(law: laws.Law, size: float) -> np.ndarray:
    """What is left of a half-line of mass P: for a log-concave law the least possible, for any an upper bound."""
    return np.array([law.mass(np.array([law.quantile(p) - size]))[0] for p in P])


@pytest.mark.parametrize("shift", [[0.7], [1.5, -2.0], [0.3] * 8, [1.0, 0.5, 0.1, 0.0, 0.0]])
def test_gaussian(shift: list[float]) -> None:
    truth = ndtr(ndtri(P) - np.linalg.norm(shift))
    found = left(laws.law("gaussian", {}), shift)
    assert np.all(found >= truth)
    assert ndtri(found) == pytest.approx(ndtri(truth), abs=1e-3)


@pytest.mark.parametrize("name", ["laplace", "logistic", "hyperbolic-secant", "triangular"])
@pytest.mark.parametrize("size", [0.05, 0.6])
def test_one_coordinate_of_a_log_concave_law(name: str, size: float) -> None:
    law = laws.law(name, {})
    truth = half_line(law, size)
    assert left(law, [0.0, size, 0.0])[:5] == pytest.approx(truth[:5], abs=2e-4)
    assert np.all(left(law, [-size]) >= truth - 1e-4)  # law.quantile is an interpolation


@pytest.mark.parametrize("dim", [1, 3, 8])
def test_uniform_keeps_the_share_of_the_cube(dim: int) -> None:
    shift = np.linspace(0.05, 0.4, dim)
    lost = 1 - np.prod(1 - shift / 2)
    assert left(laws.law("uniform", {}), shift.tolist()) == pytest.approx(np.maximum(P - lost, 0.0), abs=1e-10)


@pytest.mark.parametrize(
    ("name", "params", "density"),
    [
        ("student-t", {"df": 1.7}, lambda z: (1 + z * z / mpmath.mpf(1.7)) ** mpmath.mpf(-1.35)),
        ("generalized-normal", {"beta": 0.6}, lambda z: mpmath.exp(-(abs(z) ** mpmath.mpf(0.6)))),
        ("generalized-normal", {"beta": 8.0}, lambda z: mpmath.exp(-(abs(z) ** 8))),
        ("exponential-mix", {"weight": 0.9}, lambda z: mpmath.exp(-0.9 * abs(z) - (1 - mpmath.mpf(0.9)) * z * z)),
        (
            "gaussian-laplace-mixture",
            {"weight": 0.3},
            lambda z: 0.15 * mpmath.exp(-abs(z)) + (1 - mpmath.mpf(0.3)) * mpmath.npdf(z),
        ),
        ("pareto", {"a": 2.5}, lambda z: (1 + abs(z)) ** mpmath.mpf(-3.5)),
        ("hyperbolic-secant", {}, lambda z: mpmath.sech(z)),
    ],
)
def test_laws_are_the_integrals_of_their_densities(name: str, params: dict[str, float], density: object) -> None:
    law = laws.law(name, params)
    with mpmath.workdps(30):
        whole = mpmath.quad(density, [0, 0.01, 0.1, 1, 3, 10, 100, mpmath.inf])
        for z in (0.02, 0.7, 1.3):
            tail = mpmath.quad(density, [z, z + 1, z + 3, z + 10, z + 100, mpmath.inf]) / whole / 2
            assert float(law.lower(np.array(-z))) == pytest.approx(float(tail), rel=1e-10, abs=1e-300)


def test_masses_add_up_to_one() -> None:
    rng = np.random.default_rng(1)
    for name in laws.product_families():
        law = laws.law(name, laws.random_params(name, rng))
        mass = law.mass(law.edges(100))
        assert mass.sum() == pytest.approx(1.0, abs=1e-14)
        assert np.all(mass >= 0)


@pytest.mark.parametrize("dim", [2, 5, 8])
@pytest.mark.parametrize("size", [0.1, 1.0, 3.0])
def test_spheroids_of_a_gaussian(dim: int, size: float) -> None:
    noise = radial.radial("exp-l2", {"k": 2.0, "j": 0.0}, dim)
    found = balls.region(noise, np.append(size / math.sqrt(2), np.zeros(dim - 1)))
    truth = ndtr(ndtri(P) - size)
    assert np.all(found.left(P) >= truth)
    assert np.interp(P, found.kept_p, found.kept_q) == pytest.approx(truth, abs=5e-4)


@pytest.mark.parametrize("dim", [2, 6])
@pytest.mark.parametrize("size", [0.1, 1.0, 3.0])
def test_boxes_at_an_exact_radius(dim: int, size: float) -> None:
    """exp(-|x|_inf): a shift by size (1, ..., 1) leaves 1/2 of 1 - exp(-size) / 2."""
    noise = radial.radial("exp-linf", {"k": 1.0, "j": 0.0}, dim)
    found = balls.region(noise, np.full(dim, size))
    top = np.array([1 - math.exp(-size) / 2])
    assert np.interp(top, found.kept_p, found.kept_q) == pytest.approx(0.5, abs=1e-6)
    assert 0.5 < found.left(top)[0] < 0.5 + 0.05


@pytest.mark.parametrize(
    ("name", "params", "dim"),
    [
        ("exp-l2", {"k": 0.7, "j": 1.0}, 3),
        ("power-l2", {"a": 5.0}, 3),
        ("exp-linf", {"k": 2.0, "j": 1.0}, 4),
        ("power-linf", {"a": 6.0}, 5),
        ("uniform-l2-ball", {}, 4),
    ],
)
def test_balls_against_simulation(soundness: ModuleType, name: str, params: dict[str, float], dim: int) -> None:
    """The regions' masses, as fractions of draws: within 7 standard deviations, which fails one time in 1e10."""
    rng, draws = np.random.default_rng(7), 100_000
    noise = radial.radial(name, params, dim)
    middle = float(np.median(np.linalg.norm(radial.sample(noise, 1000, rng), ord=noise.ball, axis=1)))
    for shift in (np.eye(dim)[0], np.ones(dim) / dim, rng.random(dim)):
        shift = shift * middle / 2
        exact = balls.region(noise, shift)

        def loss(z: np.ndarray, shift: np.ndarray = shift) -> np.ndarray:
            theirs, ours = (np.linalg.norm(each, ord=noise.ball, axis=1) for each in (z - shift, z))
            if noise.flat:
                return np.where(ours > 1, 1.0, 0.0) - np.where(theirs > 1, 1.0, 0.0)
            return noise.log_density(theirs) - noise.log_density(ours)

        under_p, under_q = (loss(radial.sample(noise, draws, rng) + move) for move in (0.0, shift))
        for t in np.quantile(under_p, [0.1, 0.5, 0.9]) + 1e-6:
            p, q = np.mean(under_p <= t), np.mean(under_q <= t)
            room = 7 * 0.5 * (1 + 1) / math.sqrt(draws)
            assert np.interp(p, exact.kept_p, exact.kept_q) == pytest.approx(q, abs=room)


def test_simulated_regions_hold_what_they_state() -> None:
    """Of Laplace noise, which is known: limits on the safe side, failing together with probability below 1e-6."""
    rng = np.random.default_rng(9)
    noise, shift = radial.radial("exp-l1", {"k": 1.0}, 2), np.array([0.5, 0.3])

    def loss(z: np.ndarray) -> np.ndarray:
        return np.abs(z).sum(axis=1) - np.abs(z - shift).sum(axis=1)

    found = simulation.region(lambda n: radial.sample(noise, n, rng), loss, shift, 40_000)
    (exact,) = regions(laws.law("laplace", {}), shift[None], np.array([SPREAD]))
    best = np.interp(P, exact.kept_p, exact.kept_q)
    assert np.all(found.left(P) >= best)
    assert found.left(P)[:4] == pytest.approx(best[:4], abs=0.05)
