"""Laws known only by their density, against mpmath's distribution functions."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest
import torch

from robustbench_rs.api.inverse_cdf import inverse_cdf
from robustbench_rs.statistics.tabulated import MAX_U_ERROR, TabulatedLaw

INFINITE = (-math.inf, math.inf)


@dataclass(frozen=True)
class Known:
    """A density without its constant, its support, its true cdf at high precision, and its standard deviation."""

    log_density: Callable[[np.ndarray], np.ndarray]
    support: tuple[float, float]
    cdf: Callable[[Any], Any]
    std: float


def _student(df: float) -> Callable[[Any], Any]:
    def cdf(z: Any) -> Any:
        half = mpmath.betainc(df / 2, 0.5, 0, df / (df + z * z), regularized=True) / 2
        return half if z < 0 else 1 - half

    return cdf


def raised_cosine(z: np.ndarray) -> np.ndarray:
    return np.log1p(np.cos(np.pi * z))


LAWS = {
    "raised cosine": Known(
        raised_cosine,
        (-1.0, 1.0),
        lambda z: (1 + z + mpmath.sin(mpmath.pi * z) / mpmath.pi) / 2,
        math.sqrt(1 / 3 - 2 / math.pi**2),
    ),
    "logistic": Known(
        lambda z: -np.abs(z) - 2 * np.log1p(np.exp(-np.abs(z))),
        INFINITE,
        lambda z: 1 / (1 + mpmath.exp(-z)),
        math.pi / math.sqrt(3),
    ),
    "normal plus 1000": Known(lambda z: 1000 - z * z / 2, INFINITE, mpmath.ncdf, 1.0),
    "normal about 50": Known(lambda z: -((z - 50) ** 2) / 2, INFINITE, lambda z: mpmath.ncdf(z - 50), 1.0),
    "student 3": Known(lambda z: -2 * np.log1p(z * z / 3), INFINITE, _student(3), math.sqrt(3)),
    "student 2.05": Known(lambda z: -1.525 * np.log1p(z * z / 2.05), INFINITE, _student(2.05), math.sqrt(2.05 / 0.05)),
    "student 2": Known(lambda z: -1.5 * np.log1p(z * z / 2), INFINITE, _student(2), math.inf),
    "cauchy": Known(lambda z: -np.log1p(z * z), INFINITE, lambda z: 0.5 + mpmath.atan(z) / mpmath.pi, math.inf),
    "gumbel (skewed)": Known(
        lambda z: -z - np.exp(-z), INFINITE, lambda z: mpmath.exp(-mpmath.exp(-z)), math.pi / math.sqrt(6)
    ),
    "gamma 1/2 (a pole at 0)": Known(
        lambda z: -0.5 * np.log(z) - z,
        (0.0, math.inf),
        lambda z: mpmath.erf(mpmath.sqrt(z)),
        math.sqrt(0.5),
    ),
    "exponential of a root (a cusp)": Known(
        lambda z: -np.sqrt(np.abs(z)),
        INFINITE,
        lambda z: 0.5 + mpmath.sign(z) * (1 - (1 + mpmath.sqrt(abs(z))) * mpmath.exp(-mpmath.sqrt(abs(z)))) / 2,
        math.sqrt(120),
    ),
    "two intervals": Known(
        lambda z: np.where((np.abs(z) > 0.25) & (np.abs(z) < 0.75), 0.0, -np.inf),
        (-1.0, 1.0),
        lambda z: 0.5 + mpmath.sign(z) * min(max(abs(z) - 0.25, 0), 0.5),
        math.sqrt((0.75**3 - 0.25**3) / 1.5),
    ),
    "triangle with its top at 0.37": Known(
        lambda z: np.where(z < 0.37, np.log(z / 0.37), np.log((1 - z) / 0.63)),
        (0.0, 1.0),
        lambda z: z * z / mpmath.mpf(0.37) if z < 0.37 else 1 - (1 - z) ** 2 / (1 - mpmath.mpf(0.37)),
        math.sqrt((1 + 0.37**2 - 0.37) / 18),
    ),
    "step at 0.3": Known(
        lambda z: np.where(z < 0.3, 0.0, math.log(3)),
        (0.0, 1.0),
        lambda z: min(z, mpmath.mpf(0.3)) / 2.4 + max(z - mpmath.mpf(0.3), 0) / 0.8,
        math.sqrt((0.3**3 + 3 * (1 - 0.3**3)) / 7.2 - ((0.3**2 + 3 * (1 - 0.3**2)) / 4.8) ** 2),
    ),
}
P = np.concatenate([np.geomspace(1e-15, 0.1, 30), np.linspace(0.1, 0.9, 23), 1 - np.geomspace(1e-12, 0.1, 25)])


@pytest.fixture(scope="module")
def laws() -> dict[str, TabulatedLaw]:
    return {name: TabulatedLaw(known.log_density, known.support) for name, known in LAWS.items()}


@pytest.mark.parametrize("name", LAWS)
def test_stated_error_is_a_bound(name: str, laws: dict[str, TabulatedLaw]) -> None:
    law, known = laws[name], LAWS[name]
    assert 0 < law.u_error < 1e-11
    z = law.quantile(P)
    for zi, pi, ci in zip(z, P, law.cdf(z), strict=True):
        truth = known.cdf(mpmath.mpf(float(zi)))
        assert abs(truth - mpmath.mpf(float(pi))) <= law.u_error
        assert abs(truth - mpmath.mpf(float(ci))) <= law.u_error


@pytest.mark.parametrize("name", ["logistic", "student 3", "gumbel (skewed)", "normal plus 1000"])
def test_tails_keep_relative_precision(name: str, laws: dict[str, TabulatedLaw]) -> None:
    law, known = laws[name], LAWS[name]
    mass = np.geomspace(1e-20, 1e-3, 18)
    for q, z in zip(mass, law.isf(mass), strict=True):
        with mpmath.workdps(60):
            tail = 1 - known.cdf(mpmath.mpf(float(z)))
        assert float(tail) == pytest.approx(q, rel=1e-9)
        assert float(law.sf(np.array(z))) == pytest.approx(q, rel=1e-9)


@pytest.mark.parametrize("name", LAWS)
def test_std(name: str, laws: dict[str, TabulatedLaw]) -> None:
    assert laws[name].std == pytest.approx(LAWS[name].std, rel=1e-11)


@pytest.mark.parametrize("name", LAWS)
def test_sampler_error_is_a_bound_and_below_float32_resolution(name: str, laws: dict[str, TabulatedLaw]) -> None:
    """The inverse that draws are made of, at random and extreme u: true u' of the value against u."""
    law, known = laws[name], LAWS[name]
    assert law.sampler_error < MAX_U_ERROR
    rng = np.random.default_rng(5)
    u = np.concatenate([[2.0**-53, 1 - 2.0**-53, 0.5, 0.25], rng.random(300), 2.0 ** rng.uniform(-53, -1, 100)])
    before = torch.from_numpy(u)
    z = inverse_cdf(law.table, before)
    assert z.dtype == torch.float64
    assert torch.equal(before, torch.from_numpy(u))
    for ui, zi in zip(u, z.tolist(), strict=True):
        assert abs(known.cdf(mpmath.mpf(zi)) - mpmath.mpf(float(ui))) <= law.sampler_error
    rising = z.numpy()[np.argsort(u)]
    assert np.all(np.diff(rising) >= -4 * np.spacing(np.abs(rising[1:])))


