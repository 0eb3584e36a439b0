"""Curves are the definition, and thinning never raises them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from robustbench_rs.api.report import Curve
from robustbench_rs.reporting.curves import MAX_POINTS, curve_of
from robustbench_rs.reporting.levels import Level

radii = st.lists(st.floats(0, 3, allow_subnormal=False), min_size=1, max_size=60)


def at(values: np.ndarray, curve: Curve, radius: float) -> float:
    """Value that holds in (radius[i-1], radius[i]]."""
    return float(values[np.searchsorted(curve.radius, radius, side="left")])


def level_of(measured, source, values, seed=0) -> Level:
    right = np.random.default_rng(seed).random(len(values)) < 0.7
    level = measured(values, right)
    return Level(source(level), level)


def true_accuracy(level: Level, radius: float) -> float:
    m = level.measured
    return float(np.mean(m.correct & (m.radius >= radius)))


@given(values=radii, seed=st.integers(0, 1000))
def test_a_curve_is_the_definition_everywhere(measured, source, values, seed):
    level = level_of(measured, source, values, seed)
    curve = curve_of(level, end=4.0)
    for radius in [0.0, *values, *np.nextafter(values, 9).tolist(), 3.5]:
        assert at(curve.accuracy, curve, radius) == true_accuracy(level, radius)


@settings(max_examples=50)
@given(values=radii, seed=st.integers(0, 1000), points=st.integers(2, 20))
def test_thinning_never_raises_the_curve_nor_lowers_its_upper_limit(measured, source, values, seed, points):
    level = level_of(measured, source, values, seed)
    curve, thinned = curve_of(level, end=4.0), curve_of(level, end=4.0, max_points=points)
    assert len(thinned.radius) <= points + 1
    for radius in [0.0, *values, *np.nextafter(values, 9).tolist(), 3.5]:
        assert at(thinned.accuracy, thinned, radius) <= true_accuracy(level, radius)
        assert at(thinned.lower, thinned, radius) <= at(curve.lower, curve, radius)
        assert at(thinned.upper, thinned, radius) >= at(curve.upper, curve, radius)


def test_it_starts_at_zero_and_is_drawn_to_the_end(measured, source):
    level = level_of(measured, source, [0.5, 0.25])
    curve = curve_of(level, end=1.5)
    assert curve.radius[0] == 0
    assert (curve.radius[-1], curve.accuracy[-1]) == (1.5, 0.0)


def test_the_band_is_clopper_pearson(measured, source):
    level = measured([0.1, 0.2, 0.3, 0.4])
    curve = curve_of(Level(source(level), level), end=0.4)
    assert curve.accuracy.tolist() == [1.0, 1.0, 0.75, 0.5, 0.25]
    np.testing.assert_allclose(curve.lower[1:], beta.ppf(0.025, [4, 3, 2, 1], [1, 2, 3, 4]), rtol=1e-9)
    np.testing.assert_allclose(curve.upper[2:], beta.ppf(0.975, [4, 3, 2], [1, 2, 3]), rtol=1e-9)


def test_many_inputs_give_few_points(measured, source):
    level = level_of(measured, source, np.random.default_rng(0).exponential(0.5, 20_000))
    curve = curve_of(level, end=9.0)
    assert MAX_POINTS / 2 < len(curve.radius) <= MAX_POINTS + 1
    assert np.all(np.diff(curve.radius) > 0)
    assert np.all(np.diff(curve.accuracy) <= 0)
    fine = np.linspace(0, 4, 400)
    error = [true_accuracy(level, radius) - at(curve.accuracy, curve, radius) for radius in fine]
    assert min(error) >= 0
    assert max(error) < 2 / MAX_POINTS
