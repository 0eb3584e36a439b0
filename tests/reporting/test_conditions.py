"""Certificates that presuppose something keep their label, and are compared with their like only."""

from __future__ import annotations

import itertools

import pytest

from robustbench_rs.api import Condition
from robustbench_rs.api.labels import conditioned, is_proved
from robustbench_rs.api.report import ENVELOPE
from robustbench_rs.plugins import load_registry
from robustbench_rs.reporting import build_report, terminal_flags, terminal_table, write_report
from robustbench_rs.reporting.levels import weakest

LABEL = "proved (inputs on the grid)"
SIXTEEN = Condition("(inputs on the grid)", "of multiples of 1/16 only")
OTHER = Condition("(inputs on the grid)", "of multiples of 1/32 only")
GRID = [0.0, 0.25, 0.5]


@pytest.fixture
def certain(measured):
    def make(radius, *, condition=SIXTEEN, n=16, **changes):
        fields = {"alpha": 0.0, "level": 0.0, "bound": "enumeration", "noise": "listed", "sigma": None}
        params = f'{{"n": {n}}}'
        return measured(
            radius,
            guarantee=[LABEL] * len(radius),
            condition=condition,
            n=n,
            noise_params=params,
            **{**fields, **changes},
        )

    return make


def kept_apart(report) -> list[str]:
    return [flag.message for flag in report.flags if flag.kind == "not comparable"]


def test_their_like_are_compared_whatever_their_number_of_draws(source, certain):
    report = build_report([source(certain([0.1, 0.3, 0.9]), certain([0.6, 0.6, 0.7], n=32))], GRID, "t")
    assert kept_apart(report) == []
    [envelope] = [row for row in report.summary if row.setting.defense == ENVELOPE]
    assert envelope.guarantee == LABEL
    assert len(report.paired) == len(GRID)
    assert report.certainty == "all"
    assert not any("probability at least 1 - alpha" in note for note in report.notes)
    assert any("deterministic" in note for note in report.notes)


def test_random_levels_with_other_numbers_of_draws_still_are_not(source, measured):
    report = build_report([source(measured([0.1]), measured([0.2], n=200, sigma=1.0))], GRID, "t")
    assert "n 200 instead of 100" in kept_apart(report)[0]
    assert report.certainty == "none"
    assert report.conditions == []


def test_plain_certificates_stay_apart(source, measured, certain):
    """Even at the same n and alpha."""
    rows = [measured([0.6, 0.7], n=16, alpha=0.0), certain([0.1, 0.9], defense="own")]
    report = build_report([source(*rows)], GRID, "t")
    [message] = kept_apart(report)
    assert "certificates (inputs on the grid) instead of without a stated condition" in message
    assert not report.paired
    assert [row for row in report.summary if row.setting.defense == ENVELOPE] == []


def test_another_grid_is_another_condition(source, certain):
    report = build_report([source(certain([0.6, 0.7]), certain([0.1, 0.9], condition=OTHER, n=32))], GRID, "t")
    [message] = kept_apart(report)
    assert (
        "another condition (inputs on the grid): of multiples of 1/32 only; instead of: of multiples of 1/16" in message
    )
    assert report.conditions == [("(inputs on the grid)", "of multiples of 1/16 only; of multiples of 1/32 only")]


def test_every_format_says_what_it_means(source, measured, certain, tmp_path):
    report = build_report([source(measured([0.6, 0.7]), certain([0.1, 0.9], defense="own"))], GRID, "t")
    assert report.certainty == "some"
    assert "of multiples of 1/16 only" in terminal_flags(report)
    assert LABEL in terminal_table(report)
    registry = load_registry()
    reporters = [registry.find("reporter", name)() for name in ("markdown", "latex", "html", "csv")]
    for path in write_report(report, reporters, tmp_path):
        text = " ".join(path.read_text("utf-8").split())
        assert LABEL in text
        if path.suffix != ".csv":
            assert "of multiples of 1/16 only" in text
            assert "deterministic" in text


def test_labels_are_ordered_by_who_vouches_for_them_and_then_by_conditions():
    ordered = [
        "proved", "searched", "estimated", LABEL, "searched (per-input noise)", "estimated (inputs on the grid)",
        "as printed", "as printed (per-input noise)", "unheard of", "unheard of (as well)",
    ]  # fmt: skip
    for strong, weak in itertools.combinations(ordered, 2):
        assert weakest([strong, weak]) == weakest([weak, strong]) == weak
    assert weakest([]) == ""


def test_a_condition_is_part_of_the_label():
    assert conditioned("proved", "") == "proved"
    assert conditioned("proved", "(x)") == "proved (x)"
    assert [is_proved(label) for label in ("proved", LABEL, "searched (proved)", "provedly", "")] == [
        True, True, False, False, False,
    ]  # fmt: skip
