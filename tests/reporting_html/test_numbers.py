"""Text of numbers: no radius up, no p-value down, limits outward, bins closed below."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustbench_rs_plugins.reporters.page import numbers
from robustbench_rs_plugins.reporters.page.chart import floor_to
from robustbench_rs_plugins.reporters.page.histogram import bin_edges

radii = st.floats(min_value=0, max_value=1e6, allow_nan=False)


@given(radii)
def test_no_radius_is_shown_above_itself(value: float) -> None:
    shown = Decimal(numbers.radius(value))
    assert shown <= Decimal(value)
    assert Decimal(value) - shown <= Decimal(value) / 100 + Decimal("1e-12")


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.2351, "1.235"), (0.9999999, "0.999"), (0.0031234, "0.00312"), (0.0, "0.000"), (None, "\u2013")],
)
def test_radius(value: float | None, text: str) -> None:
    assert numbers.radius(value) == text


@given(st.floats(min_value=0, max_value=1), st.floats(min_value=0, max_value=1))
def test_intervals_round_outward(a: float, b: float) -> None:
    lower, upper = min(a, b), max(a, b)
    low, high = (Decimal(text) for text in numbers.interval(lower, upper).strip("[]").split(", "))
    assert low <= Decimal(lower)
    assert high >= Decimal(upper)


@given(st.floats(min_value=1e-300, max_value=1))
def test_no_p_value_is_shown_below_itself(value: float) -> None:
    assert Decimal(numbers.p_value(value)) >= Decimal(value)


@given(radii)
def test_a_threshold_is_not_shown_above_itself(value: float) -> None:
    assert float(numbers.threshold(value)) <= value


def test_a_threshold_is_short_where_it_can_be() -> None:
    assert [numbers.threshold(r) for r in (0.0, 0.25, 0.1 + 0.2)] == ["0", "0.25", "0.3"]


@given(st.lists(st.floats(min_value=0, max_value=100), max_size=20), st.sampled_from([3, 5, 7]))
def test_chart_values_are_floored(values: list[float], digits: int) -> None:
    floored = floor_to(np.array(values), digits)
    assert (floored <= np.array(values)).all()
    assert (np.array(values) - floored <= 1.01 * 10.0**-digits).all()


@given(st.floats(min_value=1e-6, max_value=1e4))
def test_bins_reach_past_the_largest_radius(largest: float) -> None:
    edges = bin_edges(largest)
    assert edges[0] == 0
    assert float(edges[-2]) <= largest < float(edges[-1])
    assert 6 <= len(edges) - 1 <= 30


def test_norm_labels() -> None:
    assert [numbers.norm_label(norm) for norm in ("1", "2", "inf")] == ["\u2113₁", "\u2113₂", "\u2113∞"]


def test_an_infinite_radius_is_said_to_be_one() -> None:
    assert numbers.radius(math.inf) == "inf"
