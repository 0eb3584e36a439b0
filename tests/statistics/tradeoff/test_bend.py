"""Along a ray H_r + m kappa / (1 + kappa) r^2 / 2 is convex: by quadrature, in closed form and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tradeoff_laws as laws
from scipy.special import ndtr

from robustbench_rs.api import NoiseParams
from robustbench_rs.statistics.tradeoff import Group, bend
from robustbench_rs_plugins.noises.cauchy import Cauchy
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.gaussian_laplace_mixture import GaussianLaplaceMixture
from robustbench_rs_plugins.noises.hyperbolic_secant import HyperbolicSecant
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.pareto import Pareto
from robustbench_rs_plugins.noises.student_t import StudentT
from robustbench_rs_plugins.noises.triangular import Triangular
from robustbench_rs_plugins.noises.uniform import Uniform

ONE = NoiseParams(scale=1.0)
LAWS = {
    "gaussian": Gaussian(ONE),
    "laplace": Laplace(ONE),
    "hyperbolic-secant": HyperbolicSecant(ONE),
    "triangular": Triangular(ONE),
    "cauchy": Cauchy(ONE),
    "student-t": StudentT(StudentT.Params(scale=1.0, df=3)),
    "pareto": Pareto(Pareto.Params(scale=1.0, a=1.5)),
    "mixture": GaussianLaplaceMixture(GaussianLaplaceMixture.Params(scale=1.0, weight=0.3)),
}
KAPPAS = np.array([0.05, 0.3, 0.8, 1.0, 1.2, 2.0, 5.0, 14.0, 40.0])
STEPS = (0.05, 0.2, 0.8)
"""Of r."""


def grid(width: float, cells: int) -> tuple[np.ndarray, float]:
    """Midpoints, and their distance; densities between them are constant, which rounds a kink by less than a cell."""
    gap = 2 * width / cells
    return -width + gap * (np.arange(cells) + 0.5), gap


def lacks(heights: dict[float, np.ndarray], r: float, step: float) -> np.ndarray:
    """By how much H falls short of convexity at r, over step^2 kappa / (1 + kappa)."""
    return (2 * heights[r] - heights[r - step] - heights[r + step]) / step**2 * (1 + KAPPAS) / KAPPAS


@pytest.mark.parametrize("name", sorted(LAWS))
def test_one_coordinate(name: str) -> None:
    """By quadrature. Somewhere at least a third of m is needed: the bound is not empty."""
    law = LAWS[name]
    z, gap = grid(60.0, 600_000)
    p = law.density(z)
    most, m = 0.0, bend(law, [Group(1.0, 1)])
    for r in (0.1, 0.5, 0.9, 1.5, 3.0, 6.0):
        for step in (share * r for share in STEPS):
            heights = {}
            for at in (r - step, r, r + step):
                q = law.density(z - at)
                heights[at] = np.array([np.maximum(kappa * p - q, 0.0).sum() * gap for kappa in KAPPAS])
            found = lacks(heights, r, step)
            assert np.all(found <= m + 3e-8 / step**2), (r, step)
            most = max(most, float(found.max()))
    assert most >= m / 3


@pytest.mark.parametrize("name", sorted(LAWS))
def test_two_coordinates(name: str) -> None:
    """Of different sizes, by quadrature in the plane."""
    law = LAWS[name]
    z, gap = grid(30.0, 2400)
    sizes = (0.8, 0.5)
    m = bend(law, [Group(sizes[0], 1), Group(sizes[1], 1)])
    p = np.multiply.outer(law.density(z), law.density(z))
    for r, step in ((0.8, 0.4), (2.0, 0.8)):
        heights = {}
        for at in (r - step, r, r + step):
            q = np.multiply.outer(law.density(z - at * sizes[0]), law.density(z - at * sizes[1]))
            heights[at] = np.array([np.maximum(kappa * p - q, 0.0).sum() * gap**2 for kappa in KAPPAS])
        assert np.all(lacks(heights, r, step) <= m + 3e-4 / step**2)


@pytest.mark.parametrize("count", [1, 3, 64, 3072])
def test_gaussian_closed_form(count: int) -> None:
    """H_r(kappa) = kappa Phi(ln kappa / R + R / 2) - Phi(ln kappa / R - R / 2), R the l2 norm of the shift."""
    m = bend(LAWS["gaussian"], [Group(1 / math.sqrt(count), count)])
    kappa = np.exp(np.linspace(-4, 8, 401))

    def height(r: float) -> np.ndarray:
        return np.asarray(kappa * ndtr(np.log(kappa) / r + r / 2) - ndtr(np.log(kappa) / r - r / 2))

    most = 0.0
    for r in np.linspace(0.2, 5.0, 49).tolist():
        found = (2 * height(r) - height(r - 0.05) - height(r + 0.05)) / 0.05**2 * (1 + kappa) / kappa
        assert np.all(found <= m)
        most = max(most, float(found.max()))
    assert m <= 10 * most


@pytest.mark.parametrize("name", ["triangular", "cauchy"])
def test_many_coordinates_by_simulation(name: str) -> None:
    """E(U_-), by 200,000 draws: below m except with probability 1e-9 (ten standard errors)."""
    law, count, step = LAWS[name], 40, 1e-4
    rng = np.random.default_rng(11)
    z = law.quantile(rng.uniform(size=(200_000, count)))
    with np.errstate(divide="ignore"):
        log = [np.log(law.density(z + shift * step)).sum(axis=1) for shift in (-1, 0, 1)]
    second = (np.exp(log[0] - log[1]) + np.exp(log[2] - log[1]) - 2.0) / step**2
    lost = np.maximum(-second, 0.0)
    assert lost.mean() - 10 * lost.std() / math.sqrt(len(lost)) <= bend(law, [Group(1.0, count)])
    assert bend(law, [Group(1.0, count)]) <= 4 * lost.mean()


def test_it_is_of_second_degree_in_the_sizes() -> None:
    shift = [Group(0.3, 5), Group(-0.1, 40)]
    for law in LAWS.values():
        double = bend(law, [Group(2 * each.size, each.count) for each in shift])
        assert double == pytest.approx(4 * bend(law, shift), rel=1e-12)


@pytest.mark.parametrize(
    "law",
    [Uniform(ONE), laws.skewed(), laws.cauchy(), laws.cauchy(turns=None), laws.generalized_normal(0.5), laws.laplace()],
    ids=[
        "a jump",
        "not symmetric",
        "no slope variation",
        "no turns",
        "a pole of the score",
        "not said to be continuous",
    ],
)
def test_unknown(law: object) -> None:
    assert bend(law, [Group(1.0, 3)]) == math.inf


def test_a_law_without_a_score_is_no_error() -> None:
    class Mute(Laplace):
        def score(self, z: np.ndarray) -> np.ndarray:
            raise NotImplementedError

    assert bend(Mute(ONE), [Group(1.0, 3)]) == math.inf
