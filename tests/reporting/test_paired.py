"""Exact McNemar tests and Holm's correction, against scipy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from robustbench_rs.reporting import build_report
from robustbench_rs.reporting.paired import MAX_RADII


@pytest.fixture
def random_pair(source, measured):
    rng = np.random.default_rng(11)
    return [
        source(measured(rng.exponential(0.5, 200), rng.random(200) < share), name=name)
        for name, share in (("a", 0.9), ("b", 0.7), ("c", 0.7))
    ]


def certified(one, radius):
    m = one.measured[0]
    return m.correct & (m.radius >= radius)


def test_p_values_are_those_of_the_binomial_test(random_pair):
    report = build_report(random_pair, [0.0, 0.3, 5.0, 99.0], "t")
    by_name = {one.name: one for one in random_pair}
    assert len(report.paired) == 3 * 4
    for test in report.paired:
        first, second = (
            certified(by_name[test.first.source], test.radius),
            certified(by_name[test.second.source], test.radius),
        )
        b, c = int(np.sum(first & ~second)), int(np.sum(second & ~first))
        assert (test.only_first, test.only_second, test.n_inputs) == (b, c, 200)
        expected = binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
        assert test.p_value == pytest.approx(expected, rel=1e-9)


def test_holm_over_all_tests_of_the_report(random_pair):
    tests = sorted(build_report(random_pair, [0.0, 0.3, 1.0], "t").paired, key=lambda test: test.p_value)
    worst = 0.0
    for rank, test in enumerate(tests):
        worst = max(worst, min(1.0, (len(tests) - rank) * test.p_value))
        assert test.p_adjusted == pytest.approx(worst, rel=1e-12)
    assert tests[0].p_adjusted > tests[0].p_value


def test_a_fine_grid_is_tested_at_a_few_radii_and_says_so(random_pair):
    grid = np.linspace(0, 2, 201)
    report = build_report(random_pair, grid, "t")
    radii = sorted({test.radius for test in report.paired})
    assert len(radii) == MAX_RADII
    assert (radii[0], radii[-1]) == (0.0, 2.0)
    assert any(f"at {MAX_RADII} radii" in note for note in report.notes)


def test_solvers_of_one_run_are_not_tested_against_each_other(source, measured):
    run = source(measured([0.1, 0.2], solver="auto"), measured([0.1, 0.1], solver="other"))
    assert build_report([run], [0.0], "t").paired == []
