"""The definitions of the contract, on results that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from robustbench_rs.errors import InputError, RunError
from robustbench_rs.reporting import build_report
from robustbench_rs.results import Uncertified


@pytest.fixture
def four(measured):
    """Correct at 0.5, correct at 0.25, wrong at 0.9, abstained."""
    return measured(
        [0.5, 0.25, 0.9, 0.0],
        correct=[True, True, False, True],
        abstained=np.array([False, False, False, True]),
        predictions=np.array([1, 1, 0, -1]),
        clean_correct=np.array([True, True, True, False]),
        max_radius=1.25,
        samples=440,
        seconds=2.5,
    )


def test_certified_accuracy_counts_all_inputs_and_includes_the_radius_itself(source, four):
    report = build_report([source(four)], [0.0, 0.25, np.nextafter(0.25, 1), 0.5, 0.9], "t")
    assert [row.certified_accuracy for row in report.certified_accuracy] == [0.5, 0.5, 0.25, 0.25, 0.0]
    assert {row.n_inputs for row in report.certified_accuracy} == {4}


def test_the_interval_is_clopper_pearson_over_the_inputs(source, four):
    row = build_report([source(four)], [0.0], "t").certified_accuracy[0]
    assert row.lower == pytest.approx(beta.ppf(0.025, 2, 3), rel=1e-9)
    assert row.upper == pytest.approx(beta.ppf(0.975, 3, 2), rel=1e-9)


def test_summary(source, four):
    summary = build_report([source(four)], [0.0], "t").summary[0]
    assert summary.acr == (0.5 + 0.25) / 4
    assert (summary.clean_accuracy, summary.smoothed_accuracy, summary.abstention_rate) == (0.75, 0.5, 0.25)
    assert (summary.max_radius, summary.samples, summary.seconds) == (1.25, 440, 2.5)
    assert summary.robustness_score is None


def test_a_measured_smoothed_accuracy_is_used_as_it_is(source, measured):
    report = build_report([source(measured([0.1, 0.2], smoothed_accuracy=0.75))], [0.0], "t")
    assert report.summary[0].smoothed_accuracy == 0.75


def test_certificates_say_abstained_and_never_minus_one(source, four):
    rows = build_report([source(four)], [0.0], "t").certificates
    assert [(row.prediction, row.abstained, row.correct) for row in rows] == [
        (1, False, True),
        (1, False, True),
        (0, False, False),
        (None, True, False),
    ]


def test_the_guarantee_is_the_weakest_of_the_radii_counted(source, measured):
    level = measured(
        [0.2, 0.4, 0.6, 0.8],
        correct=[True, True, True, False],
        guarantee=["estimated", "searched", "proved", "estimated"],
    )
    report = build_report([source(level)], [0.0, 0.3, 0.5, 0.7], "t")
    # At 0.7 nothing is counted: the label of the whole level stands for it.
    assert [row.guarantee for row in report.certified_accuracy] == ["estimated", "searched", "proved", "estimated"]
    assert report.summary[0].guarantee == "estimated"


def test_a_label_that_is_not_known_counts_as_weakest(source, measured):
    report = build_report([source(measured([0.1, 0.2], guarantee=["estimated", "guessed"]))], [0.0, 0.15], "t")
    assert [row.guarantee for row in report.certified_accuracy] == ["guessed", "guessed"]


def test_best_marks_the_highest_value_and_all_that_tie(source, measured):
    first = measured([0.1, 0.2, 0.9], sigma=0.25)
    second = measured([0.5, 0.5, 0.5], correct=[True, True, False], sigma=0.5)
    rows = build_report([source(first, second)], [0.0, 0.15, 0.3, 0.7, 1.0], "t").certified_accuracy
    marks = {sigma: [row.best for row in rows if row.setting.sigma == sigma] for sigma in (0.25, 0.5, None)}
    assert marks[0.25] == [True, True, False, True, False]
    assert marks[0.5] == [False, True, True, False, False]
    assert not any(marks[None])


def test_a_single_row_is_not_marked(source, four):
    assert not any(row.best for row in build_report([source(four)], [0.0], "t").certified_accuracy)


def test_uncertified_defenses_stand_in_the_summary_only(source, four):
    plain = Uncertified("plain", "toy", np.array([True, True, True, False]))
    report = build_report([source(four, uncertified=(plain,))], [0.0], "t")
    assert {row.setting.defense for row in report.certified_accuracy} == {"base"}
    assert {curve.setting.defense for curve in report.curves} == {"base"}
    row = next(row for row in report.summary if row.setting.defense == "plain")
    assert (row.clean_accuracy, row.acr, row.guarantee, row.setting.norm) == (0.75, None, "", "")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1])
def test_a_radius_that_is_no_radius_names_its_input(source, measured, bad):
    with pytest.raises(RunError, match="input 1"):
        build_report([source(measured([0.1, bad]))], [0.0], "t")


def test_sources_need_different_names(source, four):
    with pytest.raises(InputError, match="'run'"):
        build_report([source(four), source(four)], [0.0], "t")


def test_nothing_to_report(source, measured):
    with pytest.raises(InputError):
        build_report([], [0.0], "t")
    with pytest.raises(InputError, match="no inputs"):
        build_report([source(measured([]))], [0.0], "t")


def test_what_the_sources_say_is_handed_on(source, four):
    run = source(four, protocol=(("n", "100"),), environment=(("torch", "2"),), notes=("a note",))
    report = build_report([run], [0.0], "A title")
    assert report.protocol == {"run": (("n", "100"),)}
    assert report.environment == {"run": (("torch", "2"),)}
    assert "a note" in report.notes
    assert report.simultaneous is False
    assert any("per input" in note for note in report.notes)
