"""The sound one-shift bound of unicr: never above the truth except as often as its alpha allows."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import binom

from robustbench_rs.api import NoiseParams
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.solvers.unicr import UnicrParams, UnicrSolver
from robustbench_rs_plugins.solvers.unicr.measuring import LADDER, Ball
from robustbench_rs_plugins.solvers.unicr.power import Power
from robustbench_rs_plugins.solvers.unicr.ratios import Ratios
from robustbench_rs_plugins.solvers.unicr.sound import confirmed_margin, log_kappas, lower_mean

FALSE_ALARM = 1e-7
UNIT = NoiseParams(sigma=1.0)


class Recording(Gaussian):
    """Keeps what it drew."""

    name = "recording"
    drawn: ClassVar[list[np.ndarray]] = []

    def draws(self, count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
        self.drawn.append(super().draws(count, dim, rng))
        return self.drawn[-1]


def test_empirical_bernstein_by_hand() -> None:
    """Maurer and Pontil 2009, Theorem 4, for n = 4, mean 1/2, sample variance 1/3, delta = 2 / e."""
    values = np.array([[0.0, 1.0, 0.0, 1.0]])
    assert lower_mean(values, 2 / math.e) == pytest.approx([0.5 - math.sqrt(2 / 3 / 4) - 7 / 9], rel=1e-12)


@pytest.mark.parametrize("p", [0.02, 0.5, 0.97])
def test_empirical_bernstein_covers_exactly(p: float) -> None:
    """All outcomes of 60 coin flips: the limit is above p with probability at most delta, and not always far below."""
    heads = np.arange(61)
    values = (np.arange(60) < heads[:, np.newaxis]).astype(np.float64)
    for delta in (0.3, 0.05):
        limits = np.array([lower_mean(row[np.newaxis], delta)[0] for row in values])
        assert binom.pmf(heads, 60, p)[limits > p].sum() <= delta
        assert limits[60] > 0.6


@pytest.mark.parametrize(("p_lower", "p_upper"), [(0.9, 0.1), (0.6, 0.2)])
def test_margin_of_one_shift(p_lower: float, p_upper: float) -> None:
    """At kappa = the Neyman-Pearson thresholds the bound is tight: with n = 10^6 draws it reaches the exact margin of a
    Gaussian shift s, Phi(Phi^-1(pA) - s) - Phi(Phi^-1(pB) + s), up to its slack of at most 0.02, and stays below it."""
    shift, top, other = 0.5, np.array([p_lower]), np.array([p_upper])
    exact = ndtr(ndtri(p_lower) - shift) - ndtr(ndtri(p_upper) + shift)
    # ln r(z) = shift z - shift^2 / 2 at the quantiles where the regions end.
    log_kappa = np.array([[shift * ndtri(p_lower)], [shift * ndtri(1 - p_upper)]]) - shift**2 / 2
    under_q = shift * np.random.default_rng(1).standard_normal(1_000_000) + shift**2 / 2
    margin = confirmed_margin(under_q, log_kappa, top, other, 1e-9)[0]
    assert exact - 0.02 < margin < exact
    for wrong in (-1.0, 1.0):
        assert confirmed_margin(under_q, log_kappa + wrong, top, other, 1e-9)[0] < margin


def test_kappas_are_the_estimated_thresholds() -> None:
    """For one class against the rest the two are one number, and so one event: no halved level."""
    under_p, under_q = Ratios(Gaussian(UNIT), 20_000, (0,)).of(np.array([0.5]))
    power = Power.of(under_p, under_q)
    kappas = log_kappas(power, np.array([0.9, 0.6]), 1 - np.array([0.9, 0.6]))
    assert kappas[0].tolist() == kappas[1].tolist()
    # Six standard errors of a quantile of 20,000 draws are about 0.06.
    assert kappas[0] == pytest.approx(0.5 * ndtri([0.9, 0.6]) - 0.125, abs=0.05)
    both = log_kappas(power, np.array([0.6]), np.array([0.2]))
    assert both[1] > both[0]
    one = confirmed_margin(under_q, both[[0, 0]], np.array([0.6]), np.array([0.4]), 0.05)
    halved = confirmed_margin(under_q, both[[0, 0]], np.array([0.6]), np.array([0.4]), 0.025)
    split = confirmed_margin(under_q, both[[0, 0]] + [[0.0], [1e-12]], np.array([0.6]), np.array([0.4]), 0.05)
    assert one > halved == pytest.approx(split, abs=1e-9)


@pytest.mark.parametrize(
    ("noise", "p_lower", "p_upper"), [(Gaussian, 0.9, 0.1), (Laplace, 0.9, 0.1), (Gaussian, 0.7, 0.1)]
)
def test_never_above_the_truth(noise: type[Gaussian], p_lower: float, p_upper: float) -> None:
    """200 independent seeds at alpha = 0.05, one coordinate: a sound bound has more failures than the test allows with
    probability below 1e-7. Estimates from as many draws are above the truth about every second time, and fail it."""
    law, limits = noise(UNIT), (np.array([p_lower]), np.array([p_upper]))
    form = law.closed_form(1.0, 1)
    assert form is not None
    truth = form.radius(*limits)[0] * (1 + 1e-9)
    above = {False: 0, True: 0}
    radii = []
    for seed in range(200):
        params = UnicrParams(draws=400, seed=seed, alpha=0.05, tolerance=0.01)
        ball = Ball(law, 1.0, params, [np.array([1.0])], *limits)
        radii.append(ball.lattice.scale(ball.confirmed(scan=False))[0])
        above[True] += radii[-1] > truth
        above[False] += ball.lattice.scale(ball.estimated(scan=False))[0] > truth
    assert above[True] <= binom.isf(FALSE_ALARM, 200, 0.05)
    assert above[False] > binom.isf(FALSE_ALARM, 200, 0.05)
    assert np.median(radii) > 0.6 * truth


def test_the_bound_uses_fresh_draws() -> None:
    """What confirms a shift was drawn neither for the search nor for the choice of scale and kappa."""
    Recording.drawn.clear()
    params = UnicrParams(draws=300, pilot=100, tolerance=0.05)
    ball = Ball(Recording(UNIT), 2.0, params, [np.array([0.6, 0.8])], np.array([0.9]), np.array([0.1]))
    ball.lattice.largest(ball._everywhere(ball._plan), 1)
    planned = {value for drawn in Recording.drawn for value in drawn.ravel().tolist()}
    Recording.drawn.clear()
    ball._confirmed(np.array([0.1, 0.1]), np.array([0]))
    fresh = [value for drawn in Recording.drawn for value in drawn.ravel().tolist()]
    assert len(fresh) == 600
    assert planned.isdisjoint(fresh)


def test_scales_are_tested_from_the_smallest_up_to_the_first_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Going on after a failure, or starting from the largest, would need shares of alpha that are not set aside."""
    params = UnicrParams(draws=300, pilot=100)
    ball = Ball(Gaussian(UNIT), 2.0, params, [np.array([1.0]), np.array([-1.0])], np.array([0.9]), np.array([0.1]))
    asked: list[float] = []

    def confirmed(shift: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        asked.append(float(shift[0]))
        return np.full(len(inputs), 1.0 if len(asked) != 6 else -1.0)

    monkeypatch.setattr(ball, "_confirmed", confirmed)
    index = ball.confirmed(scan=False)
    sizes = np.abs(asked)
    # Two directions for each scale; the sixth question, the third scale in the second direction, fails.
    assert len(asked) == 6
    assert np.all(np.diff(sizes[::2]) > 0)
    assert ball.lattice.scale(index)[0] == pytest.approx(sizes[2], rel=1e-12)
    assert list(LADDER) == sorted(LADDER, reverse=True)


def test_alpha_is_divided_among_the_directions() -> None:
    """And the report says so: which probability, of what, per input."""
    params = UnicrParams(draws=300, pilot=100, sound=True, alpha=0.003)
    ball = Ball(Gaussian(UNIT), 2.0, params, list(np.eye(3)), np.array([0.9]), np.array([0.1]))
    assert ball._delta == pytest.approx(0.001)
    radii = UnicrSolver(params).radii(Gaussian(UNIT), 2.0, 3, np.array([0.9]), np.array([0.1]))
    assert radii.guarantee == "estimated"
    assert radii.details["alpha"] == 0.003
    meaning = str(radii.details["meaning"])
    for part in (
        "directions tried",
        "0.003 per input",
        "besides the failure probability of (pA, pB)",
        "nothing is known",
    ):
        assert part in meaning


def test_smaller_alpha_smaller_radius_and_more_draws_larger() -> None:
    lower = np.array([0.8, 0.99])

    def radius(**fields: float) -> np.ndarray:
        params = UnicrParams.model_validate({"draws": 2000, "pilot": 100, "sound": True, **fields})
        return UnicrSolver(params).radii(Gaussian(UNIT), 2.0, 3, lower, 1 - lower).radius

    truth = ndtri(lower)
    assert np.all(radius(alpha=1e-9) < radius(alpha=1e-3))
    assert np.all(radius(alpha=1e-3) < truth)
    assert np.all(radius(draws=40_000) > 0.9 * truth)
