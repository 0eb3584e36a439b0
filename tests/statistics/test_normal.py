"""Phi^-1 rounded to a chosen side, against 50-digit arithmetic."""

from __future__ import annotations

import math
from types import ModuleType

import mpmath
import numpy as np
import pytest

from robustbench_rs.statistics.normal import normal_isf_down, normal_quantile_down, normal_quantile_up
from robustbench_rs.statistics.rounding import MARGIN, certified, down, up

WORST = 1e-11


def _sample(accuracy: ModuleType, count: int) -> list[float]:
    return [p for p, _ in zip(accuracy.probabilities(np.random.default_rng(3)), range(count), strict=False)]


def test_radius_never_above_and_within_1e_11(accuracy: ModuleType) -> None:
    """Through the solver and the gaussian noise, pA from 0.5 + 1e-9 to 1 - 1e-12."""
    sample = _sample(accuracy, 600)
    assert min(sample) == 0.5 + 1e-9
    assert max(sample) == 1 - 1e-12
    for p in sample:
        assert 0 < accuracy.radius_error(p) < WORST, p


def test_both_sides_of_one_half(accuracy: ModuleType) -> None:
    sample = np.array(_sample(accuracy, 200))
    for p in np.concatenate([sample, 1 - sample]):
        truth = accuracy.normal_quantile(float(p))
        low, high = float(normal_quantile_down(p)), float(normal_quantile_up(p))
        assert mpmath.mpf(low) < truth < mpmath.mpf(high)
        assert high - low < 2 * WORST * abs(float(truth))


def test_margin_is_far_above_the_error_of_scipy(accuracy: ModuleType) -> None:
    """The justification of MARGIN: what ``ndtri`` errs by, relative to its value."""
    from scipy.special import ndtri

    for p in _sample(accuracy, 300):
        truth = accuracy.normal_quantile(p)
        assert abs((mpmath.mpf(float(ndtri(p))) - truth) / truth) < MARGIN / 50


def test_edges() -> None:
    assert normal_quantile_down(0.5) == normal_quantile_up(0.5) == 0
    assert normal_quantile_down([0.0, 1.0]).tolist() == [-math.inf, math.inf]
    assert normal_isf_down(1e-12) < -float(normal_quantile_down(1e-12))
    assert normal_isf_down(1e-300) > 37
    for bad in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="0, 1"):
            normal_quantile_down(bad)


def test_rounding_is_outward() -> None:
    x = np.array([-2.0, -1e-300, 0.0, 1e-300, 3.0, math.inf, -math.inf])
    assert np.all(down(x) <= x)
    assert np.all(up(x) >= x)
    assert down(x)[2] == 0
    assert down(x)[5] == math.inf
    radius = certified(
        np.array([1.0, 1.0, -1.0, math.nan]), np.array([0.6, 0.4, 0.6, 0.5]), np.array([0.4, 0.6, 0.4, 0.5])
    )
    assert radius.tolist() == [1.0, 0.0, 0.0, 0.0]
