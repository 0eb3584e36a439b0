"""Few big losses among many small ones: against characteristic functions in closed form, quadrature and enumeration."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import tradeoff_laws as laws
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from robustbench_rs.statistics.tradeoff import Account, Group, account, convolution, lattice, trade_off, two_scales
from robustbench_rs.statistics.tradeoff.cells import cut
from robustbench_rs.statistics.tradeoff.convolution import Bins
from robustbench_rs.statistics.tradeoff.lattice import Atoms

TRIANGULAR = laws.ALL["triangular"]
P = np.concatenate([np.linspace(0, 1, 401), np.geomspace(1e-9, 1e-2, 30), 1 - np.geomspace(1e-9, 1e-2, 30)])
NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)


def panels(edges):
    half = np.diff(edges) / 2
    return (edges[:-1] + half)[:, None] + half[:, None] * NODES, half[:, None] * WEIGHTS


def characteristic(s, omega):
    """E exp(i omega L) of one coordinate's finite losses under P, for the triangular law.

    At losses beyond ln(1 - s) on either side their density under P is s^2 e^L / abs(e^L - 1)^3. Where the integrand
    turns often, a turned path of integration makes it decay. Between them lies z in (0, s).
    """
    z, weights = panels(np.linspace(0, s, 3))
    total = np.sum(weights * (1 - z) * np.exp(1j * omega * (np.log1p(z - s) - np.log1p(-z))))
    if omega < 40:
        v, weights = panels(np.concatenate([[0.0], np.geomspace(1e-9 * s, 1 - s, 150)]))
        total += np.sum(weights * v * np.exp(1j * omega * np.log1p(s / v)))
        return total + np.sum(weights * (s + v) * np.exp(1j * omega * np.log(v / (s + v))))
    tau, weights = panels(np.concatenate([[0.0], np.geomspace(1e-3 * min(s, 1 / omega), 60 / omega, 40)]))
    end = -math.log1p(-s)
    for start, way in ((end, 1), (-end, -1)):
        loss = start + 1j * tau
        density = s**2 * np.exp(loss) / (way * np.expm1(loss)) ** 3
        total += way * 1j * np.exp(1j * omega * start) * np.sum(weights * density * np.exp(-omega * tau))
    return total


@cache
def truth(s, count):
    """p* by inversion. L under Q is distributed as -L under P, so the median m of L under P is all that is needed."""
    spread = s * math.sqrt(count * 6)
    omega, weights = panels(np.concatenate([np.geomspace(1e-9, 0.3, 40), np.arange(0.4, 16.0, 0.1)]) / spread)
    power = np.array([characteristic(s, each) for each in omega.ravel()]).reshape(omega.shape) ** count
    finite = (1 - s**2 / 2) ** count

    def below(t):
        return 1 - finite / 2 - np.sum(weights * np.imag(np.exp(-1j * omega * t) * power) / omega) / math.pi

    median = brentq(lambda t: below(t) - 0.5, -3 * spread, 3 * spread, xtol=1e-13 * spread)
    return below(-median)


def radius(p):
    return ndtri(p)


@pytest.mark.parametrize("count", [64, 784, 3072])
@pytest.mark.parametrize("total", [1e-4, 1e-3, 0.01, 0.1, 0.3])
@pytest.mark.parametrize("tolerance", [1e-4, 6e-4])
def test_triangular_noise_is_bracketed_closely(count, total, tolerance):
    size = total / math.sqrt(count)
    one = Account(TRIANGULAR, [Group(size, count)], tolerance)
    assert one._edge > 0 or total == 0.3  # what this module is about
    low, high = one.curve(), one.curve(optimistic=True)
    exact = truth(size, count)
    assert high.p_star() - 1e-11 <= exact <= low.p_star() + 1e-11
    assert radius(low.p_star()) <= radius(exact) * (1 + tolerance) + 1e-9
    assert radius(low.p_star()) - radius(high.p_star()) <= 2.5 * tolerance * radius(exact)
    assert len(low.losses) < 1 << 17
    assert np.all(low.left(P) <= high.left(P))


@pytest.mark.parametrize("size", [1e-4, 3e-3, 0.03])
def test_two_coordinates_by_quadrature(size):
    """P(L_1 + L_2 <= t) = E F(t - L), with F in closed form."""

    def below(t):
        s = size
        with np.errstate(all="ignore"):
            outer = 0.5 * np.square(s / np.expm1(np.abs(t))) * np.exp(np.where(t < 0, 2 * np.abs(t), 0))
            z = (np.expm1(t) + s) / (1 + np.exp(t))
        middle = 0.5 + z - np.sign(z) * z**2 / 2
        return np.where(t < math.log1p(-s), outer, np.where(t > -math.log1p(-s), 1 - outer, middle))

    ends = np.geomspace(1e-9, 0.5, 2000)  # kinks lie between: panels are narrow
    edges = np.concatenate([np.linspace(-1, 1, 6001), np.linspace(-2, 2, 1201) * size, -1 + size + ends, 1 - ends])
    edges = np.unique(edges[(edges > -1 + size) & (edges < 1)])
    z, weights = panels(edges)
    found = np.log1p(-np.abs(z - size)) - np.log1p(-np.abs(z))
    mass = weights * (1 - np.abs(z))

    def both(t):
        return size**2 / 2 + np.sum(mass * below(t - found))

    median = brentq(lambda t: both(t) - 0.5, -size, size, xtol=1e-12 * size)
    exact = both(-median)
    one = Account(TRIANGULAR, [Group(size, 2)], 1e-4)
    assert one._edge > 0 or size > 0.01
    low, high = one.curve().p_star(), one.curve(optimistic=True).p_star()
    assert high - 1e-6 * size <= exact <= low + 1e-6 * size
    assert low - high < 1e-3 * (exact - 0.5)


@pytest.fixture
def always(monkeypatch):
    """Two scales for laws that do not need them, too."""
    monkeypatch.setattr(account, "LONG", 4)
    monkeypatch.setattr(account, "FAR", 1.01)
    monkeypatch.setattr(account, "RARELY", 0.3)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("shift", [[Group(0.1, 9)], [Group(0.02, 3072)], [Group(0.05, 200), Group(-0.02, 900)]])
def test_gaussian_radii_are_bracketed(shift):
    total = math.sqrt(sum(group.count * group.size**2 for group in shift))
    one = Account(laws.gaussian(), shift, 1e-3)
    assert one._edge > 0
    low, high = one.curve(), one.curve(optimistic=True)
    exact = ndtr(ndtri(P) - total)
    assert np.all(low.left(P) <= exact + 1e-15)
    assert np.all(high.left(P) >= exact - 1e-15)
    assert total <= ndtri(low.p_star()) <= total * 1.01
    assert total >= ndtri(high.p_star()) >= total * 0.9


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("name", ["cauchy", "generalized-normal-0.5", "gumbel", "pareto-3"])
@pytest.mark.parametrize("shift", [[Group(0.3, 4)], [Group(0.02, 300)], [Group(0.4, 1), Group(-0.03, 200)]])
def test_other_laws_agree_with_one_lattice(name, shift, monkeypatch):
    sides = [trade_off(laws.ALL[name], shift, 3e-3, optimistic=side) for side in (False, True)]
    monkeypatch.setattr(account, "LONG", math.inf)
    plain = [trade_off(laws.ALL[name], shift, 1e-4, optimistic=side) for side in (False, True)]
    assert np.all(sides[0].left(P) <= plain[1].left(P) + 1e-15)
    assert np.all(sides[1].left(P) >= plain[0].left(P) - 1e-15)
    assert sides[0].p_star() == pytest.approx(plain[0].p_star(), rel=5e-3)


def test_a_group_with_big_losses_only_needs_one_lattice():
    groups = [two_scales.Losses(discrete([-1.0, 1.0], [0.3, 0.1]), 1, 0.0)]
    assert not two_scales.applies(groups, 0.1)
    assert two_scales.applies(groups, 1.0)
    shift = [Group(0.5, 1), Group(1e-4, 3000)]
    low, high = (trade_off(TRIANGULAR, shift, 1e-2, optimistic=side).p_star() for side in (False, True))
    assert float(TRIANGULAR.cdf(np.array(0.5))) <= low <= 0.9
    assert high <= low


def discrete(losses, p):
    """With masses p and e^L p, and what is missing at the infinities."""
    loss, p = np.asarray(losses), np.asarray(p)
    q = p * np.exp(loss)
    return Atoms(loss, p, q, 1 - p.sum(), 1 - q.sum())


def enumerated(atoms, count):
    """left(P) of ``count`` coordinates, from all their sums."""
    loss, p, q = np.zeros(1), np.ones(1), np.ones(1)
    for _ in range(count):
        loss, p, q = (loss[:, None] + atoms.loss).ravel(), np.outer(p, atoms.p).ravel(), np.outer(q, atoms.q).ravel()
    order = np.argsort(loss)
    gone = 1 - (1 - atoms.gone) ** count
    kept_p = np.concatenate([[0.0, gone], gone + np.cumsum(p[order])])
    kept_q = np.concatenate([[0.0, 0.0], np.cumsum(q[order])])
    return np.where(kept_p[-1] <= P, 1.0, np.interp(P, kept_p, kept_q))


EDGE = 0.05


def both_sides(atoms, count, step=0.004):
    groups = [two_scales.Losses(atoms, count, 0.0)]
    low = account._curve(two_scales.pessimistic(groups, step, EDGE), False, True)
    high = account._curve(two_scales.optimistic(groups, step, EDGE), True, True)
    return low, high


def some_atoms(seed, big=0.15, side=1):
    """Forty small losses and some big ones, ``big`` of the mass, on both sides or [``side`` 0] on one."""
    rng = np.random.default_rng(seed)
    sizes = np.exp(rng.uniform(math.log(0.06), math.log(4), 12)) * (rng.choice([-1, 1], 12) if side else 1)
    loss = np.concatenate([rng.uniform(-EDGE, EDGE, 40), sizes])
    weight = np.concatenate([rng.random(40) / 20, big * rng.random(12) / 6])
    p = np.minimum(weight, weight * np.exp(-loss))
    return discrete(loss, p / max(p.sum(), (p * np.exp(loss)).sum()) / 1.003)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_sum_by_enumeration(seed, count):
    atoms = some_atoms(seed, side=seed % 3)
    exact = enumerated(atoms, count)
    low, high = both_sides(atoms, count)
    assert np.all(low.left(P) <= exact + 1e-13)
    assert np.all(high.left(P) >= exact - 1e-13)
    assert np.max(exact - low.left(P)) < 0.15  # of one or two coordinates, another one tells much
    assert low.error_q < 1e-10


def unsound(atoms, count, step=0.004):
    """Whether either side is."""
    exact = enumerated(atoms, count)
    low, high = both_sides(atoms, count, step)
    return bool(np.any(low.left(P) > exact + 1e-6)), bool(np.any(high.left(P) < exact - 1e-6))


def test_big_losses_must_not_be_dropped(monkeypatch):
    """Without them P-mass at the bottom is missing."""
    atoms = some_atoms(1)
    assert unsound(atoms, 3) == (False, False)
    monkeypatch.setattr(two_scales, "_classes", lambda groups, edge: iter(()))
    assert unsound(atoms, 3)[0]


def test_rare_losses_go_to_the_infinities(monkeypatch):
    """With a larger share of rare ones, to see it: nothing may be lost."""
    monkeypatch.setattr(lattice, "RARE", 1e-2)
    shift = [Group(3e-4, 3072)]
    exact = truth(3e-4, 3072)
    assert trade_off(TRIANGULAR, shift, 1e-4).p_star() > exact

    def lost(atoms, farthest=60.0):
        near = np.abs(atoms.loss) <= farthest
        return Atoms(atoms.loss[near], atoms.p[near], atoms.q[near], atoms.gone, atoms.come)

    monkeypatch.setattr(lattice, "_cut_far", lost)
    assert trade_off(TRIANGULAR, shift, 1e-4).p_star() < exact


def test_rounding_losses_is_no_spread(monkeypatch):
    def down(atoms, step, slack):
        return plain(replace(atoms, loss=np.floor(atoms.loss / step) * step), step, slack)

    plain = two_scales.onto_lattice
    atoms = some_atoms(2)
    monkeypatch.setattr(two_scales, "RESOLUTION", 2)
    assert not unsound(atoms, 3, step=0.02)[0]
    monkeypatch.setattr(two_scales, "onto_lattice", down)
    assert unsound(atoms, 3, step=0.02)[0]


def test_a_spread_is_no_garbling(monkeypatch):
    atoms = some_atoms(3)
    monkeypatch.setattr(two_scales, "RESOLUTION", 3)
    assert not unsound(atoms, 3)[1]
    monkeypatch.setattr(two_scales, "_scaled", lambda atoms, step: lattice.onto_lattice(atoms, step, 0.0))
    assert unsound(atoms, 3)[1]


@pytest.mark.parametrize("step", [1e-4, 1e-3, 0.01, 0.3])
def test_sums_only_lose_information_on_a_coarser_lattice(step):
    """H(x) = E(x - r)_+ falls, whether there is a garbling of this kind or nothing is kept."""
    loss = 0.002 * np.linspace(-3, 3, 301)
    p = np.exp(-np.square(loss / 0.001 + 0.5) / 2)
    q = p * np.exp(loss)
    sums = Atoms(loss + math.log(p.sum() / q.sum()), p / p.sum(), q / q.sum(), 0.0, 0.0)
    law = two_scales._narrowed(sums, step, 0.0)
    x = np.exp(np.linspace(-0.01, 0.01, 500))[:, np.newaxis]
    before, after = (np.maximum(x - np.exp(each.loss), 0.0) @ each.p for each in (sums, two_scales._finite(law)))
    assert np.all(after <= before + law.slack + 1e-15)
    assert law.slack < 1e-11


def test_a_big_coordinate_takes_the_place_of_a_small_one(monkeypatch):
    """Both approximations of small^{*(k-N)} on the wrong side: k for the optimistic law claims too much is known."""
    atoms = some_atoms(5, big=0.3)
    monkeypatch.setattr(two_scales, "_most", lambda groups, edge: (0, 0.0))
    monkeypatch.setattr(two_scales, "RESOLUTION", 1000)
    monkeypatch.setattr(two_scales, "COARSER", 1)
    _, high = both_sides(atoms, 2, step=2e-4)
    assert np.any(high.left(P) < enumerated(atoms, 2) - 1e-6)


def test_masses_of_small_losses_shift_the_big_ones(monkeypatch):
    """Small losses of masses 0.9 and 0.6: without ln(m_P / m_Q) the order of the sums would be wrong."""
    atoms = discrete([-0.04, -0.03, 0.06, 0.5, 0.7], [0.3, 0.4, 0.02, 0.1, 0.08])
    assert not unsound(atoms, 3)[0]
    assert not unsound(discrete([-0.5, -0.7, 0.02, 0.04], [0.1, 0.08, 0.4, 0.4]), 3)[0]


@pytest.mark.parametrize("under_q", [False, True])
@pytest.mark.parametrize("side", [False, True])
def test_errors_of_every_piece_count_under_both_laws(under_q, side, monkeypatch):
    """Pieces that are wrong by what they say, on the unsafe side; the same pieces that say nothing deceive."""
    size, count, wrong = 1e-4, 784, 1e-5
    exact = truth(size, count)

    def disturbed(confess, module):
        calls = []

        def inverse(*given):
            calls.append(given)
            bins = plain(*given)
            if (len(calls) % 2 == 0) != under_q:
                return bins
            mass = bins.mass.copy()
            mass[0] += wrong * (1 if under_q != side else -1)
            honest = wrong if confess else 0.0
            return Bins(mass, bins.error + honest, bins.apart + honest)

        plain = convolution.inverse
        with monkeypatch.context() as patch:
            patch.setattr(module, "inverse", inverse)
            return trade_off(TRIANGULAR, [Group(size, count)], 1e-4, optimistic=side).p_star()

    for module in (convolution, two_scales):
        honest, deceived = disturbed(True, module), disturbed(False, module)
        assert honest <= exact if side else honest >= exact
        assert deceived > exact if side else deceived < exact


def test_logarithms_of_small_complex_numbers():
    """numpy's log1p has lost all digits of this real part."""
    z = np.array([-1.25e-13 + 5e-7j])
    exact = -1.25e-13 + 25e-14 / 2  # x + (y^2 - x^2) / 2 up to 1e-26
    assert abs(convolution.log1p(z).real[0] - exact) < 1e-24
    assert convolution.log1p(z).imag[0] == pytest.approx(5e-7, rel=1e-12)


