"""What makes certificates too large, each with a law on which leaving the guard out would show."""

from __future__ import annotations

import math

import neyman_pearson_oracles as oracles
import numpy as np
import pytest
from scipy.special import ndtr

from robustbench_rs.api import NoiseParams
from robustbench_rs.statistics.tradeoff import trade_off
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.uniform import Uniform
from robustbench_rs_plugins.solvers.neyman_pearson import NeymanPearsonSolver
from robustbench_rs_plugins.solvers.neyman_pearson.accounts import Accounts, Nothing
from robustbench_rs_plugins.solvers.neyman_pearson.build import build
from robustbench_rs_plugins.solvers.neyman_pearson.curves import Curves, no_shift, not_enough, p_grid, whole_row
from robustbench_rs_plugins.solvers.neyman_pearson.lattice import Lattice
from robustbench_rs_plugins.solvers.neyman_pearson.question import Question, rest_of
from robustbench_rs_plugins.solvers.neyman_pearson.rays import candidates, equal, proved_worst, ray
from robustbench_rs_plugins.solvers.neyman_pearson.root import largest
from robustbench_rs_plugins.solvers.neyman_pearson.staircase import Staircase

ONE = NoiseParams(scale=1.0)
LINE = equal(1, 2.0)


def gaussian_accounts(tolerance: float = 1e-3) -> Accounts:
    return Accounts(Laplace(ONE), 2.0, 1, tolerance, oracles.GaussianEngine())


def test_every_step_of_a_table_is_on_its_side() -> None:
    """All radii of a table from exact Gaussian curves, those between its rows too: p*(r) = Phi(r) lies between."""
    table, _ = build(gaussian_accounts(), 2.0, 1)
    radius = table.lattice.radius(np.arange(len(table.enough)))
    assert np.all(table.enough >= ndtr(radius))
    assert np.all(table.barely < ndtr(radius) + 1e-15)
    density = np.exp(-np.square(radius) / 2) / np.sqrt(2 * np.pi)
    close = table.enough - table.barely < 3e-3 * density * np.maximum(radius, table.lattice.base)
    assert np.all(close[radius < 5])


def test_between_rows_nothing_is_interpolated() -> None:
    """Uniform noise: p*(r) = 3/2 - (1 - r/2)^d bends, so a straight line between two rows certifies too much."""
    noise, dim = Uniform(ONE), 16
    table, curves = build(Accounts(noise, math.inf, dim, 0.02), math.inf, dim)
    rows = curves[0].radius[(curves[0].p_star > 0.5) & (curves[0].p_star < 1)]
    p = 0.5 + np.geomspace(1e-3, 0.499, 4001)
    truth = 2 * (1 - (1.5 - p) ** (1 / dim))
    straight = np.interp(p, 1.5 - (1 - rows / 2) ** dim, rows)
    assert np.max(straight / truth) > 1 + 1e-6
    assert np.all(table.find(p).radius <= truth)
    assert np.all(table.find(p).upper >= truth)


def test_where_t_may_rise_the_first_failure_counts() -> None:
    """A comb: the shift by 1 is certified, those near 1/2 are not; a table must not come back to 1."""
    noise = oracles.Comb(ONE)
    table, curves = build(Accounts(noise, 1.0, 1, 0.1), 1.0, 1)
    place = int(np.flatnonzero(curves[0].radius == 1.0)[0])
    assert curves[0].p_star[place] < 0.7
    assert not table.proved
    p = np.linspace(0.7, 0.95, 50)
    assert np.all(table.find(p).radius < 0.5)
    solver = NeymanPearsonSolver(NeymanPearsonSolver.Params(tolerance=0.1))
    radii = solver.radii(noise, 2.0, 1, p, (1 - p) / 2)
    assert radii.guarantee == "searched"
    assert np.all(radii.radius < 0.5)


def test_lines_lie_below_and_chords_above() -> None:
    accounts = Accounts(Laplace(ONE), 2.0, 1, 1e-2)
    edges = p_grid(accounts, LINE)
    curves = Curves.stack(edges, {0.0: no_shift(edges), 0.7: whole_row(accounts, LINE, 0.7, edges)})
    p = np.concatenate([np.linspace(0, 1, 20_001), 1 - np.geomspace(1e-3, 1e-12, 500)])
    quantile = Laplace(ONE).quantile
    truth = Laplace(ONE).cdf(quantile(p) - 0.7)
    assert np.all(curves.left(1, p) <= truth + 1e-15)
    assert np.all(curves.above(1, p) >= truth - 1e-15)
    kept = np.linspace(0, 1, 5001)
    needed = Laplace(ONE).cdf(quantile(kept) + 0.7)
    at = np.ones(kept.shape, dtype=np.intp)
    assert np.all(curves.needed(1, kept)[1:-1] > needed[1:-1])
    np.testing.assert_array_equal(curves.needed(at, kept), curves.needed(1, kept))
    assert np.all(not_enough(edges, curves.roof[1], kept) <= needed + 1e-15)
    assert np.max(np.abs(curves.left(1, p) - truth)) < 3e-3


def test_steps_need_their_rows() -> None:
    """A staircase over a row of the wrong length would be a KeyError, not a guess."""
    edges = np.linspace(0.0, 1.0, 11)
    lattice = Lattice(base=1.0, levels=3)
    stairs = Staircase(Curves.stack(edges, {0.0: no_shift(edges), 0.5: no_shift(edges)}), lattice)
    with pytest.raises(KeyError):
        stairs.halvings(0.0, 1.0)


