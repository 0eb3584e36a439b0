"""Ways to make a certificate too large without noticing. Each test fails when its guard is taken away."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tradeoff_laws as laws
from scipy.special import ndtr, ndtri

from robustbench_rs.statistics.tradeoff import Group, account, convolution, lattice, trade_off
from robustbench_rs.statistics.tradeoff.cells import cut, loss, outline

SHIFTS = (0.01, 0.4, 1.3, 5.0)


def spread(found, step):
    """The pessimistic law of one coordinate on the lattice."""
    return lattice.onto_lattice(lattice.frequent(found), step, found.slack)


def test_a_circular_convolution_does_not_wrap(monkeypatch):
    """A window of +-32.8 at r = 5 wraps P-mass from the bottom to the top: 5 would be certified where 4.05 is right."""
    shift = [Group(5 / math.sqrt(3072), 3072)]
    assert ndtri(trade_off(laws.gaussian(), shift, 1e-3).p_star()) >= 5

    def narrow(parts, *, under_q):
        return int((32.8 if under_q else -32.8) / parts[0].law.step)

    monkeypatch.setattr(convolution, "_window", narrow)
    assert ndtri(trade_off(laws.gaussian(), shift, 1e-3).p_star()) < 4.9  # what the guard prevents


@pytest.mark.parametrize("name", sorted(laws.ALL))
@pytest.mark.parametrize("size", SHIFTS)
def test_extremes_hold_on_the_whole_cell(name, size):
    """Also where the ratio is not monotone between the ends of a cell. Cells are recovered by their order."""
    law = laws.ALL[name]
    for width in (0.5, 0.05):
        found = cut(law, size, width)
        edges = outline(law, size, width).edges
        assert len(found.p) == len(edges) + 1
        inside = edges[:-1, np.newaxis] + np.diff(edges)[:, np.newaxis] * np.linspace(0.002, 0.998, 41)
        value = loss(law, size, inside)
        here = np.isfinite(value)
        low, high = found.low[1:-1, np.newaxis], found.high[1:-1, np.newaxis]
        room = 1e-9 * (1 + np.abs(np.where(here, value, 0.0)))
        assert np.all((value >= low - room) | ~here)
        assert np.all((value <= high + room) | ~here)


def test_ends_of_a_cell_are_not_enough():
    """Cauchy's ratio has its extremes inside cells; without the claimed turns one would have to be lucky."""
    law = laws.cauchy()
    found = cut(law, 1.0, 0.5)
    edges = outline(law, 1.0, 0.5).edges
    truth = loss(law, 1.0, np.linspace(-20, 20, 400_001))
    assert loss(law, 1.0, edges).max() < truth.max() <= found.high[1:-1].max()
    assert loss(law, 1.0, edges).min() > truth.min() >= found.low[1:-1].min()


def test_unclaimed_turns_are_looked_for_but_prove_nothing():
    law = laws.cauchy(turns=None)
    curve = trade_off(law, [Group(0.7, 4)], 1e-3)
    assert not curve.proved
    assert trade_off(laws.cauchy(), [Group(0.7, 4)], 1e-3).proved
    assert curve.p_star() == pytest.approx(trade_off(laws.cauchy(), [Group(0.7, 4)], 1e-3).p_star(), abs=1e-4)


def test_merging_atoms_goes_the_other_way(monkeypatch):
    """Atoms moved into the means of their cells lose information: more would be certified."""
    shift = [Group(1.0, 2)]
    truth = ndtr(math.sqrt(2))
    assert trade_off(laws.gaussian(), shift, 1e-2).p_star() >= truth
    monkeypatch.setattr(account.Account, "_spread", lambda self: self._merged([2]))
    assert trade_off(laws.gaussian(), shift, 1e-2).p_star() < truth


def test_mass_lost_at_the_end_of_a_support_counts():
    """A truncated density taken as smooth would certify too much: here one coordinate leaves the support."""
    law = laws.triangular()
    for size in (0.1, 0.9, 1.7):
        atoms = lattice.single_atoms(cut(law, size, 0.05))
        assert atoms.gone >= float(law.cdf(np.array(-1 + size))) - 1e-12
        assert atoms.gone == pytest.approx(float(law.cdf(np.array(-1 + size))), abs=1e-3)
        assert atoms.come >= float(law.sf(np.array(1 - size))) - 1e-12


def test_a_support_that_was_not_declared_is_found():
    """log_density is -inf outside [-1, 1] though the support is said to be the line."""
    hidden = laws._family(laws.stats.uniform(-1, 2), symmetric=True, unimodal=True, log_concave=True)
    low = trade_off(hidden, [Group(0.01, 20)], 1e-3)
    assert 1.5 - 0.995**20 <= low.p_star() <= 1.5 - 0.995**20 + 1e-9


@pytest.mark.parametrize("step", [0.5, 0.05])
def test_lattice_laws_keep_both_masses_and_agree_with_their_ratios(step):
    for name in ("gaussian", "cauchy", "generalized-normal-0.5", "triangular"):
        found = cut(laws.ALL[name], 0.7, step / 3)
        for law in (spread(found, step), lattice.merged(found, step)):
            assert law.p.sum() + law.gone == pytest.approx(1, abs=1e-12)
            assert law.q.sum() + law.come == pytest.approx(1, abs=1e-12)
            assert np.all(law.p >= 0)
            assert np.allclose(law.q, law.p * np.exp(law.losses), rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("name", ["gaussian", "laplace", "cauchy", "generalized-normal-0.5", "triangular", "pareto-3"])
@pytest.mark.parametrize("step", [0.5, 0.05])
def test_convex_order(name, step):
    """H(x) = E(x - r)_+ of the spread law lies above, of the merged law below that of a much finer description."""
    fine = lattice.single_atoms(cut(laws.ALL[name], 0.7, 1e-3), optimistic=True)
    finest = lattice.single_atoms(cut(laws.ALL[name], 0.7, 1e-3))
    found = cut(laws.ALL[name], 0.7, step / 3)

    def hockey(loss, p, gone, x):
        return gone * x + np.maximum(x[:, np.newaxis] - np.exp(loss), 0.0) @ p

    x = np.exp(np.linspace(-4, 4, 200))
    above = spread(found, step)
    below = lattice.merged(found, step)
    least = hockey(fine.loss, fine.p, fine.gone, x)
    most = hockey(finest.loss, finest.p, finest.gone, x)
    assert np.all(hockey(above.losses, above.p, above.gone, x) >= least - above.slack * x - 1e-12)
    assert np.all(hockey(below.losses, below.p, below.gone, x) <= most + 1e-12 + below.slack * x)
    assert below.slack < 1e-9 or step == 0.5  # with a handful of points there may be no such law; then slack says so
