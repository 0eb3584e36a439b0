"""Closed forms of the norm-radial families: 40 digits, the formulas of the literature, and brute force in the plane."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import plane
import pytest

from robustbench_rs.api import ClosedForm, RadialNoise
from robustbench_rs.statistics.differential.radial import radial_radii, radial_refusal
from robustbench_rs_plugins.noises.exp_l1 import ExpL1
from robustbench_rs_plugins.noises.exp_l2 import ExpL2
from robustbench_rs_plugins.noises.exp_linf import ExpLinf
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.power_l2 import PowerL2
from robustbench_rs_plugins.noises.power_linf import PowerLinf
from robustbench_rs_plugins.noises.uniform_l2_ball import UniformL2Ball

P = np.concatenate([0.5 + np.geomspace(1e-9, 0.2, 9), 1 - np.geomspace(1e-12, 0.25, 12)[::-1]])
NORMS = (1.0, 2.0, 3.0, math.inf)


def make(family: type[RadialNoise], **params: float) -> RadialNoise:
    return family(family.Params.model_validate({"scale": 1.0, **params}))


def closed_form(noise: RadialNoise, norm: float, dim: int) -> ClosedForm:
    form = noise.closed_form(norm, dim)
    assert form is not None
    assert form.guarantee == "proved"
    return form


def _sphere_mass(t: mpmath.mpf, n: int) -> mpmath.mpf:
    """P(0 < W < t), W a coordinate of a uniform point on the unit sphere of R^n."""
    constant = mpmath.gamma(mpmath.mpf(n) / 2) / mpmath.sqrt(mpmath.pi) / mpmath.gamma(mpmath.mpf(n - 1) / 2)
    angle = mpmath.asin(t)
    steps = [angle * k / 16 for k in range(17)]
    return constant * mpmath.quad(lambda a: mpmath.cos(a) ** (n - 2), steps)


@pytest.mark.parametrize("dim", [2, 3, 3072])
def test_exp_l2_at_40_digits(dim: int) -> None:
    """R = (d - 1) artanh(c) with P(W < c) = pA: c must not be beyond the quantile, and 1e-11 more must be."""
    radii = closed_form(make(ExpL2, k=1.0), 2.0, dim).radius(P, 1 - P)
    with mpmath.workdps(40):
        for p, radius in zip(P, radii, strict=True):
            low, high = (mpmath.tanh(mpmath.mpf(float(radius)) * (1 + s) / (dim - 1)) for s in (0, 1e-11))
            wanted = mpmath.mpf(float(p)) - 0.5
            assert _sphere_mass(low, dim) <= wanted <= _sphere_mass(high, dim)


@pytest.mark.parametrize("dim", [1, 3072])
@pytest.mark.parametrize(("lower_share", "upper_share"), [(1.0, 1.0), (0.6, 0.3)])
def test_uniform_ball_at_40_digits(dim: int, lower_share: float, upper_share: float) -> None:
    """2 - 4 BetaInv(3/4 - pA/2; (d+1)/2, (d+1)/2) in its two-sided form, and ``upper`` on the other side."""
    lower, upper = lower_share * P, (1 - P) * upper_share
    form = closed_form(make(UniformL2Ball), 2.0, dim)
    assert form.exact
    assert form.upper is not None
    with mpmath.workdps(40):
        for a, b, low, high in zip(lower, upper, form.radius(lower, upper), form.upper(lower, upper), strict=True):
            wanted = (mpmath.mpf(float(a)) - mpmath.mpf(float(b))) / 4
            assert _sphere_mass(mpmath.mpf(float(low)) / 2, dim + 2) <= wanted
            assert _sphere_mass(mpmath.mpf(float(high)) / 2, dim + 2) >= wanted
            assert low == pytest.approx(high, rel=1e-11)


def test_uniform_ball_in_one_dimension_is_uniform() -> None:
    radii = closed_form(make(UniformL2Ball), 2.0, 1).radius(P, 1 - P)
    assert radii == pytest.approx(2 * P - 1, rel=1e-11)


@pytest.mark.parametrize(("k", "j"), [(1.0, 0.0), (1.0, 10.0), (2.0, 0.0), (10.0, 5.0), (0.5, 3.5)])
@pytest.mark.parametrize("dim", [12, 3072, 150_528])
def test_flat_l1_formula(k: float, j: float, dim: int) -> None:
    """2 d / (d - 1) Gamma((d - j) / k) / Gamma((d - 1 - j) / k) (pA - 1/2) of Yang et al. 2020, never above."""
    form = closed_form(make(ExpLinf, k=k, j=j), 1.0, dim)
    assert not form.exact
    with mpmath.workdps(40):
        n, kk = mpmath.mpf(dim), mpmath.mpf(k)
        quotient = mpmath.exp(mpmath.loggamma((n - j) / kk) - mpmath.loggamma((n - 1 - j) / kk))
        for p, radius in zip(P, form.radius(P, 1 - P), strict=True):
            truth = 2 * n / (n - 1) * quotient * (mpmath.mpf(float(p)) - 0.5)
            assert mpmath.mpf(float(radius)) <= truth
            assert float(1 - mpmath.mpf(float(radius)) / truth) < 5e-12


def test_flat_l1_of_the_power_law() -> None:
    radii = closed_form(make(PowerLinf, a=3076.0), 1.0, 3072).radius(P, 1 - P)
    truth = 2 * 3072 / 4 * (P - 0.5)
    assert np.all(radii < truth)
    assert radii == pytest.approx(truth, rel=1e-11)


def test_special_cases_of_other_families() -> None:
    """exp(-|x|_2^2) is Gaussian; exp(-|x|_1) Laplace; exp(-|x|_inf) has Laplace's l-inf radius; all are one in 1-d."""
    for norm in NORMS:
        gaussian = Gaussian(Gaussian.Params.model_validate({"scale": math.sqrt(0.5)})).closed_form(norm, 48)
        assert closed_form(make(ExpL2, k=2.0), norm, 48).radius(P, 1 - P) == pytest.approx(
            gaussian.radius(P, 1 - P), rel=1e-12
        )
        for family in (ExpL2, ExpLinf, ExpL1):
            line = closed_form(make(family, k=1.0), norm, 1)
            assert line.exact
            assert line.radius(P, 1 - P) == pytest.approx(-np.log(2 * (1 - P)), rel=1e-11, abs=1e-16)
    for family, norm in ((ExpLinf, math.inf), (ExpL1, 1.0)):
        form = closed_form(make(family, k=1.0), norm, 48)
        assert form.exact
        assert form.radius(np.array([0.9, 0.45]), np.array([0.02, 0.3])) == pytest.approx(
            [(math.log(25) + math.log(5)) / 2, (math.log(0.9) - math.log(0.6)) / 2], rel=1e-11
        )


