"""The lattice of attainable radii, against its enumeration by other code."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, norm

from robustbench_rs.api.log_format import round_down_significant
from robustbench_rs.reporting import build_report
from robustbench_rs.reporting.attainable import attainable, largest_radius

SIGMA = 0.5


def lattice(n, alpha, sigma=SIGMA):
    """Every radius that n draws can give, by scipy's beta quantile."""
    k = np.arange(1, n + 1)
    limits = beta.ppf(alpha, k, n - k + 1)
    return sigma * norm.ppf(limits[limits > 0.5])


@pytest.mark.parametrize(("n", "alpha"), [(100, 0.001), (1000, 0.001), (1000, 0.05), (10_000, 1e-5)])
def test_printed_radii_are_attainable_exactly_when_some_count_prints_them(n, alpha):
    possible = lattice(n, alpha)
    printed = {f"{radius:.3}" for radius in possible}
    every = sorted({f"{number * 10.0**power:.3}" for number in range(100, 1000) for power in range(-9, -1)}, key=float)
    every = [text for text in every if float(text) < 1.3 * possible.max()]
    found = attainable(np.array([float(text) for text in every]), SIGMA, n, alpha)
    assert {text for text, fits in zip(every, found, strict=True) if fits} == {f"{float(t):.3}" for t in printed}
    assert 0 < found.sum() < len(found)


@pytest.mark.parametrize("digits", [3, 6, 17])
def test_radii_rounded_down_are_attainable(digits):
    radii = lattice(2000, 0.001)
    if digits == 3:
        texts = [f"{radius:.3}" for radius in radii]
    elif digits == 6:
        texts = [round_down_significant(radius) for radius in radii]
    else:
        texts = [repr(float(radius)) for radius in radii]
    assert attainable(np.array([float(text) for text in texts]), SIGMA, 2000, 0.001).all()


def test_between_the_points_of_the_lattice_nothing_is_attainable():
    radii = lattice(1000, 0.001)
    between = (radii[:-1] + radii[1:]) / 2
    assert not attainable(np.round(between, 9), SIGMA, 1000, 0.001).any()


def test_the_largest_radius():
    assert largest_radius("gaussian", 2.0, SIGMA, 1000, 0.001) == pytest.approx(lattice(1000, 0.001).max(), rel=1e-10)
    assert largest_radius("gaussian", 2.0, SIGMA, 1000, 0.001) <= SIGMA * norm.ppf(0.001**0.001)
    assert largest_radius("gaussian", 2.0, SIGMA, 5, 0.001) == 0.0
    assert largest_radius("laplace", 2.0, SIGMA, 1000, 0.001) is None
    assert largest_radius("gaussian", 2.0, None, 1000, 0.001) is None


def log_with(source, measured, radii, **changes):
    return source(measured(radii, sigma=SIGMA, n=1000, **changes), name="log", kind="log")


def test_impossible_radii_are_named_with_index_and_an_alpha_that_fits(source, measured):
    radii = [float(f"{radius:.3}") for radius in lattice(1000, 0.01)[-5:]]
    (flag,) = build_report([log_with(source, measured, radii, indices=np.arange(5) * 20)], [0.0], "t").flags
    assert (flag.source, flag.kind) == ("log", "impossible radii")
    assert f"{radii[-1]} (index 80)" in flag.message
    assert "n = 1000, alpha = 0.001, sigma = 0.5" in flag.message
    assert "All radii fit alpha = 0.01." in flag.message


def test_no_usual_alpha_fits(source, measured):
    (flag,) = build_report([log_with(source, measured, [99.0])], [0.0], "t").flags
    assert "None of the usual values of alpha fits" in flag.message


def test_many_impossible_radii_are_counted_after_the_first_two_hundred(source, measured):
    (flag,) = build_report([log_with(source, measured, [99.0] * 500)], [0.0], "t").flags
    assert "500 of 500" in flag.message
    assert "and 300 more" in flag.message


@pytest.mark.parametrize("changes", [{"noise": "laplace"}, {"norm": np.inf}, {"alpha": None}, {"n": None}])
def test_what_has_no_known_lattice_is_not_judged(source, measured, changes):
    log = source(measured([99.0], **changes), name="log", kind="log")
    assert build_report([log], [0.0], "t").flags == []


def test_abstentions_and_runs_are_not_judged(source, measured):
    abstained = {"abstained": np.array([True]), "predictions": np.array([-1])}
    assert build_report([log_with(source, measured, [0.0], **abstained)], [0.0], "t").flags == []
    assert build_report([source(measured([99.0]))], [0.0], "t").flags == []