def test_lattice_radii() -> None:
    lattice = Lattice.fine(2.0**-10, 1e-3)
    index = np.arange(5 << lattice.levels)
    radius = lattice.radius(index)
    assert np.all(np.diff(radius) <= 1e-3 * np.maximum(radius[1:], lattice.base))
    assert [lattice.index(r) for r in radius[::97].tolist()] == index[::97].tolist()
    assert [lattice.unit_above(r) for r in radius[:-1:53].tolist()] == np.diff(radius)[::53].tolist()


@pytest.mark.parametrize("root", [1e-9, 3e-4, 0.7, 5.0, 4e7])
@pytest.mark.parametrize("start", [1e-3, 1.0, 100.0])
def test_the_root_search_ends_on_the_certified_side(root: float, start: float) -> None:
    """For a margin with a jump, a plateau and infinite values: what it returns was evaluated, and is not above."""
    seen = {}

    def margin(radius: float) -> float:
        value = math.tanh(1 - radius / root) if radius < 3 * root else -math.inf
        seen[radius] = value
        return value if abs(value) > 1e-3 or value > 0 else -1.0

    def width(radius: float) -> float:
        return 1e-4 * max(radius, 1e-3)

    found = largest(margin, math.tanh(1.0), start, width)
    assert found == 0 or seen[found] > 0
    assert found < root
    assert found >= root - 2 * width(root) - 1e-3 * root
    assert len(seen) < 60


def test_only_margins_above_zero_count() -> None:
    """pA equal to what is needed is not certified: the rule is pA > p_star, and g(pA) + g(1 - pB) > 1."""

    class Exactly(Nothing):
        def p_star(self) -> float:
            return 0.75

        def left(self, p: np.ndarray) -> np.ndarray:
            return np.array([0.25, 0.75])

    assert Question(0.75, 0.75).margin(Exactly(False)) <= 0
    assert Question(np.nextafter(0.75, 1), np.nextafter(0.75, 1)).margin(Exactly(False)) > 0
    assert Question(0.75, 0.75).refuted(Exactly(False))
    assert Question(0.4, 0.9).margin(Exactly(False)) <= 0
    assert not Question(0.4, 0.9).refuted(Exactly(False))  # a sum of 1 is too close to say
    assert Question(0.6, 0.6).margin(Nothing(optimistic=False)) < 0
    assert not Question(0.6, 0.6).refuted(Nothing(optimistic=True))


def test_limits_of_other_classes_are_rounded_down() -> None:
    """1 - pB rounded to nearest would promise more than is known for half of all pB."""
    p_upper = np.random.default_rng(3).random(10_000) / 3
    rest = rest_of(np.zeros(10_000), p_upper)
    assert np.all(1.0 - rest >= p_upper)  # exact: rest > 1/2
    assert np.any(1.0 - (1.0 - p_upper) < p_upper)


def test_directions_of_the_search() -> None:
    counts = [each.count for each in candidates(Laplace(ONE), 2.0, 100)]
    assert counts == [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 100]
    assert [each.count for each in candidates(Laplace(ONE), 2.0, 1)] == [1]
    signed = candidates(oracles.Gumbel(ONE), 2.0, 4)
    assert {tuple(np.sign(size) for size, _ in each.parts) for each in signed} == {(1,), (-1,), (1, -1)}
    for norm in (1.0, 1.5, 2.0, 7.0, math.inf):
        for each in (*candidates(oracles.Gumbel(ONE), norm, 9), ray([(3.0, 2), (-1.0, 5)], norm)):
            sizes = np.concatenate([np.full(count, size) for size, count in each.parts])
            assert np.linalg.norm(sizes, ord=norm) == pytest.approx(1.0, rel=1e-14)


def test_a_theorem_needs_its_facts() -> None:
    """Laplace without a claim loses the theorem that used it."""

    class NotEven(Laplace):
        symmetric = False

    class NotLogConcave(Laplace):
        log_concave = False

    assert proved_worst(Laplace(ONE), math.inf, 5) == (equal(5, math.inf),)
    assert proved_worst(Laplace(ONE), 1.0, 5) == (equal(1, 1.0),)
    assert proved_worst(Laplace(ONE), 2.0, 5) is None
    assert proved_worst(NotEven(ONE), math.inf, 5) is None
    assert proved_worst(NotEven(ONE), 1.0, 5) is None
    assert proved_worst(NotEven(ONE), 2.0, 1) == (equal(1, 2.0), equal(1, 2.0, 1))
    assert proved_worst(NotLogConcave(ONE), 1.0, 5) is None
    assert proved_worst(NotLogConcave(ONE), math.inf, 5) == (equal(5, math.inf),)
    assert proved_worst(oracles.Comb(ONE), 2.0, 1) is None


def test_unproved_extremes_take_the_label_away() -> None:
    """Cauchy noise without its score: the same radius, but the extremes of the ratio were only looked for."""

    class Unscored(oracles.Cauchy):
        score_turns = None

    p = np.array([0.9])
    named, unnamed = (
        NeymanPearsonSolver().radii(law(ONE), math.inf, 4, p, 1 - p) for law in (oracles.Cauchy, Unscored)
    )
    assert (named.guarantee, unnamed.guarantee) == ("proved", "searched")
    assert unnamed.radius[0] == pytest.approx(named.radius[0], rel=1e-3)
    assert not trade_off(Unscored(ONE), [oracles.Group(0.1, 4)], 1e-2).proved
