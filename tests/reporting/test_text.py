"""The table on the terminal."""

from __future__ import annotations

import numpy as np
import pytest

from robustbench_rs.api.report import Flag
from robustbench_rs.reporting import build_report, terminal_flags, terminal_table
from robustbench_rs.results import Uncertified


def test_a_small_table_to_the_letter(source, measured):
    levels = [measured([0.2, 0.12345], sigma=0.25), measured([0.9, 0.0], [True, False], sigma=0.5)]
    table = terminal_table(build_report([source(*levels)], [0.0, 0.1, 0.5], "t"))
    assert table.splitlines() == [
        "toy, norm 2: certified accuracy at radius r (2 inputs)",
        "r =                 0   0.1   0.5   ACR    abstain  guarantee",
        "base \u03c3=0.25      1.00* 1.00* .000   0.161  .000     proved",
        "base \u03c3=0.5       .500  .500  .500*  0.450  .000     proved",
        "envelope of base 1.00  1.00  .500                   proved",
        "",
        "* best comparable value at this radius",
        "envelope: best noise level at each radius, post hoc",
    ]


@pytest.mark.parametrize("points", [1, 2, 7, 31, 500])
@pytest.mark.parametrize("name", ["x", "a_rather_long_name_of_a_defense_that_goes_on_and_on_for_far_too_long"])
def test_it_fits_100_columns_and_says_what_it_leaves_out(source, measured, points, name):
    grid = np.linspace(0, 3, points)
    rng = np.random.default_rng(1)
    sources = [
        source(measured(rng.exponential(1, 20), defense=f"{name}{i}", n=100_000), name=f"{name} source {i}")
        for i in range(3)
    ]
    table = terminal_table(build_report(sources, grid, "t"))
    assert max(map(len, table.splitlines())) <= 100
    shown = len(table.splitlines()[1].split()) - 5
    assert (f"{shown} of {points} radii shown" in table) == (shown < points)
    assert shown >= min(points, 5)


def test_the_seven_radii_of_the_published_table_fit_beside_a_logs_name(source, measured):
    name = "cifar10_noise_0.12_sigma_0.12"
    log = source(measured([0.1, 0.4], defense=name, guarantee=["as printed"] * 2), name=name, kind="log")
    table = terminal_table(build_report([log], [0.25 * i for i in range(7)], "t"))
    assert name in table
    assert "shown" not in table
    assert "may be rounded up" in table


def test_a_radius_in_the_header_is_rounded_down(source, measured):
    table = terminal_table(build_report([source(measured([0.5]))], [8 / 255], "t"))
    assert " 0.0313 " in table


def test_defenses_without_noise_have_a_block_of_their_own(source, measured):
    plain = Uncertified("plain", "toy", np.array([True]))
    table = terminal_table(build_report([source(measured([0.1]), uncertified=(plain,))], [0.0], "t"))
    assert "toy, no certificates" in table
    assert "plain" in table


def test_flags_are_short_and_what_many_share_stands_once(source, measured):
    shared = [Flag(f"log{n}", "assumed", "alpha 0.001") for n in (100, 1000)]
    sources = [
        source(measured([9.0] * 99, n=n), name=f"log{n}", kind="log", flags=[flag])
        for n, flag in zip((100, 1000), shared, strict=True)
    ]
    lines = terminal_flags(build_report(sources, [0.0], "t")).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[-1] == "assumed: 2 sources: alpha 0.001"
    assert [line.split(": ")[:2] for line in lines if not line.startswith(" ")] == [
        ["not comparable", "log1000"],
        ["impossible radii", "log100"],
        ["impossible radii", "log1000"],
        ["assumed", "2 sources"],
    ]
    assert len(lines) <= 3 * 3 + 1
    assert any(line.endswith(" \u2026") for line in lines)
