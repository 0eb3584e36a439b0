"""Closed forms of the noises: reference radii of a published code, 50 digits, and properties."""

from __future__ import annotations

import csv
import itertools
import math
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robustbench_rs.api import NoiseParams, ProductNoise
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.uniform import Uniform

FAMILIES: list[type[ProductNoise]] = [Gaussian, Laplace, Uniform]
NORMS = (1.0, 2.0, 3.0, math.inf)
COVERED = {("Gaussian", "2.0"), ("Laplace", "1.0"), ("Uniform", "1.0"), ("Uniform", "inf")}


def test_reference_radii(data_dir: Path) -> None:
    """Yang et al. 2020's code at d = 3,072, sigma 0.5, in every norm in which these families have a theorem."""
    by_name = {family.__name__: family for family in FAMILIES}
    with (data_dir / "reference_radii.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (row["noise"], row["adv"]) in COVERED]
    assert len(rows) == 36
    for row in rows:
        noise = by_name[row["noise"]](NoiseParams(sigma=float(row["sigma"])))
        assert noise.scale == pytest.approx(float(row["lambd"]), rel=1e-12)
        form = noise.closed_form(float(row["adv"]), int(row["d"]))
        assert form is not None
        p = np.array([float(row["pA"])])
        assert form.radius(p, 1 - p)[0] == pytest.approx(float(row["radius"]), rel=1e-9), row


def _exact(name: str, norm: float, dim: int, p_lower: float, p_upper: float) -> mpmath.mpf:
    """The formulas of the literature at 60 digits, scale 1."""
    a, b = mpmath.mpf(p_lower), mpmath.mpf(p_upper)
    power = mpmath.mpf(0) if math.isinf(norm) else 1 / mpmath.mpf(norm)
    if name == "gaussian":
        return (_normal(a) - _normal(b)) / 2 * (mpmath.mpf(dim) ** (power - 0.5) if norm > 2 else 1)
    if name == "laplace":
        return (_laplace(a) - _laplace(b)) / 2
    gap = (a - b) / 2
    return 2 * gap if norm == 1 else 2 * mpmath.mpf(dim) ** power * (1 - (1 - gap) ** (mpmath.mpf(1) / dim))


def _normal(p: mpmath.mpf) -> mpmath.mpf:
    return mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1)


def _laplace(p: mpmath.mpf) -> mpmath.mpf:
    return mpmath.log(2 * p) if p < 0.5 else -mpmath.log(2 * (1 - p))


@pytest.mark.parametrize("dim", [1, 3072])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("family", FAMILIES)
def test_never_above_and_within_1e_11(family: type[ProductNoise], norm: float, dim: int) -> None:
    """Over pA from 0.5 + 1e-9 to 1 - 1e-12, binary and two-sided; ``upper`` is on the other side."""
    form = family(NoiseParams(scale=1.0)).closed_form(norm, dim)
    if form is None:
        assert family is Laplace
        assert norm > 1
        return
    rng = np.random.default_rng(2)
    p = np.concatenate(
        [[0.5 + 1e-9, 1 - 1e-12], 0.5 + 10 ** rng.uniform(-9, -0.4, 60), 1 - 10 ** rng.uniform(-12, -0.4, 60)]
    )
    pairs = [(x, 1 - x) for x in p] + [(x, (1 - x) * share) for x in p for share in (0.01, 0.5)]
    lower, upper = np.array(pairs).T
    assert form.upper is not None
    with mpmath.workdps(60):
        for (a, b), low, high in zip(pairs, form.radius(lower, upper), form.upper(lower, upper), strict=True):
            truth = _exact(family.name, norm, dim, float(a), float(b))
            assert mpmath.mpf(float(low)) <= truth <= mpmath.mpf(float(high)), (a, b)
            assert truth - mpmath.mpf(float(low)) <= mpmath.mpf(10) ** -11 * truth, (a, b)


@pytest.mark.parametrize("family", FAMILIES)
def test_zero_without_a_majority(family: type[ProductNoise]) -> None:
    noise = family(NoiseParams(sigma=0.25))
    lower = np.array([0.0, 0.3, 0.5, 0.4, 0.2, 0.5])
    upper = np.array([1.0, 0.7, 0.5, 0.4, 0.3, 0.6])
    for norm in NORMS:
        form = noise.closed_form(norm, 12)
        if form is not None:
            assert form.radius(lower, upper).tolist() == [0.0] * 6
            assert form.upper is not None
            assert form.upper(lower, upper).tolist() == [0.0] * 6


@given(
    p=st.floats(0.5, 1, exclude_max=True),
    q=st.floats(0.5, 1, exclude_max=True),
    scale=st.floats(1e-3, 1e3),
    dim=st.integers(1, 200_000),
)
@settings(max_examples=150, deadline=None)
@pytest.mark.parametrize("family", FAMILIES)
def test_order_of_norms_pa_and_scale(family: type[ProductNoise], p: float, q: float, scale: float, dim: int) -> None:
    """The balls grow with p: R1 >= R2 >= R3 >= Rinf; more confidence, more noise: more radius."""
    noise, unit = family(NoiseParams(scale=scale)), family(NoiseParams(scale=1.0))
    limits = np.sort(np.array([p, q]))
    found = []
    for norm in NORMS:
        form, other = noise.closed_form(norm, dim), unit.closed_form(norm, dim)
        if form is None or other is None:
            continue
        radius = form.radius(limits, 1 - limits)
        assert radius[0] <= radius[1]
        assert radius == pytest.approx(scale * other.radius(limits, 1 - limits), rel=1e-12)
        found.append(radius[1])
    assert all(a >= b * (1 - 1e-12) for a, b in itertools.pairwise(found))


def test_more_noise_of_another_family_is_not_more_radius_in_l2() -> None:
    """No i.i.d. noise beats the Gaussian for l2 at equal sigma in high dimension: a check of uniform's l2 form."""
    p, sigma = np.array([0.9]), NoiseParams(sigma=0.5)
    uniform, gaussian = (family(sigma).closed_form(2.0, 3072) for family in (Uniform, Gaussian))
    assert uniform is not None
    assert gaussian is not None
    assert uniform.radius(p, 1 - p)[0] < 0.1 * gaussian.radius(p, 1 - p)[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_default_l1_agrees_where_the_family_overrides_it(family: type[ProductNoise]) -> None:
    """Symmetric log-concave noise has R = F^-1(pA) in l1 by the general theorem too."""
    noise = family(NoiseParams(sigma=1.0))
    general, own = ProductNoise.closed_form(noise, 1.0, 5), noise.closed_form(1.0, 5)
    assert general is not None
    assert own is not None
    p = np.array([0.51, 0.7, 0.99, 0.9999])
    assert own.radius(p, 1 - p) == pytest.approx(general.radius(p, 1 - p), rel=1e-10)
    assert own.radius(p, (1 - p) / 3) == pytest.approx(general.radius(p, (1 - p) / 3), rel=1e-10)
