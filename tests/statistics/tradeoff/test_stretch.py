"""H_r(kappa(r)) + M r^2 / 2 is convex between two radii, kappa linear: by quadrature on the line and in the plane."""

from __future__ import annotations

import math

import numpy as np
import pytest
from heavy_tails import HEAVY_TAILS

from robustbench_rs.api import NoiseParams, ProductNoise
from robustbench_rs.statistics.tradeoff import Group, Stretch, bend
from robustbench_rs_plugins.noises.cauchy import Cauchy
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.generalized_normal import GeneralizedNormal
from robustbench_rs_plugins.noises.triangular import Triangular

ONE = NoiseParams(scale=1.0)
LAWS: dict[str, ProductNoise] = {
    **HEAVY_TAILS,
    "root": GeneralizedNormal(GeneralizedNormal.Params(scale=1.0, beta=0.5)),
    "generalized-normal-0.8": GeneralizedNormal(GeneralizedNormal.Params(scale=1.0, beta=0.8)),
}
KAPPAS = np.array([0.2, 0.7, 1.0, 1.5, 4.0, 15.0, 60.0, 400.0])


def line(law: ProductNoise) -> tuple[np.ndarray, np.ndarray]:
    """Points and widths of cells, dense about 0, out to the far tails."""
    edges = np.concatenate([np.linspace(0, 4, 20_001), np.geomspace(4, 1e7, 30_001)[1:]])
    edges = np.concatenate([-edges[:0:-1], edges])
    return (edges[1:] + edges[:-1]) / 2, np.diff(edges)


@pytest.mark.parametrize("name", sorted(LAWS))
def test_one_coordinate(name: str) -> None:
    """Without the allowance it would not hold: somewhere more than a hundredth of it is needed."""
    law, stretch = LAWS[name], Stretch(LAWS[name])
    most = 0.0
    for first in (0.05, 0.5, 2.0, 8.0, 40.0):
        z, gap = line(law)
        z = np.sort(np.concatenate([z, z + first]))
        gap = np.diff(np.concatenate([[z[0]], (z[1:] + z[:-1]) / 2, [z[-1]]]))
        p = law.density(z) * gap
        for factor in (1.04, 1.3, 2.0):
            last, middle = first * factor, first * (1 + factor) / 2
            found = stretch.between([Group(1.0, 1)], first, last)
            assert math.isfinite(found.bend) or (name.startswith("generalized") and last > 20)  # no mass so far out
            if math.isinf(found.bend):
                continue
            heights = [
                np.array([np.maximum(kappa * scale * p - law.density(z - r) * gap, 0.0).sum() for kappa in KAPPAS])
                for r, scale in ((first, 1.0), (middle, (1 + found.ratio) / 2), (last, found.ratio))
            ]
            lacking = heights[1] - (heights[0] + heights[2]) / 2
            allowed = found.bend * (last - first) ** 2 / 8
            assert np.all(lacking <= allowed + 1e-6 * (1 + KAPPAS)), (first, factor)
            most = max(most, float(np.max(lacking / allowed)))
    assert most > 0.01


@pytest.mark.parametrize("name", ["cauchy", "student-t", "pareto-3", "generalized-normal-0.8"])
def test_two_coordinates(name: str) -> None:
    """Of different sizes."""
    law = LAWS[name]
    sizes, first, last = (0.6, 0.4), 6.0, 8.4
    found = Stretch(law).between([Group(sizes[0], 1), Group(sizes[1], 1)], first, last)
    edges = np.concatenate([np.linspace(-6, 12, 901), np.geomspace(12, 3000, 120)[1:]])
    edges = np.concatenate([-np.geomspace(3000, 6, 120)[:-1], edges])
    z, gap = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    p = np.multiply.outer(law.density(z) * gap, law.density(z) * gap)
    heights = []
    for r, scale in ((first, 1.0), ((first + last) / 2, (1 + found.ratio) / 2), (last, found.ratio)):
        q = np.multiply.outer(law.density(z - r * sizes[0]) * gap, law.density(z - r * sizes[1]) * gap)
        heights.append(np.array([np.maximum(kappa * scale * p - q, 0.0).sum() for kappa in KAPPAS]))
    lacking = heights[1] - (heights[0] + heights[2]) / 2
    assert np.all(lacking <= found.bend * (last - first) ** 2 / 8 + 1e-4)


def test_far_away_it_is_the_sharper_bound() -> None:
    """Heavy tails: it falls with the square of the radius, which `bend` does not."""
    law = LAWS["cauchy"]
    stretch = Stretch(law)
    shift = [Group(0.25, 4)]
    near, far = (stretch.between(shift, r, 1.04 * r).bend for r in (20.0, 80.0))
    assert near < bend(law, shift) / 10
    assert far < near / 10


def test_the_sign_and_the_order_of_sizes_do_not_matter() -> None:
    stretch = Stretch(LAWS["student-t"])
    one = stretch.between([Group(0.5, 1), Group(0.25, 2)], 5.0, 5.5)
    other = stretch.between([Group(-0.25, 2), Group(0.5, 1)], 5.0, 5.5)
    assert one.bend == pytest.approx(other.bend, rel=1e-12)
    assert one.ratio == pytest.approx(other.ratio, rel=1e-12)


def test_unknown() -> None:
    stretch = Stretch(LAWS["cauchy"])
    assert stretch.between([Group(1.0, 1)], 1.0, 2.1).bend == math.inf
    assert stretch.between([Group(1.0, 1)], 0.0, 0.1).bend == math.inf
    assert stretch.between([Group(0.01, 100)], 1.0, 1.1).bend == math.inf
    assert Stretch(Triangular(ONE)).between([Group(1.0, 1)], 0.1, 0.11).bend == math.inf
    smooth = GeneralizedNormal(GeneralizedNormal.Params(scale=1.0, beta=1.5))  # its score has no turns to state
    assert Stretch(smooth).between([Group(1.0, 1)], 0.1, 0.11).bend == math.inf
    assert Stretch(Gaussian(ONE)).between([Group(1.0, 1)], 0.1, 0.11).bend == math.inf


def test_a_score_that_jumps_elsewhere_than_at_0_is_refused() -> None:
    class Edgy(Cauchy):
        score_turns = (-1.0, 0.0, 1.0)

        def score(self, z: np.ndarray) -> np.ndarray:
            return super().score(z) + np.sign(z) * (np.abs(z) > 1)

    assert Stretch(Edgy(ONE)).between([Group(1.0, 1)], 1.0, 1.1).bend == math.inf
