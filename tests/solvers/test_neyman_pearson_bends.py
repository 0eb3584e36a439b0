"""Interpolation between the rows of a table, with its proved allowance: one- and two-sided, below and above."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from robustbench_rs.api import NoiseParams, ProductNoise
from robustbench_rs.statistics.tradeoff import Blend, Stretch, bend
from robustbench_rs_plugins.noises.cauchy import Cauchy
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.generalized_normal import GeneralizedNormal
from robustbench_rs_plugins.noises.pareto import Pareto
from robustbench_rs_plugins.noises.student_t import StudentT
from robustbench_rs_plugins.noises.triangular import Triangular
from robustbench_rs_plugins.solvers.neyman_pearson import NeymanPearsonSolver, bends, strand, two_sided
from robustbench_rs_plugins.solvers.neyman_pearson.accounts import Accounts, floor
from robustbench_rs_plugins.solvers.neyman_pearson.build import build
from robustbench_rs_plugins.solvers.neyman_pearson.curves import p_grid, whole_row
from robustbench_rs_plugins.solvers.neyman_pearson.rays import equal

ONE = NoiseParams(scale=1.0)
SPREAD = equal(16, 2.0)
"""Gaussian noise and this ray: g_r(p) = Phi(Phi^-1(p) - r)."""
FIRST, LAST, BEYOND = 1.0, 1.5, 1.75
SHARE = np.linspace(0.0, 1.0, 33)[:-1]
HEAVY = {
    "cauchy": Cauchy(ONE),
    "student-t": StudentT(StudentT.Params(scale=1.0, df=3)),
    "pareto": Pareto(Pareto.Params(scale=1.0, a=2.0)),
}


@pytest.fixture(scope="module")
def accounts() -> Accounts:
    return Accounts(Gaussian(ONE), 2.0, 16, 1e-3)


def bridge(accounts: Accounts) -> bends.Bridge:
    return bends.Bridge(bend(accounts.law, SPREAD.shift(1.0)), 1.0, fixed=True)


def test_enough_is_enough(accounts: Accounts) -> None:
    edges = p_grid(accounts, SPREAD)
    first, last = (whole_row(accounts, SPREAD, radius, edges) for radius in (FIRST, LAST))
    truth = ndtr(FIRST + SHARE * (LAST - FIRST))
    found = bends.enough(first, last, SHARE, bridge(accounts), LAST - FIRST)
    assert np.all(found >= truth)
    assert np.all(found <= truth + bridge(accounts).bend / 2 * (LAST - FIRST) ** 2 * SHARE * (1 - SHARE) + 2e-3)


@pytest.mark.parametrize("name", sorted(HEAVY))
def test_enough_by_stretching(name: str) -> None:
    """Slopes that move with the radius: not below what the engine proves to be needed at the radii themselves."""
    accounts, ray = Accounts(HEAVY[name], 1.0, 2, 1e-4), equal(2, 1.0)
    edges = p_grid(accounts, ray)
    first, last, share = 8.0, 10.0, np.array([0.0, 0.25, 0.5, 0.75])
    rows = [whole_row(accounts, ray, radius, edges) for radius in (first, last)]
    far = bends.Bridge(*Stretch(accounts.law).between(ray.shift(1.0), first, last), fixed=False)
    assert math.isfinite(far.bend)
    assert far.ratio > 1.2
    found = bends.enough(rows[0], rows[1], share, far, last - first)
    for radius, enough in zip((first + share * (last - first)).tolist(), found.tolist(), strict=True):
        curve, optimistic = accounts.pair(ray, radius)
        assert enough > optimistic.p_star()
        assert enough < curve.p_star() + 0.01


def cusp(beta: float) -> GeneralizedNormal:
    return GeneralizedNormal(GeneralizedNormal.Params(scale=1.0, beta=beta))


@pytest.mark.parametrize("beta", [0.3, 0.5, 0.8])
def test_enough_by_blending(beta: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise with a cusp: not below what the engine proves to be needed, unless what is missed is left out."""
    accounts, ray = Accounts(cusp(beta), math.inf, 128, 1e-5), equal(128, math.inf)
    edges = p_grid(accounts, ray)
    first, last, share = 0.0625, 0.078125, np.array([0.25, 0.5, 0.75])
    rows = [whole_row(accounts, ray, radius, edges) for radius in (first, last)]
    bridges = bends.Bridges(accounts.law, ray, Stretch(accounts.law), Blend(accounts.law))
    apart = rows[1].p_star - rows[0].p_star
    blended = bridges.between(first, last, 2.0, 2.0 * apart, 0.1 * apart)
    assert math.isinf(bridges.bend)
    assert blended.late > 0
    needed = [accounts.pair(ray, radius)[1].p_star() for radius in (first + share * (last - first)).tolist()]
    found = bends.enough(rows[0], rows[1], share, blended, last - first)
    assert np.all(found > needed)
    assert np.all(found < np.array(needed) + 0.25 * apart)
    straight = bends.enough(rows[0], rows[1], share, blended._replace(late=0.0, off=0.0), last - first)
    assert np.any(straight < np.array(needed) - 1e-3 * apart)


