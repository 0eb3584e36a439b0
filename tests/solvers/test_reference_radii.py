"""Every row of the reference radii: 315 of Yang et al. 2020's code at d = 3,072, sigma = 0.5, each compared.

The rows fall into five kinds, named below with what separates them from ours.
"""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.special import gammaincinv

from robustbench_rs.api import Noise, ProductNoise, RadialNoise
from robustbench_rs.statistics.differential.radial import radial_radii
from robustbench_rs_plugins.noises.exp_l1 import ExpL1
from robustbench_rs_plugins.noises.exp_l2 import ExpL2
from robustbench_rs_plugins.noises.exp_linf import ExpLinf
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.generalized_normal import GeneralizedNormal
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.pareto import Pareto
from robustbench_rs_plugins.noises.power_linf import PowerLinf
from robustbench_rs_plugins.noises.uniform import Uniform
from robustbench_rs_plugins.noises.uniform_l2_ball import UniformL2Ball
from robustbench_rs_plugins.solvers.differential import DifferentialSolver

FAMILIES: dict[str, tuple[type[Noise], dict[str, str]]] = {
    "Gaussian": (Gaussian, {}),
    "Laplace": (Laplace, {}),
    "Uniform": (Uniform, {}),
    "UniformBall": (UniformL2Ball, {}),
    "Expp": (GeneralizedNormal, {"p": "beta"}),
    "Exp1": (ExpL1, {"k": "k"}),
    "Exp2": (ExpL2, {"k": "k", "j": "j"}),
    "ExpInf": (ExpLinf, {"k": "k", "j": "j"}),
    "Pareto": (Pareto, {"a": "a"}),
    "PowInf": (PowerLinf, {"a": "a"}),
}
"""Their name, our family, and its parameters by their names."""

FLOAT64 = "closed form in float64"
FLOAT32 = "closed form in float32"
TABLE = "differential method from a table"
APPROXIMATION = "approximation for many dimensions"
SCORE = "differential method of product noise with an unbounded score"
ROWS = {FLOAT64: 171, FLOAT32: 54, TABLE: 63, APPROXIMATION: 9, SCORE: 18}


@dataclass(frozen=True)
class Row:
    """One reference radius, with our noise."""

    noise: Noise
    dim: int
    norm: float
    p: np.ndarray
    radius: float
    scale: float
    kind: str


def _kind(name: str, args: dict[str, float], norm: float) -> str:
    if name in ("UniformBall", "Pareto") or (name == "Exp2" and args["k"] == 1):
        return FLOAT32
    if name == "Laplace" and math.isinf(norm):
        return APPROXIMATION
    if name == "Expp" and args["p"] < 1:
        return SCORE
    table = (name == "Exp1" and args["k"] != 1) or (
        math.isinf(norm) and (name == "PowInf" or (name == "ExpInf" and args["k"] != 1))
    )
    return TABLE if table else FLOAT64


def _row(fields: dict[str, str]) -> Row:
    family, names = FAMILIES[fields["noise"]]
    args: dict[str, float] = json.loads(fields["args"])
    params: dict[str, Any] = {names[key]: value for key, value in args.items()}
    noise = family(family.Params.model_validate({"sigma": float(fields["sigma"]), **params}))
    norm, p = float(fields["adv"]), np.array([float(fields["pA"])])
    kind = _kind(fields["noise"], args, norm)
    return Row(noise, int(fields["d"]), norm, p, float(fields["radius"]), float(fields["lambd"]), kind)


@pytest.fixture(scope="module")
def rows(data_dir: Path) -> list[Row]:
    with (data_dir / "reference_radii.csv").open(encoding="utf-8") as file:
        return [_row(fields) for fields in csv.DictReader(file)]


def _scale(noise: Noise, dim: int) -> float:
    if isinstance(noise, RadialNoise):
        return noise.scale_in(dim)
    assert isinstance(noise, ProductNoise)
    return noise.scale


def _errors(rows: list[Row], kind: str, ours: Callable[[Row], float]) -> np.ndarray:
    """Ours over theirs, less 1."""
    return np.array([ours(row) / row.radius - 1 for row in rows if row.kind == kind])


def _closed_form(row: Row) -> float:
    form = row.noise.closed_form(row.norm, row.dim)
    assert form is not None
    assert form.guarantee == "proved"
    return float(form.radius(row.p, 1 - row.p)[0])


def _differential(row: Row) -> float:
    assert isinstance(row.noise, RadialNoise)
    return float(radial_radii(row.noise, row.norm, row.dim, row.p, 1 - row.p)[0])


def _solver(row: Row) -> float:
    radii = DifferentialSolver().radii(row.noise, row.norm, row.dim, row.p, 1 - row.p)
    assert radii.guarantee == "proved"
    return float(radii.radius[0])


def test_every_row_has_its_kind(rows: list[Row]) -> None:
    assert dict(Counter(row.kind for row in rows)) == ROWS
    assert sum(ROWS.values()) == 315


def test_scales_at_equal_sigma(rows: list[Row]) -> None:
    """Their scale has the rounding of gamma functions near Gamma(3,072): up to 2e-12."""
    assert [_scale(row.noise, row.dim) for row in rows] == pytest.approx([row.scale for row in rows], rel=5e-12)


def test_closed_forms(rows: list[Row]) -> None:
    """Below 1e-9, as for all that is a formula; what is left is rounding down, and the scales above."""
    errors = _errors(rows, FLOAT64, _closed_form)
    assert len(errors) == ROWS[FLOAT64]
    assert np.max(np.abs(errors)) < 1e-11


