"""Between two shifts of noise with a cusp: in closed form, and against the engine where many coordinates move."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cusped_heights import SLOPES, height, law

from robustbench_rs.api import NoiseParams
from robustbench_rs.statistics.tradeoff import Account, Blend, Group, blend
from robustbench_rs_plugins.noises.cauchy import Cauchy
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.uniform import Uniform

ONE = NoiseParams(scale=1.0)
SHARES = np.linspace(0.0, 1.0, 49)[1:-1]
FALL, ALLOWED = 1e-2, 1e-5


def worst(heights: list[np.ndarray], between: dict[float, np.ndarray], late: float, off: float) -> float:
    """By how much H lies above the bound, at most."""
    excess = []
    for share, found in between.items():
        way = min(share + late, 1.0)
        excess.append(np.max(found - (1 - way) * heights[0] - way * heights[1] - (off if way < 1 else 0.0)))
    return float(np.max(excess))


@pytest.mark.parametrize("length", [1.02, 1.1])
@pytest.mark.parametrize(("beta", "first"), [(0.3, 1e-3), (0.3, 2.0), (0.5, 3e-4), (0.5, 0.05), (0.5, 4.0), (0.8, 0.2)])
def test_one_coordinate(beta: float, first: float, length: float) -> None:
    """The bound holds for every slope, and the line straight between the two does not."""
    noise, last = law(beta), first * length
    heights = [height(noise, r, SLOPES) for r in (first, last)]
    fall = float(np.max(heights[1] - heights[0]))
    late, off = Blend(noise).between([Group(1.0, 1)], first, last, fall, 0.05 * fall)
    between = {share: height(noise, first + share * (last - first), SLOPES) for share in SHARES.tolist()}
    assert worst(heights, between, late, off) <= 1e-14
    assert worst(heights, between, 0.0, 0.0) > 1e-14
    assert late * (length - 1) <= 5e-4 + 1.2 * (length - 1) ** 2
    assert off <= 0.05 * fall


@pytest.mark.parametrize("beta", [0.3, 0.5, 0.8])
def test_one_coordinate_over_a_long_way(beta: float) -> None:
    """Whatever may be lost."""
    noise, first, last = law(beta), 0.5, 0.7
    heights = [height(noise, r, SLOPES) for r in (first, last)]
    between = {share: height(noise, first + share * (last - first), SLOPES) for share in SHARES.tolist()}
    for allowed in (0.1, 0.02):
        fall = float(heights[1][24] - heights[0][24])
        late, off = Blend(noise).between([Group(1.0, 1)], first, last, fall, allowed * fall)
        assert math.isfinite(late)
        assert worst(heights, between, late, off) <= 1e-14


@pytest.mark.parametrize(
    ("beta", "first", "length", "shift"),
    [
        (0.5, 0.03, 1.06, [Group(1.0, 3072)]),
        (0.3, 0.1, 1.1, [Group(1.0, 784)]),
        (0.8, 0.1, 1.1, [Group(1.0, 64)]),
        (0.5, 1.0, 1.1, [Group(2.0, 2), Group(-0.5, 5)]),
    ],
)
def test_many_coordinates(beta: float, first: float, length: float, shift: list[Group]) -> None:
    """Against the engine, whose H is too large by far less than the bound allows; the straight line is too low."""
    noise, last = law(beta), first * length

    def engine(r: float) -> np.ndarray:
        curve = Account(noise, [Group(r * each.size, each.count) for each in shift], 1e-6).curve()
        return -curve.intercepts(np.log(SLOPES))

    heights = [engine(r) for r in (first, last)]
    between = {share: engine(first + share * (last - first)) for share in (0.2, 0.5, 0.8)}
    fall = float(np.max(heights[1] - heights[0]))
    late, off = Blend(noise).between(shift, first, last, fall, 0.05 * fall)
    assert worst(heights, between, late, off) <= 1e-5 * fall
    assert worst(heights, between, 0.0, 0.0) > 1e-3 * fall
    assert late <= 0.1
    assert off <= 0.2 * fall


def test_what_copies_bend_downwards_by_is_concave_in_the_way() -> None:
    """J(w) of curves with slopes 1/2 and 3/2, and 0 and 3/2 with a quarter of Q elsewhere."""

    def curve(slopes: list[float]) -> blend._Curve:
        p = np.array([0.0, 0.5, 1.0])
        left = np.array([0.0, slopes[0] / 2, sum(slopes) / 2])
        return blend._Curve(p, left, np.array(slopes), p, left, 0.0, max(slopes))

    def entropy(x: float) -> float:
        return x * math.log(x) if x > 0 else 0.0

    def gap(way: float) -> float:
        cells = [(0.5, 0.0, 0.5), (1.5, 1.5, 0.5), (0.0, 0.25, 1.0)]
        return sum(
            ((1 - way) * entropy(a) + way * entropy(b) - entropy((1 - way) * a + way * b)) * width
            for a, b, width in cells
        )

    largest = max(gap(way) for way in np.linspace(0, 1, 1001).tolist())
    found = blend._jensen_gap(curve([0.5, 1.5]), curve([0.0, 1.5]))
    assert largest <= found <= 1.2 * largest


def test_a_curve_of_one_coordinate_is_enclosed() -> None:
    """Every line kappa p - H lies below what is left, and touches it; the knots below and above are on either side."""
    noise, r = law(0.5), 0.2
    curve = Blend(noise)._curve(r)
    slopes = np.exp(np.linspace(-1, 1, 4001) * r**0.5)
    lines = height(noise, r, slopes)
    below = np.max(slopes * curve.p[:, np.newaxis] - lines, axis=1)
    above = np.max(slopes * curve.p_above[:, np.newaxis] - lines, axis=1)
    assert np.all(curve.left <= below + 1e-7)
    assert np.all(curve.left_above >= above - 1e-15)
    assert np.max(np.abs(curve.left - np.interp(curve.p, curve.p_above, curve.left_above))) < 1e-4


def test_laws_and_ways_without_a_bound() -> None:
    unknown = blend.UNKNOWN
    shift = [Group(1.0, 3)]
    assert Blend(Uniform(ONE)).between(shift, 0.1, 0.11, FALL, ALLOWED) == unknown
    assert Blend(Laplace(ONE)).between(shift, 0.1, 0.11, FALL, ALLOWED) == unknown
    assert Blend(law(0.5)).between(shift, 0.0, 0.1, FALL, ALLOWED) == unknown
    assert Blend(law(0.5)).between(shift, 0.1, 0.2, FALL, ALLOWED) == unknown
    assert Blend(law(0.5)).between(shift, 0.1, 0.11, FALL, 1e-9) == unknown
    assert math.isfinite(Blend(Cauchy(ONE)).between(shift, 1.0, 1.05, FALL, 1e-3).off)