def test_without_the_allowance_lines_would_lie_above_the_curve(accounts: Accounts) -> None:
    """The interpolated lines bound g at every p with the allowance, and do not without."""
    edges = p_grid(accounts, SPREAD)
    first, last = (whole_row(accounts, SPREAD, radius, edges) for radius in (FIRST, LAST))
    p = np.linspace(0.0, 1.0, 2001)
    straight = (first.intercept + bends.lines_at(last, first.slope)) / 2
    missed = bend(accounts.law, SPREAD.shift(1.0)) / 8 * (LAST - FIRST) ** 2 * first.slope / (1 + first.slope)
    truth = ndtr(ndtri(p) - (FIRST + LAST) / 2)

    def highest(intercepts: np.ndarray) -> np.ndarray:
        return np.asarray(np.max(first.slope * p[:, np.newaxis] + intercepts, axis=1))

    assert np.all(highest(straight - missed) <= truth + 1e-15)
    assert np.max(highest(straight) - truth) > 1e-3


def test_lines_of_other_slopes_are_lines_too(accounts: Accounts) -> None:
    row = whole_row(accounts, SPREAD, FIRST, p_grid(accounts, SPREAD))
    slopes = np.concatenate([[0.0], np.geomspace(1e-9, 1e9, 400)])
    p = np.concatenate([np.linspace(0, 1, 1001), 1 - np.geomspace(1e-3, 1e-12, 100)])
    lines = slopes[:, np.newaxis] * p + bends.lines_at(row, slopes)[:, np.newaxis]
    assert np.all(lines <= ndtr(ndtri(p) - FIRST) + 1e-15)


@pytest.mark.parametrize("rows", [(LAST, BEYOND), (FIRST, 0.75)], ids=["towards 0", "outwards"])
def test_what_is_refuted_is_not_certified(accounts: Accounts, rows: tuple[float, float]) -> None:
    edges = p_grid(accounts, SPREAD)
    at, beyond = (whole_row(accounts, SPREAD, radius, edges) for radius in rows)
    apart = abs(rows[1] - rows[0])
    share = np.linspace(0.0, 1.2, 25)
    away = share * apart
    missed = bend(accounts.law, SPREAD.shift(1.0)) / 2 * away * (apart + away)
    truth = ndtr(rows[0] + away * (1 if rows[1] < rows[0] else -1))
    found = bends.not_enough(edges, at, beyond, share, missed)
    assert np.all(found <= truth)
    assert np.all(found >= truth - 2 * missed - 2e-3)


def with_rows_at_powers_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables whose rows lie far apart, so that what is between them matters."""
    monkeypatch.setattr(strand, "LINE_SHARE", 60.0)
    monkeypatch.setattr(strand, "STAIR_SHARE", 60.0)


def test_whole_tables_of_coarse_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against p*(r) = Phi(r), at every lattice radius, without steps."""
    with_rows_at_powers_of_two(monkeypatch)
    monkeypatch.setattr(strand, "WORTHWHILE", 0.0)
    table, _ = build(Accounts(Gaussian(ONE), math.inf, 16, 1e-3), math.inf, 16)
    radius = table.lattice.radius(np.arange(len(table.enough)))
    assert np.all(table.enough >= ndtr(4 * radius))
    assert np.all(table.barely < ndtr(4 * radius) + 1e-15)


