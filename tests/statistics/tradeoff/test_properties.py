"""What holds for the trade-off function of any law and shift, for random laws: skewed, with several modes, truncated.

The laws are mixtures of logistic laws, known to the engine by their log density alone; their cdf is known here.
"""

from __future__ import annotations

import math

import numpy as np
import tradeoff_laws as laws
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logsumexp

from robustbench_rs.api import NoiseParams, ProductNoise
from robustbench_rs.statistics.tradeoff import Group, trade_off

P = np.concatenate([[0.0, 1e-6, 1e-3], np.linspace(0.01, 0.99, 99), [0.999, 1 - 1e-6, 1.0]])
TOLERANCE = 1e-2
EXAMPLES = settings(max_examples=8, deadline=None, derandomize=True)


class Mixture(ProductNoise):
    """Of logistic laws. It claims nothing."""

    name = "mixture"

    def __init__(self, weights, centres, widths, support=(-math.inf, math.inf)):
        self.support = support
        self._parts = np.array(weights) / np.sum(weights), np.array(centres), np.array(widths)
        super().__init__(NoiseParams(scale=1.0))

    def log_density(self, z):
        weights, centres, widths = self._parts
        y = np.abs((np.asarray(z)[..., np.newaxis] - centres) / widths)
        return logsumexp(np.log(weights / widths) - y - 2 * np.log1p(np.exp(-y)), axis=-1)

    def true_cdf(self, z):
        weights, centres, widths = self._parts
        low, value, high = (
            float(np.sum(weights * expit((np.clip(x, *self.support) - centres) / widths)))
            for x in (-math.inf, z, math.inf)
        )
        return (value - low) / (high - low)


@st.composite
def mixtures(draw):
    count = draw(st.integers(1, 3))
    weights = draw(st.lists(st.floats(0.2, 1.0), min_size=count, max_size=count))
    centres = draw(st.lists(st.floats(-3.0, 3.0), min_size=count, max_size=count))
    widths = draw(st.lists(st.floats(0.3, 2.0), min_size=count, max_size=count))
    support = draw(st.sampled_from([(-math.inf, math.inf), (-1.0, math.inf), (-2.0, 1.5)]))
    return Mixture(weights, centres, widths, support)


SIZES = st.floats(0.02, 3.0).flatmap(lambda size: st.sampled_from([size, -size]))
COUNTS = st.sampled_from([1, 2, 5, 40])
SHIFTS = st.lists(st.tuples(SIZES, COUNTS), min_size=1, max_size=2)


def groups(shift):
    return [Group(size / math.sqrt(count), count) for size, count in shift]


@EXAMPLES
@given(mixtures(), SHIFTS)
def test_the_two_sides_enclose_something(law, shift):
    low, high = (trade_off(law, groups(shift), TOLERANCE, optimistic=side) for side in (False, True))
    assert np.all(low.left(P) <= high.left(P))
    assert low.p_star() >= max(high.p_star(), 0.5 - 1e-9)
    assert np.all(low.left(P) <= P)


@EXAMPLES
@given(mixtures(), SHIFTS)
def test_what_is_left_rises_and_is_convex(law, shift):
    """As a worst case over classifiers that can be mixed."""
    curve = trade_off(law, groups(shift), TOLERANCE)
    room = 4 * (curve.error_p + curve.error_q) + 1e-12
    left = curve.left(P)
    assert np.all(np.diff(left) >= 0)
    inner = np.linspace(curve.error_p + 1e-9, 1 - 1e-9, 200)
    left = curve.left(inner)
    slopes = np.diff(left)
    assert np.all(np.diff(slopes[left[:-1] > 0]) >= -room - 1e-6 * slopes.max())


@EXAMPLES
@given(mixtures(), SIZES)
def test_a_half_line_keeps_at_least_what_is_left(law, size):
    """{z <= t} and {z > t} are classifiers; the engine has the density only."""
    curve = trade_off(law, [Group(size, 1)], TOLERANCE)
    for t in np.linspace(-3, 3, 13):
        before, after = law.true_cdf(t), law.true_cdf(t - size)
        assert curve.left(np.array(before)) <= after + 1e-9
        assert curve.left(np.array(1 - before)) <= 1 - after + 1e-9


@EXAMPLES
@given(mixtures(), SIZES, SIZES, COUNTS)
def test_two_shifts_in_a_row_leave_no_more_than_one(law, first, second, count):
    """g_(r+s)(p) >= g_s(g_r(p)): what is left after r, seen from the shifted law, is a class again."""
    root = math.sqrt(count)
    whole = trade_off(law, [Group((first + second) / root, count)], TOLERANCE, optimistic=True)
    one, two = (trade_off(law, [Group(size / root, count)], TOLERANCE) for size in (first, second))
    assert np.all(whole.left(P) >= two.left(one.left(P)) - 1e-12)


@EXAMPLES
@given(mixtures(), SHIFTS, SIZES)
def test_one_more_coordinate_leaves_no_more(law, shift, size):
    more = trade_off(law, [*groups(shift), Group(size, 1)], TOLERANCE)
    assert np.all(more.left(P) <= trade_off(law, groups(shift), TOLERANCE, optimistic=True).left(P) + 1e-12)


@EXAMPLES
@given(mixtures(), SHIFTS)
def test_a_mirrored_law_and_shift_are_the_same(law, shift):
    weights, centres, widths = law._parts
    mirrored = Mixture(weights, -centres, widths, (-law.support[1], -law.support[0]))
    back = [Group(-group.size, group.count) for group in groups(shift)]
    low, high = trade_off(law, groups(shift), TOLERANCE), trade_off(mirrored, back, TOLERANCE, optimistic=True)
    assert np.all(low.left(P) <= high.left(P) + 1e-9)


@EXAMPLES
@given(st.sampled_from(sorted(set(laws.ALL) - {"gumbel"})), st.floats(0.02, 2.0), st.floats(1.05, 4.0), COUNTS)
def test_a_longer_shift_of_a_symmetric_unimodal_law_leaves_no_more(name, size, factor, count):
    law, root = laws.ALL[name], math.sqrt(count)
    near = trade_off(law, [Group(size / root, count)], TOLERANCE, optimistic=True)
    far = trade_off(law, [Group(factor * size / root, count)], TOLERANCE)
    assert np.all(far.left(P) <= near.left(P) + 1e-12)
