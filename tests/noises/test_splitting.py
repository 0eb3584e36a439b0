"""Splitting noise: pieces and laws by enumeration, the theorem with equality, certificates whose truth is known."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.stats import binom
from torch import nn

from robustbench_rs import SmoothedClassifier
from robustbench_rs.api import NoiseParams, ProductNoise, Solver, VectorNoise
from robustbench_rs.errors import InputError
from robustbench_rs.plugins import load_registry
from robustbench_rs.testing import check_component
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.splitting import Splitting

SCALES = (Fraction(1, 16), Fraction(1, 8), Fraction(1, 4), Fraction(3, 8), Fraction(1, 2), Fraction(3, 4), Fraction(1))
PHASES = 64
"""Equally likely phases that stand for the uniform law: exact for inputs on the grid of their steps."""


def splitting(scale: float | Fraction) -> Splitting:
    return Splitting(Splitting.Params(scale=float(scale)))


def piece(x: Fraction, cut: Fraction, period: Fraction) -> tuple[Fraction, Fraction]:
    """The part in [0, 1] of the piece of x in [0, 1], by looking through a list of all cuts."""
    cuts = [cut + period * k for k in range(-40, 40)]
    end = bisect_left(cuts, x)
    return max(cuts[end - 1], Fraction(0)), min(cuts[end], Fraction(1))


def phases(period: Fraction) -> list[Fraction]:
    return [period * Fraction(2 * j + 1, 2 * PHASES) for j in range(PHASES)]


@pytest.mark.parametrize("scale", SCALES)
def test_a_pixel_becomes_the_middle_of_its_piece(scale: Fraction) -> None:
    for cut in phases(2 * scale):
        for x in (Fraction(k, 32) for k in range(33)):
            begin, end = piece(x, cut, 2 * scale)
            assert begin <= x <= end <= begin + 2 * scale
            noisy = splitting(scale).apply(torch.tensor([float(x)]).double(), torch.tensor([[float(cut)]]).double())
            assert float(noisy) == pytest.approx(float((begin + end) / 2), abs=1e-14)


def law(inputs: list[Fraction], scale: Fraction, cuts: torch.Tensor) -> Counter[tuple[float, ...]]:
    """How often each noisy input comes, over ``cuts`` (n, d)."""
    noisy = splitting(scale).apply(torch.tensor([float(x) for x in inputs]).double(), cuts)
    return Counter(tuple(row) for row in noisy.mul(2**40).round().tolist())


def distance(x: list[Fraction], y: list[Fraction], scale: Fraction, cuts: torch.Tensor) -> Fraction:
    """Total variation of the two laws: the worst case over all sets of noisy inputs, hence over all classifiers."""
    one, two = law(x, scale, cuts), law(y, scale, cuts)
    return Fraction((one - two).total(), len(cuts))


@pytest.mark.parametrize("scale", SCALES)
def test_in_one_dimension_the_theorem_holds_with_equality(scale: Fraction) -> None:
    """TV = |x - y| / (2 scale) for all x, y in [0, 1] up to the period: no larger radius holds."""
    cuts = torch.tensor([[float(cut)] for cut in phases(2 * scale)], dtype=torch.float64)
    step = 2 * scale / PHASES
    grid = [k * step for k in range(0, int(1 / step) + 1, 5)]
    for x, y in itertools.combinations(grid, 2):
        assert distance([x], [y], scale, cuts) == min(Fraction(1), (y - x) / (2 * scale))


@pytest.mark.parametrize("dependence", ["independent", "equal", "opposite"])
@pytest.mark.parametrize("scale", [Fraction(1, 8), Fraction(1, 2), Fraction(1)])
def test_in_two_dimensions_no_classifier_beats_the_theorem(scale: Fraction, dependence: str) -> None:
    """TV <= |x - y|_1 / (2 scale), independent cuts or not; with independent ones it is that of two shifted cubes."""
    size = 16
    one = [2 * scale * Fraction(2 * j + 1, 2 * size) for j in range(size)]
    pairs = {
        "independent": list(itertools.product(one, one)),
        "equal": [(s, s) for s in one],
        "opposite": [(s, 2 * scale - s) for s in one],
    }[dependence]
    cuts = torch.tensor([[float(a), float(b)] for a, b in pairs], dtype=torch.float64)
    step = 2 * scale / size
    rng = np.random.default_rng(7)
    tight = 0
    for corners in rng.integers(0, int(1 / step) + 1, (150, 2, 2)).tolist():
        x, y = ([k * step for k in corner] for corner in corners)
        shares = [min(Fraction(1), abs(a - b) / (2 * scale)) for a, b in zip(x, y, strict=True)]
        found = distance(x, y, scale, cuts)
        assert found <= sum(shares)
        tight += found == sum(shares) > 0
        if dependence == "independent":
            assert found == 1 - math.prod(1 - share for share in shares)
    assert tight >= 5


@pytest.mark.parametrize("scale", [0.1, 0.5, 3.0])
def test_outside_of_the_unit_interval_the_theorem_holds_too(scale: float) -> None:
    """An attacker need not stay in [0, 1]: noisy inputs of any x and y differ no more often than cuts separate them."""
    rng = np.random.default_rng(8)
    cuts = torch.from_numpy((np.arange(4000)[:, None] + 0.5) / 4000 * 2 * scale)
    for x, y in zip(rng.uniform(0, 1, 40), rng.uniform(-2, 3, 40), strict=True):
        one, two = (splitting(scale).apply(torch.tensor([each]).double(), cuts) for each in (x, y))
        differ = float((one != two).double().mean())
        assert differ <= abs(x - y) / (2 * scale) + 1 / 4000


@pytest.mark.parametrize("scale", [Fraction(1, 8), Fraction(1, 2), Fraction(1)])
@pytest.mark.parametrize(("top", "other"), [(48, 16), (62, 2), (40, 8), (34, 28)])
def test_the_worst_classifier_ties_at_the_radius(scale: Fraction, top: int, other: int) -> None:
    """Built as in the proof of exactness, of ``top`` and ``other`` of 64 phases; one step nearer it keeps its class."""
    step = 2 * scale / PHASES
    form = splitting(scale).closed_form(1, 1)
    assert form is not None
    assert form.exact
    limits = np.array([top / PHASES]), np.array([other / PHASES])
    radius, upper = float(form.radius(*limits)[0]), float(form.upper(*limits)[0])  # type: ignore[misc]
    reached = (top - other) // 2
    assert radius <= float(reached * step) <= upper
    assert upper - radius < 1e-12
    assert _margin(scale, reached, top, other) == 0
    assert _margin(scale, reached - 1, top, other) > 0


def _margin(scale: Fraction, steps: int, top: int, other: int) -> int:
    """Phases of the top class at y = ``steps`` less those of the worst other one, which have the given numbers at 0."""
    cuts = torch.tensor([[float(cut)] for cut in phases(2 * scale)], dtype=torch.float64)
    here, there = (law([k * 2 * scale / PHASES], scale, cuts) for k in (0, steps))
    lost, new, shared = here - there, there - here, here & there
    assert lost.total() == new.total() == steps <= top
    kept = top - lost.total()
    assert kept + other <= shared.total()
    return kept - (other + new.total())


def test_radius_and_what_is_known_of_it() -> None:
    lower, upper = np.array([0.9, 0.5, 0.6, 1.0, 0.3]), np.array([0.1, 0.5, 0.2, 0.0, 0.1])
    form = splitting(0.5).closed_form(1, 3072)
    assert form is not None
    assert form.radius(lower, upper) == pytest.approx([0.4, 0.0, 0.2, 0.5, 0.1], rel=1e-12)
    assert np.all(form.radius(lower, upper) <= 0.5 * (lower - upper))
    wide = splitting(2.0).closed_form(1, 3072)
    assert wide is not None
    assert wide.upper is not None
    assert not wide.exact
    assert wide.upper(lower, upper) == pytest.approx([math.inf, 0.0, 0.8, math.inf, 0.4], rel=1e-12)
    assert splitting(0.5).closed_form(2, 3072) is None
    assert splitting(0.5).closed_form(math.inf, 1) is not None


class Threshold(nn.Module):
    """Class 1 where the first noisy pixel is above 1/2: at scale 1/2, where the only cut lies below x_1, so P = x_1."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        above = x.flatten(1)[:, 0] > 0.5
        return nn.functional.one_hot(above.long(), 2).float()


