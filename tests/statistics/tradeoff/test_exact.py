"""Shifts whose trade-off function is known: never on the unsafe side, and close."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tradeoff_laws as laws
from scipy import stats
from scipy.special import ndtr, ndtri

from robustbench_rs.statistics.tradeoff import Group, trade_off
from robustbench_rs.statistics.tradeoff.convolution import Part, total
from robustbench_rs.statistics.tradeoff.lattice import LatticeLaw

TOLERANCE = 1e-3
P = np.array([0.0, 1e-6, 0.01, 0.3, 0.5, 0.9, 0.999, 1 - 1e-9, 1.0])


def both(law, shift, tolerance=TOLERANCE):
    return trade_off(law, shift, tolerance), trade_off(law, shift, tolerance, optimistic=True)


@pytest.mark.parametrize("count", [1, 2, 64, 3072, 150528])
@pytest.mark.parametrize("total", [1e-3, 0.3, 1.0, 3.0, 4.75])
def test_gaussian_radii_are_bracketed(count, total):
    """The radius at p* is sigma Phi^-1(p*), whatever the direction."""
    low, high = both(laws.gaussian(), [Group(total / math.sqrt(count), count)])
    safe, loose = ndtri(low.p_star()), ndtri(high.p_star())
    assert total * (1 - 1e-12) <= safe <= total * (1 + TOLERANCE)
    assert total * (1 - TOLERANCE) <= loose <= total * (1 + 1e-12)
    assert low.error_p < 1e-9


@pytest.mark.parametrize("shift", [[Group(0.5, 3), Group(-0.25, 12)], [Group(1.0, 1), Group(0.05, 400)]])
def test_groups_of_a_gaussian_add_in_squares(shift):
    total = math.sqrt(sum(group.count * group.size**2 for group in shift))
    low, high = both(laws.gaussian(), shift)
    truth = ndtr(ndtri(P) - total)
    assert np.all(low.left(P) <= truth + 1e-15)
    assert np.all(high.left(P) >= truth - 1e-15)
    assert np.all(high.left(P) - low.left(P) <= 2 * TOLERANCE)
    assert ndtri(low.p_star()) == pytest.approx(total, rel=TOLERANCE)


@pytest.mark.parametrize(
    "name", ["laplace", "gaussian", "triangular", "generalized-normal-1.5", "generalized-normal-8"]
)
@pytest.mark.parametrize("size", [1e-3, 0.3, 0.7, -0.7])
def test_one_coordinate_of_a_log_concave_law_is_decided_by_a_half_line(name, size):
    law = laws.ALL[name]
    low, high = both(law, [Group(size, 1)])
    truth = float(law.cdf(np.array(abs(size))))
    assert truth - 1e-15 <= low.p_star() <= truth + 1e-6 * abs(size)
    assert truth - 1e-6 * abs(size) <= high.p_star() <= truth + 1e-15


def test_a_skewed_law_loses_differently_on_its_two_sides():
    law = laws.skewed()
    for size in (0.4, -0.4):
        tail = law.cdf if size > 0 else law.sf
        truth = float(tail(law.quantile(np.array(0.5)) + size))
        low, high = both(law, [Group(size, 1)])
        assert high.p_star() - 1e-15 <= truth <= low.p_star() + 1e-15
        assert low.p_star() - high.p_star() < 1e-6


@pytest.mark.parametrize("count", [1, 3, 64, 3072])
@pytest.mark.parametrize("kept", [0.999, 0.9, 0.6])
def test_uniform_noise_keeps_the_share_of_the_cube(count, kept):
    size = 2 * -math.expm1(math.log(kept) / count)
    low, high = both(laws.uniform(), [Group(size, count)])
    assert 1.5 - kept - 1e-10 <= high.p_star() <= 1.5 - kept <= low.p_star() <= 1.5 - kept + 1e-10
    truth = np.maximum(P - (1 - kept), 0.0)
    assert np.all(low.left(P) <= truth)
    assert np.allclose(low.left(P), truth, atol=1e-10)


def test_uniform_noise_shifted_by_its_width_leaves_nothing():
    low = trade_off(laws.uniform(), [Group(2.5, 1)], TOLERANCE)
    assert low.p_star() == 1.0
    assert low.left(np.array([0.999]))[0] == 0.0


def test_no_shift_loses_nothing():
    for shift in ([], [Group(0.0, 5)]):
        low = trade_off(laws.gaussian(), shift, TOLERANCE)
        assert low.p_star() == 0.5
        assert low.left(P).tolist() == P.tolist()


@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
def test_far_apart_everything_is_lost(beta):
    assert trade_off(laws.generalized_normal(beta), [Group(900.0, 50)], TOLERANCE).p_star() > 1 - 1e-9


def test_the_bracket_shrinks_with_the_tolerance():
    law, shift = laws.ALL["generalized-normal-1.5"], [Group(0.02, 3072)]
    gaps = []
    for tolerance in (1e-2, 1e-3, 1e-4):
        low, high = both(law, shift, tolerance)
        gaps.append(low.p_star() - high.p_star())
    assert gaps[0] > 5 * gaps[1] > 25 * gaps[2] > 0


def test_lines_support_the_curve():
    """left(p) >= kappa p + c everywhere, with equality somewhere (up to the stated errors)."""
    p = np.linspace(0, 1, 4001)
    slopes = np.linspace(-6, 6, 25)
    for name, shift in (("laplace", [Group(0.2, 30)]), ("cauchy", [Group(1.0, 2)]), ("uniform", [Group(0.2, 3)])):
        curve = trade_off(laws.ALL[name], shift, TOLERANCE)
        gap = curve.left(p) - (np.exp(slopes)[:, np.newaxis] * p + curve.intercepts(slopes)[:, np.newaxis])
        assert np.all(gap >= -1e-9)
        assert np.all(gap.min(axis=1) < 0.02)


def test_binomial_losses_lie_within_the_stated_error():
    """A loss of two values: the total is binomial, and scipy's binomial law is the oracle of the convolution."""
    for count in (1, 7, 127, 128, 5000):
        step = 0.3 / math.sqrt(count)
        up = 1 / (1 + math.exp(step))
        law = LatticeLaw(step, -1, np.array([1 - up, 0, up]), np.array([up, 0, 1 - up]), 0.0, 0.0, 0.0)
        sums = total([Part(law, count)])
        ups = np.floor((np.rint(sums.losses / step) + count) / 2)
        for mass, share, error in ((sums.below_p, up, sums.error_p), (sums.below_q, 1 - up, sums.error_q)):
            assert np.max(np.abs(mass - stats.binom.cdf(ups, count, share))) <= error < 1e-10
