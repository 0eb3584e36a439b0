"""Clopper-Pearson limits and tests of one half, against 50-digit sums and scipy where scipy is right."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binomtest

from robustbench_rs.statistics.binomial import (
    accuracy_interval,
    holm,
    largest_limit,
    lower_limit,
    mcnemar_p_value,
    top_two_p_value,
    upper_limit,
)

WORST = 1e-11


def test_limits_never_on_the_wrong_side_and_within_1e_11(accuracy: ModuleType) -> None:
    """k, n up to 1e7, the extremes first, levels down to 1e-300."""
    cases = [case for case, _ in zip(accuracy.experiments(np.random.default_rng(7)), range(150), strict=False)]
    assert max(n for _, n, _ in cases) == 10**7
    for case in cases:
        assert 0 <= accuracy.lower_error(*case) < WORST, case
        assert 0 <= accuracy.upper_error(*case) < WORST, case


def test_where_scipy_overshoots() -> None:
    """A case in which the usual formula lies above the true limit (found by exact rational arithmetic)."""
    from fractions import Fraction
    from math import comb

    k, n, alpha = 667, 1319, 5e-4
    p = Fraction(float(lower_limit(k, n, alpha)))
    tail = sum(comb(n, j) * p.numerator**j * (p.denominator - p.numerator) ** (n - j) for j in range(k, n + 1))
    assert Fraction(tail, p.denominator**n) <= Fraction(alpha)


@given(n=st.integers(1, 10**6), share=st.floats(0, 1), alpha=st.floats(1e-12, 0.999))
@settings(max_examples=200, deadline=None)
def test_agrees_with_scipy_to_its_own_precision(n: int, share: float, alpha: float) -> None:
    k = round(share * n)
    if k > 0:
        assert lower_limit(k, n, alpha) == pytest.approx(beta.ppf(alpha, k, n - k + 1), rel=1e-8, abs=1e-300)
    if k < n:
        assert upper_limit(k, n, alpha) == pytest.approx(beta.isf(alpha, k + 1, n - k), rel=1e-8)


@given(n=st.integers(1, 10**7), share=st.floats(0, 1), alpha=st.floats(1e-12, 0.5))
@settings(max_examples=100, deadline=None)
def test_monotone_and_ordered(n: int, share: float, alpha: float) -> None:
    k = min(round(share * n), n - 1)
    low, high = lower_limit([k, k + 1], n, alpha), upper_limit([k, k + 1], n, alpha)
    assert low[0] < low[1]
    assert high[0] <= high[1]
    assert 0 <= low[0] < k / n + 1e-15 or k == 0
    assert k / n < high[0] <= 1
    assert lower_limit(k, n, alpha / 2) <= low[0]


def test_edges() -> None:
    assert lower_limit(0, 10, 0.01) == 0
    assert upper_limit(10, 10, 0.01) == 1
    assert lower_limit(0, 0, 0.01) == 0
    assert upper_limit(0, 0, 0.01) == 1
    assert largest_limit(100_000, 0.001) == pytest.approx(0.001 ** (1 / 100_000), rel=1e-11)
    assert largest_limit(100_000, 0.001) <= 0.001 ** (1 / 100_000)
    assert largest_limit(1000, 0.001, runner_up=True) == lower_limit(1000, 1000, 0.0005)
    assert lower_limit(np.array([[3, 4], [5, 6]]), 10, 0.05).shape == (2, 2)
    assert lower_limit(np.array([], dtype=int), 10, 0.05).shape == (0,)


@pytest.mark.parametrize(
    ("k", "n", "alpha"), [(-1, 10, 0.1), (11, 10, 0.1), (1, 10, 0.0), (1, 10, 1.0), (1, 10, np.nan)]
)
def test_nonsense_is_refused(k: int, n: int, alpha: float) -> None:
    with pytest.raises(ValueError, match="must lie"):
        lower_limit(k, n, alpha)
    with pytest.raises(ValueError, match="must lie"):
        upper_limit(k, n, alpha)


def test_accuracy_interval_is_two_sided_clopper_pearson() -> None:
    lower, upper = accuracy_interval(np.array([0, 30, 100]), 100)
    for i, k in enumerate((0, 30, 100)):
        reference = binomtest(k, 100).proportion_ci(0.95, "exact")
        assert lower[i] == pytest.approx(reference.low, abs=1e-9)
        assert upper[i] == pytest.approx(reference.high, abs=1e-9)


@given(top=st.integers(0, 3000), second=st.integers(0, 3000))
@settings(max_examples=200, deadline=None)
def test_top_two_test_is_the_two_sided_binomial_test(top: int, second: int) -> None:
    reference = binomtest(top, top + second).pvalue if top + second else 1.0
    value = float(top_two_p_value(top, second))
    assert value == pytest.approx(reference, rel=1e-9)
    assert value == top_two_p_value(second, top)


def test_top_two_p_value_is_never_below_the_exact_one() -> None:
    from fractions import Fraction
    from math import comb

    for top, second in ((1, 0), (51, 49), (60, 40), (100, 0), (700, 300), (501, 499)):
        n = top + second
        exact = Fraction(2 * sum(comb(n, j) for j in range(top, n + 1)), 2**n)
        value = Fraction(float(top_two_p_value(top, second)))
        assert min(exact, Fraction(1)) <= value <= exact * (1 + Fraction(1, 10**11))
    with pytest.raises(ValueError, match="negative"):
        top_two_p_value(-1, 3)


def test_predict_level() -> None:
    """PREDICT at alpha = 0.001 on 100 draws answers from 67 to 33 on, and not at 66 to 34."""
    assert top_two_p_value(67, 33) < 0.001 < top_two_p_value(66, 34)


def test_mcnemar_by_hand() -> None:
    assert mcnemar_p_value(1, 9) == pytest.approx(2 * (1 + 10) / 2**10, rel=1e-11)
    assert mcnemar_p_value(np.array([0, 6]), np.array([6, 0])) == pytest.approx([2 / 2**6, 2 / 2**6])
    assert mcnemar_p_value(0, 0) == 1


def test_holm_by_hand() -> None:
    """Holm 1979: 3 x 0.01 = 0.03, 2 x 0.04 = 0.08, then the largest so far."""
    assert holm(np.array([0.04, 0.01, 0.05])) == pytest.approx([0.08, 0.03, 0.08])
    assert holm(np.array([0.9, 0.8])) == pytest.approx([1.0, 1.0])
    assert holm(np.array([])).shape == (0,)


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_only_raises_keeps_order_and_never_exceeds_bonferroni(values: list[float]) -> None:
    p = np.array(values)
    adjusted = holm(p)
    assert np.all(adjusted >= p)
    assert np.all(adjusted <= np.minimum(p * len(p), 1) + 1e-15)
    order = np.argsort(p, kind="stable")
    assert np.all(np.diff(adjusted[order]) >= 0)


@pytest.mark.parametrize("n", [12, 60, 1000])
@pytest.mark.parametrize("size", [1, 3, 40])
def test_limits_do_not_depend_on_what_stands_beside_them(n: int, size: int) -> None:
    """To the last bit: reports made in another order, or of a part of the inputs, hold the same numbers."""
    together = accuracy_interval(np.arange(n + 1), n)
    for start in range(n + 1):
        part = slice(start, start + size)
        for alone, whole in zip(accuracy_interval(np.arange(n + 1)[part], n), together, strict=True):
            assert np.array_equal(alone, whole[part])
