"""The differential method for norm-radial noise: Phi from above, against quadrature and exact radii."""

from __future__ import annotations

import math
import time

import mpmath
import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import betainc, ndtri
from scipy.stats import binom

from robustbench_rs.api import RadialNoise
from robustbench_rs.statistics.differential import cosine, radial
from robustbench_rs.statistics.differential.cosine import vertex
from robustbench_rs.statistics.differential.radial import radial_bound, radial_radii, radial_refusal, score_atoms
from robustbench_rs.statistics.radial.gamma_ratio import log_gamma_ratio
from robustbench_rs_plugins.noises.exp_l1 import ExpL1
from robustbench_rs_plugins.noises.exp_l2 import ExpL2
from robustbench_rs_plugins.noises.exp_linf import ExpLinf
from robustbench_rs_plugins.noises.power_l2 import PowerL2
from robustbench_rs_plugins.noises.power_linf import PowerLinf
from robustbench_rs_plugins.noises.uniform_l2_ball import UniformL2Ball

ORACLE = 1e-8
"""Relative error of :func:`true_phi`."""
P = np.array([0.5 + 1e-7, 0.51, 0.6, 0.75, 0.9, 0.99, 0.999, 0.999999])


def make(family: type[RadialNoise], **params: float) -> RadialNoise:
    return family(family.Params.model_validate({"scale": 1.0, **params}))


def cosine_excess(ball: float, norm: float, dim: int, t: np.ndarray) -> np.ndarray:
    """E(W - t)_+ from textbook formulas: the sphere's from its beta law, the signs' as a finite sum."""
    if ball == 2:
        power = math.exp(log_gamma_ratio((dim - 1) / 2, 0.5)) / math.sqrt(math.pi) / (dim - 1)
        inside = np.clip(t, 0, 1)
        above = betainc((dim - 1) / 2, (dim - 1) / 2, (1 - inside) / 2)
        return np.maximum(power * (1 - inside**2) ** ((dim - 1) / 2) - inside * above, 0.0)
    if ball == 1 and math.isinf(norm):
        k = np.arange(dim + 1)
        return np.maximum((2 * k - dim) - t[..., None], 0) @ binom.pmf(k, dim, 0.5)
    share = 0.5 / dim if math.isinf(ball) and norm == 1 else 0.5
    return share * np.maximum(1 - t, 0)


