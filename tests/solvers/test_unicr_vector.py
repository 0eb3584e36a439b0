"""unicr on noise without a one-dimensional ratio law: correlated coordinates, several modes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import logsumexp, ndtri

from robustbench_rs.api import NoiseParams, ProductNoise, VectorNoise
from robustbench_rs_plugins.solvers.unicr import UnicrParams, UnicrSolver
from robustbench_rs_plugins.solvers.unicr.measuring import Ball

UNIT = NoiseParams(scale=1.0)
COVARIANCE = np.array([[1.0, 0.8, 0.3], [0.8, 1.5, -0.2], [0.3, -0.2, 0.7]])
P = np.array([0.7, 0.95])


class Correlated(VectorNoise):
    """Gaussian noise with a covariance matrix: a shift is certified up to the Mahalanobis length Phi^-1(pA)."""

    name = "correlated"
    covariance = COVARIANCE

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -0.5 * np.einsum("...i,ij,...j->...", z, np.linalg.inv(self.covariance), z)

    def sample(self, shape, generator, device, dtype):
        raise NotImplementedError("solvers without torch use draws")

    def draws(self, count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
        assert dim == len(self.covariance)
        return rng.standard_normal((count, dim)) @ np.linalg.cholesky(self.covariance).T


class Sampled(Correlated):
    """The same by its torch sampler alone."""

    name = "sampled"

    def sample(self, shape, generator, device, dtype):
        import torch

        z = torch.randn(shape, generator=generator, dtype=torch.float64)
        return (z @ torch.from_numpy(np.linalg.cholesky(self.covariance).T)).to(dtype)

    def draws(self, count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
        return VectorNoise.draws(self, count, dim, rng)


class Comb(ProductNoise):
    """Nine narrow Gaussian teeth at distance 1: a shift by 1/2 moves all mass away, a shift by 1 a ninth."""

    name = "comb"
    teeth = np.arange(9.0)
    width = 0.02

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return logsumexp(-0.5 * np.square((np.asarray(z)[..., None] - self.teeth) / self.width), axis=-1)

    def draws(self, count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
        return rng.choice(self.teeth, (count, dim)) + self.width * rng.standard_normal((count, dim))


class TwoModes(Comb):
    """Equal weights at 0 and 1, as wide as 0.25."""

    name = "two-modes"
    teeth = np.array([0.0, 1.0])
    width = 0.25


def along(noise: VectorNoise | ProductNoise, direction: np.ndarray, p_lower: np.ndarray, scan: bool) -> np.ndarray:
    ball = Ball(noise, 2.0, UnicrParams(draws=20_000, tolerance=2e-4), [direction], p_lower, 1 - p_lower)
    return ball.lattice.scale(ball.estimated(scan))


@pytest.mark.parametrize("noise", [Correlated(UNIT), Sampled(UNIT)], ids=["draws", "sample"])
@pytest.mark.parametrize("direction", [[1.0, 0.0, 0.0], [1.0, -1.0, 0.0], [-0.2, 0.5, 2.0]])
def test_correlated_gaussian_along_a_ray(noise: Correlated, direction: list[float]) -> None:
    """Phi^-1(pA) / sqrt(u' Sigma^-1 u). The standard deviation of these estimates is below 0.5 per cent (measured over
    40 seeds), so 4 per cent is exceeded with probability below 1e-9."""
    unit = np.array(direction) / np.linalg.norm(direction)
    truth = ndtri(P) / math.sqrt(unit @ np.linalg.inv(COVARIANCE) @ unit)
    assert along(noise, unit, P, scan=True) == pytest.approx(truth, rel=0.04)


@pytest.mark.parametrize(
    ("norm", "worst"),
    # The smallest norm of Mahalanobis length 1: sqrt of the least eigenvalue; 1 / the dual norm's maximum otherwise.
    [
        (2.0, math.sqrt(np.linalg.eigvalsh(COVARIANCE)[0])),
        (1.0, 1 / math.sqrt(np.max(np.diag(np.linalg.inv(COVARIANCE))))),
    ],
)
def test_a_patient_swarm_finds_the_worst_direction(norm: float, worst: float) -> None:
    """Below the truth only by the error of the simulation (standard deviation below 0.8 per cent; 6 allowed), above it
    by what a swarm of 20 particles leaves after 30 steps; the published 4 particles and 3 steps leave much more."""
    params = UnicrParams(draws=20_000, particles=20, iterations=30, pilot=500, levels=(0.9,))
    radius = UnicrSolver(params).radii(Correlated(UNIT), norm, 3, P, 1 - P).radius
    assert np.all(radius > 0.94 * worst * ndtri(P))
    assert np.all(radius < 1.08 * worst * ndtri(P))


def test_few_directions_are_an_upper_bound_only() -> None:
    """The minimum over the few directions tried lies above the truth: never more than `estimated`."""
    radii = UnicrSolver(UnicrParams(particles=1, iterations=1)).radii(Correlated(UNIT), 2.0, 3, P, 1 - P)
    truth = ndtri(P) * math.sqrt(np.linalg.eigvalsh(COVARIANCE)[0])
    assert np.all(radii.radius > 1.2 * truth)
    assert radii.guarantee == "estimated"
    assert radii.upper is None


def mixture_radius(noise: Comb, p_lower: float) -> float:
    """The first shift that is not certified, climbing in steps of 1e-3, by enumeration of 10,000 cells."""
    z = np.linspace(noise.teeth[0] - 6, noise.teeth[-1] + 6, 10_001)
    mass = np.exp(noise.log_density(z))
    mass /= mass.sum()
    for shift in np.arange(1, 2000) * 1e-3:
        moved = np.exp(noise.log_density(z - shift))
        moved /= moved.sum()
        order = np.argsort(moved / np.maximum(mass, 1e-300))
        if np.interp(p_lower, np.cumsum(mass[order]), np.cumsum(moved[order])) <= 0.5:
            return float(shift)
    raise AssertionError("no boundary")


@pytest.mark.parametrize("p_lower", [0.7, 0.95])
def test_two_modes(p_lower: float) -> None:
    """One coordinate against enumeration; standard deviation 0.8 per cent, 5 allowed (a false alarm in 1e8)."""
    noise = TwoModes(UNIT)
    radius = along(noise, np.array([1.0]), np.array([p_lower]), scan=True)[0]
    assert radius == pytest.approx(mixture_radius(noise, p_lower), rel=0.05, abs=1e-3)


def test_the_first_boundary_counts() -> None:
    """Beyond the first uncertified shift the comb is certified again near every whole number. Doubling the scale steps
    over the gap; noise that is not known to be unimodal is therefore scanned."""
    noise, lower = Comb(UNIT), np.array([0.98])
    truth = mixture_radius(noise, 0.98)
    ball = Ball(noise, 2.0, UnicrParams(draws=20_000), [np.array([1.0])], lower, 1 - lower)
    margins = [ball._estimate(np.array([shift]), np.array([0]))[0] for shift in (0.5 * truth, 0.5, 1.0, 4.0)]
    assert [margin > 0 for margin in margins] == [True, False, True, True]
    assert along(noise, np.array([1.0]), lower, scan=False)[0] > 3.9
    solver = UnicrSolver(UnicrParams(draws=20_000, tolerance=2e-4))
    assert truth < 0.1
    assert solver.radii(noise, 2.0, 1, lower, 1 - lower).radius[0] == pytest.approx(truth, rel=0.05)
