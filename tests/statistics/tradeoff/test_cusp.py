"""H of one coordinate bends downwards by at most V: in closed form, and by quadrature."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cusped_heights import SLOPES, height, law
from heavy_tails import HEAVY_TAILS

from robustbench_rs.api import NoiseParams
from robustbench_rs.statistics.tradeoff.cusp import CuspBends
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.logistic import Logistic
from robustbench_rs_plugins.noises.triangular import Triangular

ONE = NoiseParams(scale=1.0)
LAWS = {**HEAVY_TAILS, "laplace": Laplace(ONE)}


@pytest.mark.parametrize("beta", [0.2, 0.5, 0.8])
def test_in_closed_form(beta: float) -> None:
    """Never more than V, somewhere at least three tenths of it."""
    noise = law(beta)
    bends, share = CuspBends(noise), 0.0
    for r in (1e-3, 0.1, 1.0, 10.0):
        step = r / 64
        steepest = math.exp((r + step) ** beta)
        bound = bends.between(r - step, r + step, steepest)
        assert bound <= bends.between(r - step, r + step)
        before, here, after = (height(noise, at, SLOPES) for at in (r - step, r, r + step))
        bent = float(np.max(2 * here - before - after)) / step**2
        assert bent <= bound + 1e-13 / step**2
        share = max(share, bent / bound)
    assert share > 0.3


@pytest.mark.parametrize("name", sorted(LAWS))
def test_by_quadrature(name: str) -> None:
    noise = LAWS[name]
    bends, share = CuspBends(noise), 0.0
    far = np.geomspace(4, 1e7, 30_001)[1:]
    edges = np.concatenate([-far[::-1], np.linspace(-4, 4, 80_001), far])
    kappas = np.array([0.05, 0.3, 0.8, 1.0, 1.2, 2.0, 5.0, 14.0, 60.0])
    for first, last in ((0.1, 0.14), (0.9, 1.0), (1.5, 3.0), (6.0, 8.0), (30.0, 40.0)):
        z = np.unique(np.concatenate([edges, edges + first, edges + last]))
        z, gap = (z[1:] + z[:-1]) / 2, np.diff(z)
        p = noise.density(z) * gap
        heights = [
            np.array([np.maximum(kappa * p - noise.density(z - r) * gap, 0.0).sum() for kappa in kappas])
            for r in (first, (first + last) / 2, last)
        ]
        bent = (2 * heights[1] - heights[0] - heights[2]) / ((last - first) / 2) ** 2
        bound = bends.between(first, last)
        assert np.all(bent <= bound + 1e-7 * (1 + kappas) / (last - first) ** 2), (first, last)
        share = max(share, float(np.max(bent)) / bound)
    assert share > 0.1


def test_where_nothing_is_known() -> None:
    assert CuspBends(Laplace(ONE)).between(1e-13, 2e-13) == math.inf
    assert CuspBends(Laplace(ONE)).between(50.0, 60.0) == math.inf
    assert CuspBends(Logistic(ONE)).between(1.0, 1.1) < math.inf
    assert CuspBends(Triangular(ONE)).between(0.5, 0.6) == math.inf  # the ratio is infinite in places
    assert CuspBends(law(8.0)).between(0.5, 0.6) == math.inf  # its score rises: no end of the ratio
