"""The hunt for shifts inside searched balls: it finds radii that are too large, and leaves exact ones alone."""

from __future__ import annotations

import numpy as np
import pytest
from independent import laws, search, units
from independent.questions import Limits
from scipy.special import ndtri


def ball(name: str, dim: int, top: float, radius: float) -> search.Ball:
    limits = Limits(np.array([top]), np.array([1 - top]))
    return search.Ball(units.make(name, {}, 1.0), laws.law(name, {}), 2.0, dim, limits, radius)


@pytest.mark.parametrize("dim", [3, 64])
def test_a_radius_that_ignores_the_diagonal_is_refuted(dim: int) -> None:
    """Laplace noise in l2: one coordinate's radius is far too large, by about 1.6 / 1.3."""
    radius = -float(np.log(2 * 0.1))
    found = search.search(ball("laplace", dim, 0.9, radius), 40, np.random.default_rng(1))
    assert found.used > 1.1
    assert found.refuted < 0.9
    assert found.contradictions == 0
    assert found.tried > 40


@pytest.mark.parametrize("dim", [3, 64])
def test_an_exact_radius_is_not(dim: int) -> None:
    found = search.search(ball("gaussian", dim, 0.9, float(ndtri(0.9)) * (1 - 1e-9)), 20, np.random.default_rng(2))
    assert 0.999 < found.used < 1 + 1e-3
    assert found.refuted == 1.0
    assert found.contradictions == 0


def test_slightly_too_large_counts_as_refuted() -> None:
    found = search.search(ball("gaussian", 8, 0.9, float(ndtri(0.9)) * 1.002), 20, np.random.default_rng(3))
    assert found.refuted == pytest.approx(1 / 1.002, abs=5e-4)


def test_directions_have_norm_one_and_fit() -> None:
    rng = np.random.default_rng(4)
    for norm in (1.0, 2.0, 3.0, np.inf):
        for _ in range(200):
            found = search.random_levels(norm, 10, rng)
            vector = np.repeat(found.sizes, found.counts)
            assert len(vector) <= 10
            assert np.linalg.norm(vector, ord=norm) == pytest.approx(1.0, rel=1e-12)
