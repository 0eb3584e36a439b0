"""What is not comparable is flagged with the reason, and left out of paired tests and of the common envelope only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from robustbench_rs.api.report import ENVELOPE
from robustbench_rs.reporting import build_report

GRID = [0.0, 0.25]


@pytest.fixture
def pair(source, measured):
    """Two runs that are comparable."""
    return [
        source(measured([0.1, 0.3, 0.5], sigma=0.25), name="first"),
        source(measured([0.4, 0.4, 0.2], sigma=0.5), name="second"),
    ]


def changed(third, **changes):
    return replace(third, measured=[replace(m, **changes) for m in third.measured])


def flags(report, kind="not comparable"):
    return [(flag.source, flag.message) for flag in report.flags if flag.kind == kind]


def test_comparable_sources_have_no_flag(pair):
    report = build_report(pair, GRID, "t")
    assert report.flags == []
    assert {(test.first.source, test.second.source) for test in report.paired} == {("first", "second")}
    assert any(row.setting.source == "all sources" for row in report.summary if row.setting.defense == ENVELOPE)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"alpha": 0.01}, "alpha 0.01 instead of 0.001"),
        ({"n": 1000}, "n 1000 instead of 100"),
        ({"n": None}, "n unknown instead of 100"),
        ({"indices": np.array([0, 1, 3])}, "another subset"),
        ({"labels": np.array([1, 1, 0])}, "other labels at 1 of 3"),
    ],
)
def test_what_differs_is_named_and_left_out(pair, source, measured, changes, reason):
    odd = changed(source(measured([0.9, 0.9, 0.9], sigma=1.0), name="odd"), **changes)
    report = build_report([*pair, odd], GRID, "t")
    ((name, message),) = flags(report)
    assert name == "odd"
    assert reason in message
    assert all("odd" not in (test.first.source, test.second.source) for test in report.paired)
    assert any(row.setting.source == "odd" for row in report.certified_accuracy)
    assert not any(row.best for row in report.certified_accuracy if row.setting.source == "odd")
    (envelope,) = [row for row in report.summary if row.setting.defense == ENVELOPE]
    assert envelope.robustness_score == build_report(pair, GRID, "t").summary[-1].robustness_score


def test_other_content_under_the_same_name(pair, source, measured):
    pair = [changed(one, data_digest="aa") for one in pair]
    report = build_report([*pair, source(measured([0.9] * 3, data_digest="bb"), name="odd")], GRID, "t")
    ((name, message),) = flags(report)
    assert name == "odd"
    assert "other content" in message


def test_an_unknown_digest_agrees_with_any(pair, source, measured):
    pair = [changed(one, data_digest="aa") for one in pair]
    assert flags(build_report([*pair, source(measured([0.9] * 3), name="log", kind="log")], GRID, "t")) == []


def test_another_data_set(pair, source, measured):
    report = build_report([*pair, source(measured([0.9] * 3, dataset="other"), name="odd")], GRID, "t")
    ((name, message),) = flags(report)
    assert name == "odd"
    assert "data set other" in message
    assert "toy" in message
    assert len({(test.first.dataset, test.second.dataset) for test in report.paired}) == 1


def test_another_norm(pair, source, measured):
    report = build_report([*pair, source(measured([0.9] * 3, norm=1.0), name="odd")], GRID, "t")
    assert [name for name, _ in flags(report)] == ["odd"]
    assert "norm 1, where most sources have 2" in flags(report)[0][1]


def test_rows_in_another_order_are_the_same_inputs(source, measured):
    first = measured([0.1, 0.3, 0.5], [True, False, True])
    turned = replace(
        first,
        sigma=1.0,
        **{name: getattr(first, name)[::-1] for name in ("indices", "labels", "predictions", "radius")},
    )
    report = build_report([source(first, name="a"), source(turned, name="b")], GRID, "t")
    assert report.flags == []
    assert all((test.only_first, test.only_second, test.p_value) == (0, 0, 1.0) for test in report.paired)


def test_a_log_is_compared_with_every_solver_of_a_run(source, measured):
    run = source(measured([0.1, 0.2], solver="auto"), measured([0.1, 0.2], solver="other"), name="run")
    log = source(measured([0.3, 0.1], solver="as published"), name="log", kind="log")
    report = build_report([run, log], GRID, "t")
    pairs = {(test.first.solver, test.second.solver) for test in report.paired}
    assert pairs == {("auto", "as published"), ("other", "as published")}
    assert [row.setting.solver for row in report.summary if row.setting.defense == ENVELOPE] == ["auto", "other"]


def test_a_run_that_stands_alone_keeps_its_own_envelope(pair, source, measured):
    levels = [measured([0.1 * i, 0.9], sigma=0.1 * i, alpha=0.05) for i in (1, 2)]
    report = build_report([*pair, source(*levels, name="odd")], GRID, "t")
    found = [row.setting for row in report.summary if row.setting.defense == ENVELOPE]
    assert [(setting.source, setting.noise_params) for setting in found] == [
        ("odd", '{"defense":"base"}'),
        ("all sources", "{}"),
    ]
