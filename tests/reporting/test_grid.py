"""Radius grids."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustbench_rs.errors import InputError
from robustbench_rs.reporting import default_grid, parse_grid


def test_grids_are_exact_decimal_multiples():
    assert parse_grid("0:0.5:0.1") == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    assert parse_grid("0.25:1.6:0.25") == (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
    assert parse_grid("1:1:5") == (1.0,)
    assert parse_grid(" 0 : 1e-1 : 5e-2 ") == (0.0, 0.05, 0.1)


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 100), st.integers(0, 4))
def test_every_radius_is_the_float_nearest_to_its_decimal(start, length, step, places):
    unit = Decimal(1).scaleb(-places)
    grid = parse_grid(f"{start * unit}:{(start + length) * unit}:{step * unit}")
    assert grid == tuple(float((start + i) * unit) for i in range(0, length + 1, step))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "0:1",
        "0:1:0.1:2",
        "a:1:0.1",
        "-1:1:0.1",
        "1:0:0.1",
        "0:1:0",
        "0:1:-1",
        "nan:1:1",
        "0:inf:1",
        "0:1e9:1",
        "::",
    ],
)
def test_bad_grids_are_one_clear_message(text):
    with pytest.raises(InputError, match="--radii"):
        parse_grid(text)


@given(st.floats(1e-6, 1e4))
def test_the_default_grid_is_short_round_and_within_the_radii(measured, source, largest):
    grid = default_grid([source(measured([largest, 0.0]))])
    assert 4 <= len(grid) <= 10
    assert grid[0] == 0
    assert grid[-1] <= largest
    assert all(len(Decimal(repr(radius)).normalize().as_tuple().digits) <= 3 for radius in grid)


def test_the_default_grid_of_nothing_certified(measured, source):
    assert default_grid([source(measured([0.5], [False]))]) == (0.0,)
    assert default_grid([source(measured(np.zeros(3)))]) == (0.0,)
