"""Exact shares of all draws: rounded outward, never further; ties are abstentions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from robustbench_rs.evaluation.certify import bound_counts, largest_attainable
from robustbench_rs.evaluation.enumeration import CERTAIN, Enumeration, predict_exactly


@pytest.mark.parametrize("total", [1, 2, 3, 16, 255, 510, 2**20])
def test_shares_are_rounded_outward_by_one_float_at_most(total: int) -> None:
    top = np.unique(np.linspace(0, total, 300).astype(np.int64))
    counts = np.stack([top, total - top, np.zeros_like(top)], axis=1)
    limits = Enumeration().limits(counts, np.zeros(len(top), dtype=np.int64), CERTAIN)
    for k, low, high in zip(top.tolist(), limits.p_lower.tolist(), limits.p_upper.tolist(), strict=True):
        assert Fraction(low) <= Fraction(k, total) <= Fraction(float(np.nextafter(np.nextafter(low, 2), 2)))
        other = Fraction(total - k, total)
        assert Fraction(float(np.nextafter(np.nextafter(high, -1), -1))) <= other <= Fraction(high)
        assert (low == 0) == (k == 0)
        assert (low == 1) == (k == total)
    assert Enumeration().budget(0.001) == {}


def test_the_best_other_class_is_the_second_limit() -> None:
    bounded = bound_counts(*[np.array([[3, 9, 4], [8, 8, 0], [5, 5, 6], [0, 0, 16]])] * 2, Enumeration(), CERTAIN)
    assert bounded.predictions.tolist() == [1, -1, 2, 2]
    assert bounded.p_lower == pytest.approx([9 / 16, 1 / 2, 6 / 16, 1.0], rel=1e-15)
    assert bounded.p_upper == pytest.approx([4 / 16, 1 / 2, 5 / 16, 0.0], rel=1e-15)
    best = largest_attainable(16, Enumeration(), CERTAIN, 3)
    assert (best.p_lower.tolist(), best.p_upper.tolist()) == ([1.0], [0.0])


def test_neighbouring_counts_are_told_apart_however_many_there_are() -> None:
    """2^20 draws, the most that a noise lists: one draw more than the other class is no tie."""
    half = 2**19
    bounded = bound_counts(*[np.array([[half, half], [half + 1, half - 1]])] * 2, Enumeration(), CERTAIN)
    assert bounded.abstained.tolist() == [True, False]


def test_predictions_are_the_top_class_unless_it_is_tied() -> None:
    found = predict_exactly(np.array([[3, 9, 4], [8, 8, 0], [5, 5, 6]]))
    assert found.predictions.tolist() == [1, -1, 2]
    assert found.abstained.tolist() == [False, True, False]
    assert found.p_value.tolist() == [0.0, 1.0, 0.0]
    assert found.correct(np.array([1, 0, 0])).tolist() == [True, False, False]
