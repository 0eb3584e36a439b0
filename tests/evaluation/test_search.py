"""The optimiser as a function of what is known: budget, box, resuming, and that it finds what is there to be found."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robustbench_rs.evaluation.search import Space, propose

LINE = Space({"beta": (1.0, 4.0)})
PLANE = Space({"weight": (0.0, 1.0), "sigma": (0.1, 10.0)})


def searched(space, start, value, evaluations):
    known = {}
    while (point := propose(space, start, known, evaluations)) is not None:
        assert point not in known
        known[point] = value(point)
    return known


def bump(point):
    sigma, weight = point
    return math.exp(-((weight - 0.3) ** 2) * 8 - math.log(sigma / 2) ** 2)


@pytest.mark.parametrize("evaluations", [2, 3, 7, 50])
@pytest.mark.parametrize("value", [bump, lambda point: 0.0, lambda point: -point[0]], ids=["bump", "flat", "edge"])
def test_the_start_comes_first_and_the_budget_is_kept(evaluations, value):
    known = searched(PLANE, (1.0, 0.5), value, evaluations)
    assert next(iter(known)) == (1.0, 0.5)
    assert len(known) == evaluations
    assert all(0.1 <= sigma <= 10 and 0 <= weight <= 1 for sigma, weight in known)


def test_it_finds_the_maximum():
    known = searched(LINE, (1.5,), lambda point: -((point[0] - 2.7) ** 2), 30)
    assert max(known, key=known.get)[0] == pytest.approx(2.7, abs=0.01)
    known = searched(PLANE, (5.0, 0.9), bump, 60)
    assert max(known, key=known.get) == pytest.approx((2.0, 0.3), rel=0.1)


def test_it_is_better_than_chance_under_noise():
    """What a random search of the same budget finds is worse, on average over 20 fixed seeds."""
    found, chance = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        known = searched(PLANE, (5.0, 0.9), lambda point, rng=rng: bump(point) + rng.normal(0, 0.02), 25)
        found.append(bump(max(known, key=known.get)))
        points = [PLANE.point(rng.random(2)) for _ in range(25)]
        chance.append(bump(max(points, key=lambda point, rng=rng: bump(point) + rng.normal(0, 0.02))))
    assert np.mean(found) > np.mean(chance)


@pytest.mark.parametrize("cut", [0, 1, 5, 11])
def test_it_goes_on_after_a_cut_as_if_there_had_been_none(cut):
    whole = list(searched(PLANE, (1.0, 0.5), bump, 12).items())
    known = dict(whole[:cut])
    while (point := propose(PLANE, (1.0, 0.5), known, 12)) is not None:
        known[point] = bump(point)
    assert list(known.items()) == whole


def test_positive_ranges_are_searched_on_a_logarithmic_scale():
    assert PLANE.names == ["sigma", "weight"]
    assert PLANE.point([0.5, 0.5]) == (1.0, 0.5)
    assert PLANE.point([0.0, 1.0]) == (0.1, 1.0)
    assert PLANE.named((0.25, 0.5)) == {"sigma": 0.25, "weight": 0.5}


def test_rounding_never_leaves_the_range():
    odd = Space({"a": (1.00000049, 1.00000051)})
    assert {odd.point([u])[0] for u in np.linspace(0, 1, 50)} <= {1.00000049, 1.00000051}
    assert len(searched(odd, (1.0000005,), lambda point: point[0], 50)) <= 3


def test_the_same_memory_is_used_again_and_again():
    """Ending scipy's optimiser by an exception leaks; thousands of inputs would fill the memory."""
    import resource

    for _ in range(200):
        propose(PLANE, (1.0, 0.5), {(1.0, 0.5): 0.0}, 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(3000):
        propose(PLANE, (1.0, 0.5), {(1.0, 0.5): 0.0}, 20)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