def test_chords_exceed_the_law_by_no_more_than_said():
    """Random atoms in intervals, against chords at many points."""
    from robustbench_rs.statistics.tradeoff.garbling import largest_excess

    rng = np.random.default_rng(4)
    interval = np.sort(rng.integers(0, 30, 80))
    place, mass = rng.random(80), rng.random(80) * 10.0 ** rng.integers(-14, 0, 80)
    order = np.lexsort((place, interval))
    interval, place = interval[order], place[order]
    found = largest_excess(interval, place, mass, 30)
    u = np.linspace(0, 1, 2001)
    for each in range(30):
        here = interval == each
        height = np.maximum(u[:, None] - place[here], 0.0) @ mass[here]
        chord = u * height[-1]
        assert np.all(chord - height <= found[each] + 1e-30)
        assert found[each] <= np.max(chord - height) * 1.001 + 1e-12
        assert found[each] <= mass[here].sum() / 4 * (1 + 1e-12)


def test_cells_are_the_same_on_both_scales():
    """A law and its parts have one mass."""
    found = cut(TRIANGULAR, 1e-3, 1e-4)
    losses = two_scales.Losses(lattice.frequent(found, 3072), 3072, found.slack)
    small = losses.small(0.1)
    assert small.p.sum() + small.gone == pytest.approx(1, abs=1e-12)
    assert small.q.sum() + small.come == pytest.approx(1, abs=1e-12)
    big = losses.big((0.1, math.inf))
    assert np.allclose(big.q / big.p, np.exp(big.loss), rtol=1e-9)
    p, q = losses.masses(0.1)
    assert p * (1 + big.p.sum()) == pytest.approx(losses.masses(math.inf)[0], abs=1e-14)
    assert q * (1 + big.q.sum()) == pytest.approx(losses.masses(math.inf)[1], abs=1e-14)
