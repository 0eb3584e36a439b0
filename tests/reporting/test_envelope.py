"""The best-of envelope and the robustness score."""

from __future__ import annotations

import numpy as np
import pytest

from robustbench_rs.api.report import ENVELOPE
from robustbench_rs.reporting import build_report

GRID = [0.0, 0.15, 0.3, 0.5, 0.7]


def envelopes(report):
    return [row for row in report.summary if row.setting.defense == ENVELOPE]


def test_it_takes_the_best_level_at_each_radius_and_says_post_hoc(source, measured):
    small, large = measured([0.1, 0.2, 0.2], sigma=0.25), measured([0.6, 0.6, 0.0], [True, True, False], sigma=0.5)
    report = build_report([source(small, large)], GRID, "t")
    rows = [row for row in report.certified_accuracy if row.setting.defense == ENVELOPE]
    assert [row.certified_accuracy for row in rows] == [1.0, 2 / 3, 2 / 3, 2 / 3, 0.0]
    assert any("post hoc" in note for note in report.notes)
    (summary,) = envelopes(report)
    assert (summary.setting.source, summary.setting.noise, summary.setting.sigma) == ("run", "gaussian", None)
    assert (summary.acr, summary.samples) == (None, None)


def test_the_robustness_score_is_the_area_under_it(source, measured):
    rng = np.random.default_rng(5)
    levels = [measured(rng.exponential(sigma, 50), rng.random(50) < 0.8, sigma=sigma) for sigma in (0.25, 0.5, 1.0)]
    (summary,) = envelopes(build_report([source(*levels)], GRID, "t"))
    fine = np.linspace(0, 10, 200_001)
    best = np.max([[np.mean(m.correct & (m.radius >= r)) for r in fine[::100]] for m in levels], axis=0)
    assert summary.robustness_score == pytest.approx(np.trapezoid(best, fine[::100]), abs=5e-3)


def test_of_one_level_the_area_under_the_curve_is_its_acr(source, measured):
    twice = measured([0.3, 0.1, 0.7], [True, False, True], sigma=0.25)
    again = measured([0.3, 0.1, 0.7], [True, False, True], sigma=0.5)
    report = build_report([source(twice, again)], GRID, "t")
    assert envelopes(report)[0].robustness_score == pytest.approx(report.summary[0].acr, rel=1e-12)


def test_each_defense_has_its_own_and_all_have_a_common_one(source, measured):
    levels = [measured([0.1 * (i + 1)] * 2, defense=name, sigma=0.25 * (i + 1)) for name in "ab" for i in range(2)]
    found = envelopes(build_report([source(*levels)], GRID, "t"))
    assert [row.setting.noise_params for row in found] == ['{"defense":"a"}', '{"defense":"b"}', "{}"]
    assert [row.setting.label for row in found] == ["envelope of a", "envelope of b", "envelope"]
    assert len({row.setting for row in found}) == 3


def test_norms_solvers_and_data_sets_are_not_mixed(source, measured):
    levels = [
        measured([0.1, 0.2], sigma=sigma, norm=norm, solver=solver)
        for norm in (1.0, 2.0)
        for solver in ("auto", "other")
        for sigma in (0.25, 0.5)
    ]
    found = envelopes(build_report([source(*levels)], GRID, "t"))
    assert {(row.setting.norm, row.setting.solver) for row in found} == {
        (norm, solver) for norm in "12" for solver in ("auto", "other")
    }


def test_a_single_level_has_none(source, measured):
    assert envelopes(build_report([source(measured([0.1]))], GRID, "t")) == []


def test_its_guarantee_is_that_of_the_level_chosen(source, measured):
    proved = measured([0.2, 0.2], sigma=0.25)
    searched = measured([0.6, 0.1], [True, False], sigma=0.5, guarantee=["searched"] * 2)
    report = build_report([source(proved, searched)], [0.0, 0.5], "t")
    rows = [row for row in report.certified_accuracy if row.setting.defense == ENVELOPE]
    assert [row.guarantee for row in rows] == ["proved", "searched"]