def test_certified_radii_stay_below_known_ones() -> None:
    """The smoothed threshold changes its class at x_1 = 1/2, where the certificate would be exact with pA = x_1.

    Each of 300 radii is too large with probability at most 0.001: more than 6 are, with probability below 1e-6.
    """
    assert binom.sf(6, 300, 0.001) < 1e-6
    x = torch.rand((300, 1, 2, 2), generator=torch.Generator().manual_seed(3))
    classifier = SmoothedClassifier(Threshold(), splitting(0.5), 2, device="cpu", batch_size=1000)
    found = classifier.certify(x, n0=50, n=4000, alpha=0.001)
    truth = (x[:, 0, 0, 0].double() - 0.5).abs().numpy()
    radius, right = found.radius(norm=1), found.classes == (x[:, 0, 0, 0] > 0.5).numpy()
    assert np.sum((radius > truth) | (~right & ~found.abstained)) <= 6
    # With the right class chosen, a Clopper-Pearson limit from 4,000 draws lies about 3.1 standard errors (0.025) low;
    # 0.1 low takes another 9 of them.
    assert np.mean(right) > 0.8
    assert np.all(truth[right] - radius[right] < 0.1)


def test_neighbouring_floats_do_not_show_through() -> None:
    """Noisy inputs of x and of the next float are equal to the last bit, or lie in different pieces."""
    x = torch.rand(200_000, generator=torch.Generator().manual_seed(5))
    noise = splitting(0.5)
    cuts = noise.sample((200_000,), torch.Generator().manual_seed(6), "cpu", torch.float32)
    one, two = noise.apply(x, cuts), noise.apply(torch.nextafter(x, torch.tensor(2.0)), cuts)
    moved = (one - two).abs()
    assert float(one.std()) > 0.1
    assert bool(((moved == 0) | (moved > 0.49)).all())
    # Separated with probability about 1e-7 each: more than 10 of 200,000 with probability below 1e-15.
    assert int((moved > 0).sum()) <= 10


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_cuts_are_uniform(dtype: torch.dtype) -> None:
    """Dvoretzky-Kiefer-Wolfowitz at level 1e-9."""
    drawn = splitting(0.375).sample((500, 20, 20), torch.Generator().manual_seed(1), "cpu", dtype)
    assert drawn.dtype == dtype
    u = np.sort(drawn.double().numpy().ravel()) / 0.75
    expected = (np.arange(u.size) + 0.5) / u.size
    assert np.max(np.abs(u - expected)) < math.sqrt(math.log(2e9) / (2 * u.size)) + 1 / u.size
    assert u[0] > 0
    assert u[-1] <= 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_refused(dtype: torch.dtype) -> None:
    with pytest.raises(ValueError, match=r"(b?float16): it is too coarse"):
        splitting(0.5).sample((3,), torch.Generator(), "cpu", dtype)