@pytest.mark.parametrize("dim", [1, 2, 48, 3072, 150_528])
@pytest.mark.parametrize(
    "noise", [make(ExpL2, k=1.0), make(ExpL2, k=2.0), make(ExpLinf, k=1.0), make(ExpL1), make(UniformL2Ball)]
)
def test_order_of_norms_and_of_limits(noise: RadialNoise, dim: int) -> None:
    """Exact radii fall as the balls grow with the norm; all grow with pA, vanish at 1/2 and stay below ``upper``."""
    found: list[np.ndarray] = []
    for norm in NORMS:
        form = noise.closed_form(norm, dim)
        if form is None:
            continue
        radii = form.radius(P, 1 - P)
        assert np.all(np.diff(radii) > 0)
        assert form.radius(np.array([0.5, 0.3]), np.array([0.5, 0.4])).tolist() == [0.0, 0.0]
        assert form.upper is None or np.all(radii < form.upper(P, 1 - P))
        found += [radii] if form.exact else []
    assert found or noise.name == "exp-l2"
    assert all(np.all(a >= b * (1 - 1e-11)) for a, b in itertools.pairwise(found))


EXTENT = {"exp-l2": 15.0, "exp-linf": 16.0, "exp-l1": 16.0, "uniform-l2-ball": 2.2, "power-linf": 9.0, "power-l2": 9.0}
IN_THE_PLANE = [
    (make(ExpL2, k=1.0), (1.0, 2.0, math.inf)),
    (make(ExpLinf, k=1.0), (1.0, math.inf)),
    (make(ExpL1, k=1.0), (1.0, math.inf)),
    (make(UniformL2Ball), (1.0, 2.0, math.inf)),
    (make(PowerLinf, a=14.0), (1.0, math.inf)),
    (make(PowerL2, a=14.0), (2.0,)),
    (make(ExpL1, k=2.0), (1.0, math.inf)),
    (make(ExpLinf, k=3.0, j=0.5), (1.0, math.inf)),
]
DIRECTIONS = [np.array([math.cos(a), math.sin(a)]) for a in np.linspace(0, math.pi / 4, 3)]


def _radii(noise: RadialNoise, norm: float, p: np.ndarray, upper: np.ndarray) -> list[tuple[np.ndarray, bool]]:
    """What is claimed in the plane, by formula and by the differential method, and whether it is exact."""
    form = noise.closed_form(norm, 2)
    claimed = [] if form is None else [(form.radius(p, upper), form.exact)]
    if radial_refusal(noise, norm, 2) is None:
        claimed.append((radial_radii(noise, norm, 2, p, upper), False))
    assert claimed
    return claimed


def _certified(noise: RadialNoise, shift: np.ndarray, limits: tuple[float, ...]) -> bool:
    return plane.atoms(noise, shift, EXTENT[noise.name]).certified(*limits)


@pytest.mark.parametrize(("noise", "norms"), IN_THE_PLANE, ids=lambda x: getattr(x, "name", ""))
def test_brute_force_in_the_plane(noise: RadialNoise, norms: tuple[float, ...]) -> None:
    """No shift of 98 per cent of a radius is dangerous, in any direction; 102 of an exact one is in the worst."""
    lower, upper = np.array([0.6, 0.98, 0.6]), np.array([0.4, 0.02, 0.1])
    for norm in norms:
        units = [direction / np.linalg.norm(direction, ord=norm) for direction in DIRECTIONS]
        for radii, exact in _radii(noise, norm, lower, upper):
            for a, b, radius in zip(lower, upper, radii, strict=True):
                limits = (a,) if a + b == 1 else (a, b)
                assert all(_certified(noise, 0.98 * radius * unit, limits) for unit in units), (norm, limits)
                if exact:
                    assert not all(_certified(noise, 1.02 * radius * unit, limits) for unit in units), (norm, limits)