@pytest.mark.parametrize("name", sorted(HEAVY))
def test_heavy_tails(name: str) -> None:
    """In l-inf, where the worst direction is proved: within the tolerance of radii that were answered one by one."""
    noise, dim, tolerance = HEAVY[name], 12, 2e-3
    p = np.array([0.505, 0.53, 0.6, 0.7, 0.8, 0.9, 0.97, 0.995, 0.9999])
    single = [NeymanPearsonSolver().radii(noise, math.inf, dim, p[i : i + 1], 1 - p[i : i + 1]) for i in range(len(p))]
    radius, upper = np.concatenate([each.radius for each in single]), np.concatenate([each.upper for each in single])
    many = np.concatenate([p, np.linspace(0.5, 0.99, 50)])
    solver = NeymanPearsonSolver(NeymanPearsonSolver.Params(tolerance=tolerance))
    found = solver.radii(noise, math.inf, dim, many, 1 - many)
    assert found.guarantee == "proved"
    assert found.details["table"] is True
    width = tolerance * np.maximum(radius, floor(math.inf, dim))
    assert np.all(found.radius[: len(p)] <= upper)
    assert np.all(found.radius[: len(p)] >= radius - width)
    assert found.upper is not None
    assert np.all(found.upper[: len(p)] >= radius)
    assert np.all(found.upper[: len(p)] <= upper + 4 * width)


@pytest.mark.parametrize("runner_up", [False, True])
def test_cusps(runner_up: bool) -> None:
    """In l-inf, against radii that were answered one by one."""
    noise, dim, tolerance = cusp(0.5), 100, 2e-3
    p = np.array([0.505, 0.53, 0.6, 0.7, 0.8, 0.9, 0.97, 0.995, 0.9999])
    rest = (0.4 if runner_up else 1.0) * (1 - p)
    single = [NeymanPearsonSolver().radii(noise, math.inf, dim, p[i : i + 1], rest[i : i + 1]) for i in range(len(p))]
    radius, upper = np.concatenate([each.radius for each in single]), np.concatenate([each.upper for each in single])
    many = np.concatenate([p, np.linspace(0.5, 0.99, 50)])
    solver = NeymanPearsonSolver(NeymanPearsonSolver.Params(tolerance=tolerance))
    found = solver.radii(noise, math.inf, dim, many, np.concatenate([rest, 1 - many[len(p) :]]))
    assert found.guarantee == "proved"
    assert found.details["table"] is True
    width = (3 if runner_up else 1) * tolerance * np.maximum(radius, floor(math.inf, dim))
    assert np.all(found.radius[: len(p)] <= upper)
    assert np.all(found.radius[: len(p)] >= radius - width)
    assert found.upper is not None
    assert np.all(found.upper[: len(p)] >= radius)


@pytest.mark.parametrize("interpolated", [False, True], ids=["as it is", "without steps"])
@pytest.mark.parametrize("noise", [*HEAVY.values(), Triangular(ONE)], ids=[*HEAVY, "triangular"])
def test_with_a_runner_up(noise: ProductNoise, interpolated: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the right side of radii answered one by one; near, unless rows that need steps between them go without."""
    if interpolated:
        monkeypatch.setattr(two_sided, "CLOSE", 1e9)
    dim, tolerance = 12, 1e-2
    solver = NeymanPearsonSolver(NeymanPearsonSolver.Params(tolerance=tolerance))
    rng = np.random.default_rng(5)
    top = rng.uniform(0.3, 0.98, 40)
    runner = rng.uniform(0.02, 0.9, 40) * np.minimum(1 - top, top)
    found = solver.radii(noise, math.inf, dim, top, runner)
    assert found.details["table"] is True
    assert found.upper is not None
    for i in range(0, 40, 5):
        one = NeymanPearsonSolver().radii(noise, math.inf, dim, top[i : i + 1], runner[i : i + 1])
        assert one.upper is not None
        assert found.radius[i] <= one.upper[0]
        assert found.upper[i] >= one.radius[0]
        assert found.radius[i] >= one.radius[0] * (0.8 if interpolated else 1 - 3 * tolerance)


def test_more_confidence_is_never_a_smaller_radius() -> None:
    solver = NeymanPearsonSolver(NeymanPearsonSolver.Params(tolerance=1e-2))
    p = np.linspace(0.45, 0.999, 400)
    found = solver.radii(HEAVY["cauchy"], math.inf, 12, p, 0.3 * (1 - p)).radius
    lattice_step = 0.125 * 1e-2
    assert np.all(np.diff(found) >= -2 * lattice_step * found[1:])