def true_phi(noise: RadialNoise, norm: float, dim: int, p: float) -> float:
    """min over tau of p tau + E(s W - tau)_+, convex in tau; the mean over rho by 2,000 Gauss-Legendre panels.

    Right to ``ORACLE``: the kink at s W = tau costs 3e-9 (against 200,000 panels, and an incomplete gamma function).
    """
    law = noise.norm_law(dim)
    edges = np.linspace(math.log(law.quantile(np.array(1e-16))), math.log(law.isf(np.array(1e-16))), 2001)
    nodes, weights = np.polynomial.legendre.leggauss(4)
    y = (edges[:-1] + np.diff(edges) * (1 + nodes[:, None]) / 2).ravel()
    mass = np.exp(law.log_density(np.exp(y)) + y) * (np.diff(edges) * weights[:, None] / 2).ravel()
    score = noise.score(np.exp(y))

    def line(tau: float) -> float:
        return p * tau + float(mass @ (score * cosine_excess(noise.ball, norm, dim, tau / score)))

    largest = float(score.max()) * (dim if noise.ball == 1 and math.isinf(norm) else 1)
    found = minimize_scalar(
        lambda log: line(math.exp(log)),
        bounds=(math.log(largest) - 40, math.log(largest)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return min(line(0.0), float(found.fun))


CASES = [
    (make(ExpL2, k=1.0), 2.0, 3),
    (make(ExpL2, k=3.0), 2.0, 16),
    (make(ExpL2, k=2.0, j=1.5), 2.0, 5),
    (make(ExpL2, k=0.5), 2.0, 4),
    (make(ExpLinf, k=2.0), math.inf, 3072),
    (make(ExpLinf, k=2.0, j=20.0), 1.0, 64),
    (make(ExpLinf, k=0.7), math.inf, 2),
    (make(ExpL1, k=2.0), math.inf, 9),
    (make(ExpL1, k=0.8), math.inf, 4),
    (make(ExpL1, k=10.0), 1.0, 3072),
    (make(PowerL2, a=70.0), 2.0, 64),
    (make(PowerLinf, a=3076.0), math.inf, 3072),
    (make(PowerLinf, a=2.5), 1.0, 2),
]


@pytest.mark.parametrize(("noise", "norm", "dim"), CASES, ids=lambda x: getattr(x, "name", str(x)))
def test_phi_is_an_upper_bound_and_close(noise: RadialNoise, norm: float, dim: int) -> None:
    bound = radial_bound(noise, norm, dim)
    for p in (0.5, 0.4, 0.1, 0.01, 1e-3, 1e-5):
        truth, ours = true_phi(noise, norm, dim, p), float(bound(np.array(p)))
        assert truth * (1 - ORACLE) <= ours <= truth * (1 + 1e-4), p


@pytest.mark.parametrize("dim", [1, 2, 3, 16, 784, 3072, 150_528])
def test_gaussian_noise_is_met_from_below(dim: int) -> None:
    """exp(-|x|_2^2) is Gaussian noise of sigma = 1 / sqrt(2), for which the differential method is exact."""
    noise = make(ExpL2, k=2.0)
    for norm, factor in ((1.0, 1.0), (2.0, 1.0), (4.0, dim**-0.25), (math.inf, dim**-0.5)):
        truth = ndtri(P) * factor / math.sqrt(2)
        radii = radial_radii(noise, norm, dim, P, 1 - P)
        assert np.all(radii <= truth)
        assert radii == pytest.approx(truth, rel=4e-5)


@pytest.mark.parametrize(("family", "norm"), [(ExpLinf, math.inf), (ExpL1, 1.0)])
@pytest.mark.parametrize("dim", [1, 2, 3072, 150_528])
def test_exponential_noise_is_met_from_below(family: type[RadialNoise], norm: float, dim: int) -> None:
    """-scale ln(2 (1 - pA)): a constant score."""
    truth = -np.log(2 * (1 - P))
    radii = radial_radii(make(family, k=1.0), norm, dim, P, 1 - P)
    assert np.all(radii <= truth * (1 + 1e-9))
    assert radii[1:] == pytest.approx(truth[1:], rel=1e-8)


@pytest.mark.parametrize("dim", [2, 3, 16, 3072, 150_528])
def test_exp_l2_against_its_closed_form(dim: int) -> None:
    noise = make(ExpL2, k=1.0)
    form = noise.closed_form(2.0, dim)
    assert form is not None
    truth, radii = form.radius(P, 1 - P), radial_radii(noise, 2.0, dim, P, 1 - P)
    assert np.all(radii <= truth * (1 + 1e-11))
    assert radii == pytest.approx(truth, rel=2e-5)


def test_power_law_in_one_dimension_is_pareto() -> None:
    """(2p - 1) / a 2F1(1, a/(a+1); 1 + a/(a+1); (2p - 1)^(1 + 1/a)) for the density (1 + abs(x))^-(a + 1)."""
    for a in (0.5, 3.0, 10.0):
        radii = radial_radii(make(PowerLinf, a=a + 1), 2.0, 1, P, 1 - P)
        for p, radius in zip(P, radii, strict=True):
            x, c = mpmath.mpf(2 * p - 1), mpmath.mpf(a) / (a + 1)
            truth = float(x / a * mpmath.hyp2f1(1, c, 1 + c, x ** (1 + 1 / mpmath.mpf(a))))
            assert radius <= truth
            assert radius == pytest.approx(truth, rel=5e-5)


def test_l1_of_a_flat_norm_is_linear_and_then_more() -> None:
    """Phi is E[score] / (2d) down to p = 1 / (2d): beyond pA = 1 - 1 / (2d) more than published."""
    noise, dim = make(ExpLinf, k=1.0), 100
    p = np.array([0.6, 0.9, 0.995, 0.999])
    radii = radial_radii(noise, 1.0, dim, p, 1 - p)
    assert radii[:3] == pytest.approx(2 * dim * (p[:3] - 0.5), rel=1e-8)
    assert radii[3] == pytest.approx(dim - 1 - math.log(2 * dim * 0.001), rel=1e-8)


def test_two_sided_and_without_a_majority() -> None:
    noise = make(ExpL2, k=2.0)
    lower, upper = np.array([0.9, 0.45, 0.7, 0.3, 0.5, 0.2]), np.array([0.02, 0.3, 0.3, 0.3, 0.5, 0.1])
    radii = radial_radii(noise, 2.0, 64, lower, upper)
    truth = (ndtri(lower) - ndtri(upper)) / 2 / math.sqrt(2)
    assert radii[[3, 4]].tolist() == [0.0, 0.0]
    rest = [0, 1, 2, 5]
    assert np.all(radii[rest] <= truth[rest])
    assert radii[rest] == pytest.approx(truth[rest], rel=2e-5)


@pytest.mark.parametrize(("noise", "norm", "dim"), CASES, ids=lambda x: getattr(x, "name", str(x)))
def test_monotone_and_scale_equivariant(noise: RadialNoise, norm: float, dim: int) -> None:
    p = np.sort(np.concatenate([0.5 + np.geomspace(1e-9, 0.4, 60), 1 - np.geomspace(1e-12, 0.1, 60)]))
    radii = radial_radii(noise, norm, dim, p, 1 - p)
    assert radii[0] > 0
    assert np.all(np.diff(radii) >= 0)
    fields = noise.params.model_dump(exclude={"scale", "sigma"})
    double = type(noise)(type(noise).Params.model_validate({**fields, "scale": 2.0}))
    assert radial_radii(double, norm, dim, p, 1 - p) == pytest.approx(2 * radii, rel=1e-12)


@pytest.mark.parametrize("dim", [2, 3, 4, 7, 16, 17, 3072])
def test_excess_of_random_signs(dim: int) -> None:
    w = vertex(1.0, math.inf, dim)
    assert w is not None
    t = np.concatenate([np.linspace(0, min(dim, 6 * math.sqrt(dim)), 97), [dim * 0.999, dim]])
    truth = cosine_excess(1.0, math.inf, dim, t)
    ours = w(t)
    assert np.all(ours >= truth * (1 - 1e-12))
    inside = t <= 6 * math.sqrt(dim)
    assert ours[inside] == pytest.approx(truth[inside], rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("dim", [2, 3, 5, 3072, 150_528])
def test_excess_of_the_sphere_is_an_upper_bound(dim: int) -> None:
    """Between table points too: K is convex, and the chord lies above."""
    w = vertex(2.0, 2.0, dim)
    assert w is not None
    t = np.linspace(0, min(1.0, 7 / math.sqrt(dim)), 10_007)[1:-1]
    truth, ours = cosine_excess(2.0, 2.0, dim, t), w(t)
    assert np.all(ours >= truth * (1 - 1e-9) - 1e-16)
    assert ours == pytest.approx(truth, rel=1e-4, abs=1e-12)


def test_cells_keep_the_mass_and_raise_the_mean() -> None:
    for noise, dim in ((make(ExpL2, k=2.0, j=1.5), 5), (make(PowerLinf, a=70.0), 64), (make(ExpLinf, k=0.5), 3)):
        atoms = score_atoms(noise, dim)
        mean = math.fsum(weight for weight, _ in noise.score_parts(dim))
        assert 1 <= math.fsum(atoms.masses) < 1 + 1e-7
        reached = float(atoms.scores @ atoms.masses) + atoms.surplus
        assert mean <= reached < mean * (1 + 1e-7)


@pytest.mark.parametrize(("inner", "farthest"), [(1, 0.049), (2, 0.01), (6, 1e-3), (1, 1e-12)])
@pytest.mark.parametrize(
    ("noise", "norm", "dim"),
    [
        *CASES,
        (make(ExpL2, k=2.0, j=1.9), 2.0, 3),
        (make(ExpLinf, k=2.0, j=10.0), math.inf, 20),
        (make(ExpLinf, k=6.0, j=3.0), 1.0, 5),
    ],
    ids=lambda x: getattr(x, "name", str(x)),
)
def test_a_handful_of_cells_is_still_an_upper_bound(
    monkeypatch: pytest.MonkeyPatch, noise: RadialNoise, norm: float, dim: int, inner: int, farthest: float
) -> None:
    """Soundness does not rest on fine cells: the unbounded ones, poles and turning points of the score then weigh."""
    monkeypatch.setattr(radial, "INNER", inner)
    monkeypatch.setattr(radial, "FARTHEST", farthest)
    bound = radial_bound(noise, norm, dim)
    for p in (0.5, 0.35, 0.2, 0.1, 0.03, 1e-3):
        assert float(bound(np.array(p))) >= true_phi(noise, norm, dim, p) * (1 - ORACLE), p


@pytest.mark.parametrize("dim", [16, 17, 3072])
def test_signs_beyond_the_table_are_bounded_by_a_chord(monkeypatch: pytest.MonkeyPatch, dim: int) -> None:
    monkeypatch.setattr(cosine, "SPREAD", 1.0)
    w = vertex(1.0, math.inf, dim)
    assert w is not None
    t = np.linspace(0, min(dim, 6 * math.sqrt(dim)), 97)
    assert np.all(w(t) >= cosine_excess(1.0, math.inf, dim, t) * (1 - 1e-12))


def test_moving_the_mass_to_the_lower_ends_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check against the exact Gaussian radius fails when a cell's score is taken at its lower end."""

    def optimistic(noise: RadialNoise, dim: int) -> radial.Atoms:
        edges = radial._edges(noise, dim)
        values = noise.score(edges)
        return radial.Atoms(values[:-1], radial._masses(noise.norm_law(dim), edges), 0.0)

    monkeypatch.setattr(radial, "score_atoms", optimistic)
    radii = radial_radii(make(ExpL2, k=2.0), 2.0, 16, P, 1 - P)
    assert np.any(radii > ndtri(P) / math.sqrt(2))


def test_refusals_say_why() -> None:
    assert radial_refusal(make(ExpL2, k=3.0), 2.0, 3072) is None
    assert "worst direction" in str(radial_refusal(make(ExpLinf), 2.0, 3072))
    assert "worst direction" in str(radial_refusal(make(ExpL1), 3.0, 3072))
    assert radial_refusal(make(ExpL1), 3.0, 1) is None
    assert "jumps" in str(radial_refusal(make(UniformL2Ball), 2.0, 3072))
    assert "a above 3072" in str(radial_refusal(make(PowerLinf, a=30.0), 1.0, 3072))
    assert "j below 2" in str(radial_refusal(make(ExpL2, j=2.0), 2.0, 2))
    with pytest.raises(ValueError, match="worst direction"):
        radial_radii(make(ExpLinf), 2.0, 3072, P, 1 - P)


@pytest.mark.parametrize("k", [0.5, 1.0, 2.0])
def test_a_pole_without_a_mean_score_is_refused(k: float) -> None:
    """E[j / rho] is finite exactly for j < d - 1."""
    for dim, j, refused in ((2, 0.9, False), (2, 1.0, True), (3, 1.9, False), (3, 2.5, True), (1, 0.5, True)):
        reason = radial_refusal(make(ExpL2, k=k, j=j), 2.0, dim)
        assert (reason is not None) == refused
        assert reason is None or "no mean" in reason


def test_ten_thousand_inputs() -> None:
    p = np.random.default_rng(1).uniform(0.5, 1, 10_000)
    start = time.process_time()
    radial_radii(make(ExpL2, k=3.0), 2.0, 3072, p, 1 - p)
    assert time.process_time() - start < 0.5
