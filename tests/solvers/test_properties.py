"""What every solver's radii must satisfy, for random noise, norm, dimension and limits."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robustbench_rs.api import Noise, Solver
from robustbench_rs.evaluation.solving import solve
from robustbench_rs.plugins import Registry, load_registry

EXAMPLES = settings(max_examples=30, deadline=None, derandomize=True)
REGISTRY = load_registry()
QUICK = [name for name in REGISTRY.names("solver") if REGISTRY.find("solver", name).effort < 2]
P = np.array([0.5, 0.5 + 1e-9, 0.501, 0.55, 0.6, 0.75, 0.9, 0.99, 0.999, 1 - 1e-6, 1 - 1e-9])

SHAPES = {
    "generalized-normal": {"beta": st.floats(0.3, 8.0)},
    "student-t": {"df": st.floats(0.5, 30.0)},
    "pareto": {"a": st.floats(0.5, 20.0)},
    "gaussian-laplace-mixture": {"weight": st.floats(0.0, 1.0)},
    "exponential-mix": {"weight": st.floats(0.0, 0.99)},
    "exp-l1": {"k": st.floats(0.6, 4.0)},
    "exp-l2": {"k": st.floats(0.6, 4.0), "j": st.sampled_from([0.0, 0.4])},
    "exp-linf": {"k": st.floats(0.6, 4.0), "j": st.sampled_from([0.0, 0.4])},
    "power-l2": {"a": st.floats(10.0, 40.0)},
    "power-linf": {"a": st.floats(10.0, 40.0)},
}


@st.composite
def laws(draw):
    """A family's name and its shape."""
    name = draw(st.sampled_from(REGISTRY.names("noise")))
    return name, {key: draw(values) for key, values in SHAPES.get(name, {}).items()}


NORMS = st.sampled_from([1.0, 1.5, 2.0, 3.0, math.inf])
DIMS = st.integers(1, 9)


def noise_of(law, scale):
    name, shape = law
    component = REGISTRY.find(Noise.kind, name)
    return component(component.Params.model_validate({**shape, "scale": scale}))


def offered(noise, norm, dim):
    """Every quick solver that answers."""
    solvers = [REGISTRY.find("solver", name)() for name in QUICK]
    return [solver for solver in solvers if solver.refusal(noise, norm, dim) is None]


def quick_registry():
    found = Registry()
    for name in QUICK:
        component = REGISTRY.find("solver", name)
        found.add(Solver.kind, component, REGISTRY.owner(component))
    return found


@EXAMPLES
@given(laws(), NORMS, DIMS, st.floats(0.01, 100.0))
def test_radii_scale_with_the_noise(law, norm, dim, scale):
    """Up to rounding: certificates are 1e-13 below, or what a formula's margin says."""
    for solver in offered(noise_of(law, 1.0), norm, dim):
        one, other = (solver.radii(noise_of(law, each), norm, dim, P, 1 - P).radius for each in (1.0, scale))
        assert other == pytest.approx(scale * one, rel=1e-9, abs=0)


@EXAMPLES
@given(laws(), NORMS, DIMS)
def test_more_of_the_top_class_never_shortens_a_radius(law, norm, dim):
    for solver in offered(noise_of(law, 1.0), norm, dim):
        radius = solver.radii(noise_of(law, 1.0), norm, dim, P, 1 - P).radius
        assert radius[0] == 0
        assert np.all(np.isfinite(radius))
        assert np.all(np.diff(radius) >= -1e-12 * radius[1:]), solver.name


@EXAMPLES
@given(laws(), NORMS, DIMS, st.floats(0.2, 0.999), st.floats(0.0, 1.0))
def test_knowing_the_runner_up_never_hurts_and_a_smaller_one_helps(law, norm, dim, top, share):
    most = min(top, 1 - top)
    runner_up = np.array([most, most * (0.1 + 0.9 * share), most * 0.1 * share + 1e-9])
    for solver in offered(noise_of(law, 1.0), norm, dim):
        radius = solver.radii(noise_of(law, 1.0), norm, dim, np.full(3, top), runner_up).radius
        assert np.all(np.diff(radius) >= -1e-9 * radius[1:]), solver.name


@EXAMPLES
@given(laws(), NORMS, DIMS, st.floats(0.5001, 0.9999))
def test_no_solver_proves_more_than_another_knows_to_be_too_much(law, norm, dim, top):
    noise, limits = noise_of(law, 1.0), (np.array([top]), np.array([1 - top]))
    answers = [solver.radii(noise, norm, dim, *limits) for solver in offered(noise, norm, dim)]
    proved = [float(answer.radius[0]) for answer in answers if answer.guarantee == "proved"]
    known = [float(answer.upper[0]) for answer in answers if answer.upper is not None]
    if proved and known:
        assert max(proved) <= min(known)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(laws(), st.floats(0.51, 0.9999), DIMS)
def test_radii_fall_with_the_order_of_the_norm(law, top, dim):
    """An l_p ball lies in the l_q ball of the same radius for p <= q; ``auto`` knows it for 1 < p < inf."""
    noise, limits = noise_of(law, 1.0), (np.array([top]), np.array([1 - top]))
    radii = []
    for norm in (2.0, 3.0, 8.0, math.inf):
        solved, _ = solve("auto", quick_registry(), noise, norm, *limits, dim)
        radii.append(float(solved[0].radius[0]) if solved and solved[0].guarantee == "proved" else 0.0)
    assert all(longer >= shorter * (1 - 1e-12) for longer, shorter in pairwise(radii))


TABLES = [name for name in REGISTRY.names("solver") if REGISTRY.find("solver", name).effort == 2]


@pytest.mark.slow
@pytest.mark.parametrize("solver", TABLES)
@pytest.mark.parametrize(("law", "norm"), [(("cauchy", {}), math.inf), (("logistic", {}), 1.0)])
def test_tables_scale_and_rise_too(solver, law, norm):
    """From tables (coarse ones: quickly built) and one by one: within the tolerance of each other."""
    component, limits = REGISTRY.find("solver", solver), np.linspace(0.52, 0.999, 40)
    coarse = {"tolerance": 0.01} if "tolerance" in component.Params.model_fields else {}
    found = component(component.Params.model_validate(coarse))
    one, other = (found.radii(noise_of(law, scale), norm, 3, limits, 1 - limits) for scale in (1.0, 12.5))
    assert other.radius == pytest.approx(12.5 * one.radius, rel=1e-12)
    assert np.all(np.diff(one.radius) >= 0)
    assert np.all(one.radius <= one.upper)
    for p in (0.6, 0.99):
        single = found.radii(noise_of(law, 1.0), norm, 3, np.array([p]), np.array([1 - p]))
        several = found.radii(noise_of(law, 1.0), norm, 3, np.append(limits, p), 1 - np.append(limits, p))
        assert single.radius[0] * (1 - 0.02) <= several.radius[-1] <= single.upper[0] * (1 + 1e-12)
