"""Laws of the basic draws. Seeds are fixed; each test's chance of a false alarm, over seeds, is below 1e-7."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy import stats

from robustbench_rs.api import draws

FALSE_ALARM = 1e-7
SIZE = 200_000


def generator(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(shape, source, dtype=torch.float64):
    return draws.standard_normal(shape, source, "cpu", dtype)


def exponential(shape, source, dtype=torch.float64):
    return draws.standard_exponential(shape, source, "cpu", dtype)


def signs(shape, source, dtype=torch.float64):
    return draws.random_signs(shape, source, "cpu", dtype)


def uniform(shape, source, dtype=torch.float64):
    return draws.uniform(shape, source, "cpu").to(dtype)


@pytest.mark.parametrize(("draw", "law"), [(normal, stats.norm), (exponential, stats.expon), (uniform, stats.uniform)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_law(draw, law, seed):
    values = draw((SIZE,), generator(seed)).numpy()
    assert stats.kstest(values, law.cdf).pvalue > FALSE_ALARM


@pytest.mark.parametrize(("draw", "law"), [(normal, stats.norm), (exponential, stats.expon), (uniform, stats.uniform)])
@pytest.mark.parametrize("tail", [1e-2, 1e-4, 1e-5])
def test_both_tails_have_their_mass(draw, law, tail):
    values = draw((4_000_000,), generator()).numpy()
    for beyond in ((values > law.isf(tail)).sum(), (values < law.ppf(tail)).sum()):
        assert stats.binomtest(int(beyond), values.size, tail).pvalue > FALSE_ALARM


def test_signs_are_fair_and_independent():
    values = signs((SIZE,), generator()).numpy()
    assert set(np.unique(values)) == {-1.0, 1.0}
    for coins in (values, values[:-1] * values[1:], values[:-8] * values[8:]):
        assert stats.binomtest(int((coins > 0).sum()), coins.size).pvalue > FALSE_ALARM


def test_uniform_is_strictly_inside_and_symmetric():
    values = draws.uniform((100_000,), generator(), "cpu").numpy()
    cells = values * 2.0**52 - 0.5
    assert (cells == np.floor(cells)).all()
    extremes = draws._midpoints(np.array([0, 2**52 - 1], dtype=np.uint64))
    assert extremes[0] == 2.0**-53
    assert extremes[1] == 1 - 2.0**-53


@pytest.mark.parametrize("draw", [normal, exponential, signs, uniform])
def test_draws_come_from_the_generator_alone(draw):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    source = generator()
    one, two = draw((1000,), source), draw((1000,), source)
    assert torch.equal(one, draw((1000,), generator()))
    assert not torch.equal(one, two)
    assert not torch.equal(one, draw((1000,), generator(4)))
    assert torch.equal(torch.get_rng_state(), before)


def normal32(shape, source):
    return normal(shape, source, torch.float32)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_float32_normals_have_the_law_and_its_tails(seed):
    values = normal32((4_000_000,), generator(seed)).numpy().astype(np.float64)
    assert stats.kstest(values[:SIZE], "norm").pvalue > FALSE_ALARM
    for tail in (1e-2, 1e-4, 1e-5, stats.norm.sf(4.5), 1e-6):
        for beyond in ((values > stats.norm.isf(tail)).sum(), (values < stats.norm.ppf(tail)).sum()):
            assert stats.binomtest(int(beyond), values.size, tail).pvalue > FALSE_ALARM


def test_what_is_drawn_again_beyond_the_threshold_has_the_exact_tail(monkeypatch):
    """With the threshold at 1 a third of all values takes the path that replaces torch's cut tail."""
    plain = torch.empty(SIZE).normal_(generator=generator()).numpy()
    monkeypatch.setattr(draws, "TAIL", 1.0)
    values = normal32((SIZE,), generator()).numpy().astype(np.float64)
    again = np.abs(plain) > 1.0
    assert (values[~again] == plain[~again]).all()
    assert (np.sign(values) == np.sign(plain)).all()
    mass = stats.norm.sf(np.abs(values[again])) / stats.norm.sf(1.0)
    assert stats.kstest(mass, "uniform").pvalue > FALSE_ALARM
    assert abs(stats.spearmanr(np.abs(plain[again]), mass).statistic) < 6 / np.sqrt(again.sum())


def test_float32_exponentials_are_the_rounded_float64_ones():
    assert torch.equal(exponential((999,), generator(), torch.float32), exponential((999,), generator()).float())


@pytest.mark.parametrize("draw", [normal, exponential, signs, uniform])
@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (5, 3, 2)])
def test_shapes(draw, shape):
    values = draw(shape, generator(), torch.float32)
    assert values.shape == shape
    assert values.dtype == torch.float32


def test_importing_draws_does_not_import_torch():
    code = "import sys, robustbench_rs.api.draws; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