def test_sampler_keeps_the_shape_and_the_tails(laws: dict[str, TabulatedLaw]) -> None:
    law = laws["cauchy"]
    assert inverse_cdf(law.table, torch.rand(2, 3, 4, dtype=torch.float64)).shape == (2, 3, 4)
    deep = inverse_cdf(law.table, torch.tensor([2.0**-50, 1 - 2.0**-50], dtype=torch.float64))
    assert deep.tolist() == pytest.approx([-(2.0**50) / math.pi, 2.0**50 / math.pi], rel=0.01)


def test_quantile_edges(laws: dict[str, TabulatedLaw]) -> None:
    assert laws["logistic"].quantile(np.array([0.0, 1.0])).tolist() == [-math.inf, math.inf]
    assert laws["raised cosine"].quantile(np.array([0.0, 1.0])).tolist() == [-1.0, 1.0]
    assert laws["raised cosine"].cdf(np.array([-2.0, 2.0])).tolist() == [0.0, 1.0]
    assert laws["raised cosine"].density(np.array([-2.0, 0.0])).tolist() == pytest.approx([0.0, 1.0])
    assert laws["logistic"].cdf(np.zeros((2, 0))).shape == (2, 0)
    with pytest.raises(ValueError, match="0, 1"):
        laws["logistic"].quantile(np.array([1.5]))


def test_travels_to_other_processes(laws: dict[str, TabulatedLaw]) -> None:
    law = TabulatedLaw(raised_cosine, (-1.0, 1.0))
    u = torch.tensor([0.1, 0.7], dtype=torch.float64)
    expected = inverse_cdf(law.table, u)
    assert torch.equal(inverse_cdf(pickle.loads(pickle.dumps(law)).table, u), expected)


@pytest.mark.parametrize(
    ("log_density", "support", "message"),
    [
        (lambda z: -np.log1p(np.abs(z)), INFINITE, "too heavy"),
        (lambda z: -0.51 * np.log1p(z * z), INFINITE, "too heavy"),
        (lambda z: 0.0 * z, INFINITE, "too heavy"),
        (lambda z: np.where(z > 2, np.nan, -z * z), INFINITE, "nan at z"),
        (lambda z: np.full(z.shape, -np.inf), INFINITE, "-inf in the whole"),
        (lambda z: -0.999 * np.log(np.abs(z)), (-1.0, 1.0), "pole"),
        (lambda z: -0.9 * np.log(np.abs(z - 0.5)), (0.0, 1.0), "pole"),
        (lambda z: z * z, INFINITE, "cannot be normalised"),
        (lambda z: 0.0, (0.0, 1.0), "shape"),
        (lambda z: -z * z, (1.0, 1.0), "empty"),
    ],
)
def test_what_cannot_be_normalised_is_refused(
    log_density: Callable[[np.ndarray], np.ndarray], support: tuple[float, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TabulatedLaw(log_density, support)
