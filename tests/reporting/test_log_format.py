"""Logs that others read: radii never rounded up, and read back without loss of what they say."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from robustbench_rs.api.log_format import round_down_significant
from robustbench_rs.reporting import log_text, read_logs


@given(st.floats(0, 1e6, allow_subnormal=True), st.integers(1, 12))
def test_printing_never_rounds_up(value, digits):
    text = round_down_significant(value, digits)
    assert Decimal(text) <= Decimal(value)
    assert float(text) <= value
    assert float(text) >= value * (1 - 10.0 ** (1 - digits)) - 5e-324


def test_the_classic_example():
    assert round_down_significant(1.2351, 3) == "1.23"
    assert round_down_significant(0.25) == "0.25"
    assert round_down_significant(1.0) == "1.0"
    assert round_down_significant(0.0) == "0.0"
    assert round_down_significant(1.29129e-5) == "0.0000129128"  # the float is just below the decimal


def test_the_text_of_a_log(measured):
    level = measured(
        [1.2351, 0.7, 0.0],
        [True, False, True],
        abstained=np.array([False, False, True]),
        predictions=np.array([1, 0, -1]),
        indices=np.array([0, 20, 40]),
        seconds_per_input=np.array([15.5, 3661.25, 1.0]),
    )
    assert log_text(level).splitlines() == [
        "idx\tlabel\tpredict\tradius\tcorrect\ttime",
        "0\t1\t1\t1.2351\t1\t0:00:15.500000",
        "20\t1\t0\t0.699999\t0\t1:01:01.250000",
        "40\t1\t-1\t0.0\t0\t0:00:01",
    ]


@given(st.lists(st.tuples(st.floats(1e-9, 10), st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_round_trip(measured, tmp_path_factory, rows):
    radius, right, abstained = (np.array(column) for column in zip(*rows, strict=True))
    radius = np.where(abstained, 0.0, radius)
    predictions = np.where(abstained, -1, right.astype(int))
    level = measured(radius, right, abstained=abstained, predictions=predictions)
    path = tmp_path_factory.mktemp("log") / "x.tsv"
    path.write_text(log_text(level))
    (source,) = read_logs([path])
    (read,) = source.measured
    np.testing.assert_array_equal(read.abstained, level.abstained)
    np.testing.assert_array_equal(read.predictions, predictions)
    np.testing.assert_array_equal(read.correct, level.correct)
    assert (read.radius <= level.radius).all()
    np.testing.assert_allclose(read.radius, level.radius, rtol=1e-5)
    assert read.seconds is None