def test_closed_forms_that_were_printed_in_single_precision(rows: list[Row]) -> None:
    """Their values are float32 numbers: half a unit in the last place is 6e-8 at most. The same formulas are compared
    with 40-digit arithmetic in tests/noises, below 1e-11."""
    assert all(float(np.float32(row.radius)) == row.radius for row in rows if row.kind == FLOAT32)
    assert np.max(np.abs(_errors(rows, FLOAT32, _closed_form))) < 2**-24


def test_tables(rows: list[Row]) -> None:
    """Their table of Phi is a grid in p: errors of up to 2e-5 near pA = 1/2 and 1e-5 at 0.99.

    Ours lies below theirs by at most 1.1e-5, and is proved. Their table ends at pA = 0.993, and beyond they go on in a
    straight line: at 0.999 and 0.9999 ours is 13 to 62 per cent more.
    """
    inside = [row for row in rows if float(row.p[0]) <= 0.99]
    errors = _errors(inside, TABLE, _differential)
    assert len(errors) == 49
    assert -1.1e-5 < np.min(errors) < 0 < np.max(errors) < 2e-5
    beyond = _errors([row for row in rows if float(row.p[0]) > 0.99], TABLE, _differential)
    assert len(beyond) == 14
    assert np.all((beyond > 0.12) & (beyond < 0.63))


def test_laplace_in_l_inf(rows: list[Row]) -> None:
    """Theirs is scale Phi^-1(pA) / sqrt(d), the limit for many dimensions. The sum of 3,072 signs has a little less
    in its tails than its normal limit, so that the differential radius is larger: by 1e-5 at 0.51, 1.5e-4 at 0.9999.
    """

    def as_radial(row: Row) -> float:
        same = ExpL1(ExpL1.Params(scale=row.scale, k=1.0))  # exp(-|x|_1 / scale)
        return float(radial_radii(same, row.norm, row.dim, row.p, 1 - row.p)[0])

    errors = _errors(rows, APPROXIMATION, as_radial)
    assert np.all(np.diff(errors) > 0)
    assert 1e-5 < errors[0] < errors[-1] < 1.6e-4
    assert _errors(rows, APPROXIMATION, _solver) == pytest.approx(errors, abs=1.1e-5)


def _bose(row: Row) -> float:
    """scale/p times the integral of x^(1/p - 1) / (exp(x) - 1) beyond v, P(1/p, v) = 2 (1 - pA), at 30 digits.

    For p < 1 the score falls on z > 0, so that Phi(s) = q(0) - q(t) with P(0 < Z < t) = s; then x = z^p.
    """
    assert isinstance(row.noise, GeneralizedNormal)
    power = row.noise.params.beta
    with mpmath.workdps(30):
        shape, mass = 1 / mpmath.mpf(power), 2 * (1 - mpmath.mpf(float(row.p[0])))
        guess = float(gammaincinv(1 / power, float(mass)))
        start = mpmath.findroot(
            lambda v: mpmath.gammainc(shape, 0, v, regularized=True) - mass, (guess, guess * 1.0001)
        )
        points = [start + step for step in (0, 1, 3, 10, 40, 200)]
        total = mpmath.quad(lambda x: x ** (shape - 1) / mpmath.expm1(x), points)
        return float(row.scale * shape * total)


def test_unbounded_scores(rows: list[Row]) -> None:
    """Generalised normal noise with p < 1, l1: theirs is an integral by quadrature, right to 1e-14 at p = 1/2; at p =
    0.2 it is too small by up to 3e-7, and by 4e-4 at pA = 0.9999.

    One coordinate is worst, so that the radius is that of exp(-|x|^p) in one dimension: ours is proved, and below the
    integral by at most 4e-5. For independent coordinates the solver takes nothing from the family's formulas but its
    score, and loses 1e-5 at p = 1/2 and up to 4 per cent at p = 0.2, whose score is a pole almost as steep as 1/z.
    """
    chosen = [row for row in rows if row.kind == SCORE]
    assert len(chosen) == ROWS[SCORE]
    for row in chosen:
        assert isinstance(row.noise, GeneralizedNormal)
        power, truth = row.noise.params.beta, _bose(row)
        assert 0 <= truth / row.radius - 1 + 1e-13 < (1e-12 if power == 0.5 else 1e-6 if row.p[0] < 0.9999 else 4e-4)
        same = ExpL2(ExpL2.Params(scale=row.scale, k=power))
        ours = float(radial_radii(same, row.norm, 1, row.p, 1 - row.p)[0])
        assert truth * (1 - 4e-5) < ours < truth
        assert truth * (1 - (1e-5 if power == 0.5 else 0.04)) < _solver(row) < truth


def test_solver_on_the_tables(rows: list[Row]) -> None:
    """The solver hands norm-radial noise to the same method."""
    chosen = [row for row in rows if row.kind == TABLE][::10]
    assert [_solver(row) for row in chosen] == pytest.approx([_differential(row) for row in chosen], rel=1e-12)


def test_beyond_the_published_l1_radius(rows: list[Row]) -> None:
    """Densities in |x|_inf: below p = 1 / (2d) Phi falls; the published formula leaves that out (3e-5 at 0.9999)."""
    flat = [row for row in rows if isinstance(row.noise, ExpLinf | PowerLinf) and row.norm == 1]
    assert len(flat) == 72
    for row in flat:
        gain = _differential(row) / row.radius - 1
        assert (1e-5 < gain < 4e-5) if row.p[0] == 0.9999 else abs(gain) < 2e-9