@pytest.mark.parametrize("params", [{}, {"scale": 0}, {"scale": -1}, {"sigma": 0.5}, {"scale": 1, "sigma": 1}])
def test_parameters_are_one_positive_scale(params: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Splitting.Params.model_validate(params)


def test_conformance() -> None:
    results = check_component(Splitting)
    assert len(results) > 30
    assert [f"{result.name}: {result.message}" for result in results if not result.passed] == []


def test_it_is_no_additive_noise() -> None:
    """Nothing about densities of sums may be applied to it: every solver but closed-form refuses, in every norm."""
    noise = splitting(0.5)
    assert not isinstance(noise, ProductNoise | VectorNoise)
    assert noise.sigma is None
    assert noise.sigma_in(64) is None
    solvers = [cls for cls in load_registry().components("solver") if issubclass(cls, Solver)]
    assert {"closed-form", "differential", "l2-differential", "pixeldp", "renyi", "unicr"} <= {s.name for s in solvers}
    for norm, solver in itertools.product((1.0, 2.0, math.inf), solvers):
        reason = solver().refusal(noise, norm, 64)
        if solver.name == "closed-form" and norm == 1:
            assert reason is None
        else:
            assert reason is not None
            assert "splitting" in reason or "l2" in reason or "l-inf" in reason


@pytest.mark.parametrize("value", [-0.01, 1.25])
def test_inputs_outside_of_the_unit_interval_are_refused(value: float) -> None:
    x = torch.full((2, 1, 2, 2), 0.5)
    x[1, 0, 1, 1] = value
    split, added = (
        SmoothedClassifier(Threshold(), noise, 2, device="cpu")
        for noise in (splitting(0.5), Gaussian(NoiseParams(sigma=0.5)))
    )
    with pytest.raises(InputError, match=rf"input 1 .*pixel of {value}, outside \[0, 1\], which splitting noise needs"):
        split.certify(x, n0=10, n=10)
    assert len(added.certify(x, n0=10, n=10).classes) == 2
