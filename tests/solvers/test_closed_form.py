"""The closed-form solver: what the noise contributes, and refusals that help."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robustbench_rs.api import NoiseParams, ProductNoise
from robustbench_rs.testing import check_component
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.uniform import Uniform
from robustbench_rs_plugins.solvers.closed_form import ClosedFormSolver, robustbench_rs_solvers

SIGMA = NoiseParams(sigma=0.5)
SOLVER = ClosedFormSolver()


class Cauchy(ProductNoise):
    """No theorem: not log-concave."""

    name = "cauchy"
    symmetric = unimodal = True

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -np.log1p(np.square(z))


def test_conformance() -> None:
    results = check_component(ClosedFormSolver, noises=[Gaussian(SIGMA), Laplace(SIGMA), Uniform(SIGMA)])
    assert len(results) > 100
    assert [f"{result.name}: {result.message}" for result in results if not result.passed] == []
    assert robustbench_rs_solvers() == [ClosedFormSolver]


def test_cohen_2019() -> None:
    """sigma Phi^-1(pA): 0.5 x 1.2815515655446004, the published value for pA = 0.9."""
    radii = SOLVER.radii(Gaussian(SIGMA), 2.0, 3072, np.array([0.9, 0.5, 0.2]), np.array([0.1, 0.5, 0.8]))
    assert radii.radius.tolist() == pytest.approx([0.5 * 1.2815515655446004, 0.0, 0.0], rel=1e-12)
    assert radii.guarantee == "proved"
    assert radii.upper is not None
    assert radii.radius[0] < 0.5 * 1.2815515655446004 < radii.upper[0]
    assert radii.details["exact"] is True


def test_refusals_name_noise_norm_and_what_is_possible() -> None:
    assert SOLVER.refusal(Gaussian(SIGMA), math.inf, 3072) is None
    refusal = SOLVER.refusal(Laplace(SIGMA), 2.0, 3072)
    assert refusal is not None
    for part in ("laplace", "l2", "3072", "l1"):
        assert part in refusal
    nothing = SOLVER.refusal(Cauchy(NoiseParams(scale=1.0)), math.inf, 4)
    assert nothing is not None
    assert "no closed form at all" in nothing
    with pytest.raises(ValueError, match="laplace"):
        SOLVER.radii(Laplace(SIGMA), 2.0, 3072, np.array([0.9]), np.array([0.1]))


def test_limits_of_zero_and_one_give_no_nan() -> None:
    radii = SOLVER.radii(Gaussian(SIGMA), 2.0, 3, np.array([1.0, 1.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    assert radii.radius.tolist() == [math.inf, 0.0, 0.0]


def test_generic_closed_form_is_cut_at_zero() -> None:
    """The default l1 form of a log-concave family may be negative below 1/2; the solver is not."""

    class ByDensity(ProductNoise):
        """A Gaussian that states nothing but its density and facts."""

        name = "by-density"
        symmetric = unimodal = log_concave = True

        def log_density(self, z: np.ndarray) -> np.ndarray:
            return np.asarray(-0.5 * np.square(z))

    radii = SOLVER.radii(ByDensity(SIGMA), 1.0, 3, np.array([0.2, 0.5, 0.9]), np.array([0.8, 0.5, 0.1]))
    assert radii.radius[:2].tolist() == [0.0, 0.0]
    assert radii.upper is not None
    assert radii.upper[:2].tolist() == [0.0, 0.0]
    assert radii.radius[2] < 0.5 * 1.2815515655446004 < radii.upper[2]
    assert radii.upper[2] - radii.radius[2] < 1e-11
