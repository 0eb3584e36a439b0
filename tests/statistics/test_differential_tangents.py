"""Straight lines above Phi: their lower envelope, and the integral of its reciprocal."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr, ndtri

from robustbench_rs.statistics.differential.tangents import TangentBound, tangent_bound


def gaussian_excess(tau: np.ndarray) -> np.ndarray:
    """E(Z - tau)_+ of a standard normal Z: Phi(p) is then the density at the p-quantile, and R the quantile of pA."""
    return np.exp(-(tau**2) / 2) / math.sqrt(2 * math.pi) - tau * ndtr(-tau)


def test_envelope_and_integral_of_three_lines() -> None:
    bound = TangentBound(np.array([0.0, 1.0, 4.0]), np.array([0.5, 0.2, 0.01]))
    p = np.linspace(0, 0.5, 101)
    lines = np.array([0 * p + 0.5, p + 0.2, 4 * p + 0.01])
    assert bound(p) == pytest.approx(lines.min(axis=0), rel=1e-14)
    for q in (0.5, 0.4, 0.3, 0.1, 0.05, 0.01, 0.0):
        truth = quad(lambda s: 1 / min(0.5, s + 0.2, 4 * s + 0.01), q, 0.5, points=[0.3, 0.19 / 3], limit=200)[0]
        assert bound.path(np.array(q)) == pytest.approx(truth, rel=1e-10)


def test_a_line_that_is_never_smallest_is_dropped() -> None:
    with_it = TangentBound(np.array([0.0, 1.0, 2.0]), np.array([0.4, 0.39, 0.0]))
    assert with_it.slopes.tolist() == [0.0, 2.0]
    assert with_it.path(np.array(0.1)) == TangentBound(np.array([0.0, 2.0]), np.array([0.4, 0.0])).path(np.array(0.1))


def test_a_line_through_the_origin_gives_no_end() -> None:
    """Bounded scores: the radius grows without bound as pA goes to 1, and is infinite at 1."""
    bound = TangentBound(np.array([0.0, 1.0]), np.array([0.5, 0.0]))
    assert bound.path(np.array([0.0, 0.25, 0.5])).tolist() == [math.inf, pytest.approx(math.log(2), rel=1e-12), 0.0]
    radii = bound.radii(np.array([1.0, 1.0, 0.75]), np.array([0.0, 1.0, 0.25]))
    assert radii.tolist() == [math.inf, 0.0, pytest.approx(math.log(2), rel=1e-11)]


def test_one_line() -> None:
    bound = TangentBound(np.array([0.0]), np.array([2.0]))
    assert bound.radii(np.array([0.9, 0.5, 0.3]), np.array([0.1, 0.5, 0.2])) == pytest.approx([0.2, 0, 0.025])


def test_gaussian_radius_from_below() -> None:
    bound = tangent_bound(gaussian_excess, np.array([0.0, 0.5, 1.0, 2.0, 4.0, 8.0]), 1e-6)
    p = np.array([0.5 + 1e-9, 0.51, 0.6, 0.9, 0.99, 0.9999, 1 - 1e-9])
    truth, radii = ndtri(p), bound.radii(p, 1 - p)
    assert np.all(radii <= truth)
    assert radii == pytest.approx(truth, rel=2e-6)
    two_sided = bound.radii(np.array([0.9, 0.45, 0.9]), np.array([0.02, 0.3, 0.9]))
    exact = (ndtri(np.array([0.9, 0.45, 0.9])) - ndtri(np.array([0.02, 0.3, 0.9]))) / 2
    assert np.all(two_sided <= exact)
    assert two_sided == pytest.approx(exact, rel=2e-6)


def test_more_lines_are_closer_and_never_lower_the_radius() -> None:
    p = np.linspace(0.5, 0.9999, 200)[1:]
    start = np.array([0.0, 1.0, 3.0, 8.0])
    coarse, fine = (tangent_bound(gaussian_excess, start, tolerance).radii(p, 1 - p) for tolerance in (1e-2, 1e-5))
    assert np.all(coarse <= fine)
    assert np.max(fine / coarse) > 1.001


def test_radii_round_down() -> None:
    """Against the same integral in closed form at one line's slope: ln((slope/2 + h) / (slope q + h)) / slope."""
    bound = TangentBound(np.array([3.0]), np.array([0.1]))
    p = np.linspace(0.5, 1, 1001)[1:]
    exact = np.log1p(3.0 * (p - 0.5) / (3.0 * (1 - p) + 0.1)) / 3.0
    radii = bound.radii(p, 1 - p)
    assert np.all(radii < exact)
    assert radii == pytest.approx(exact, rel=1e-11)
