"""The first-party product noises pass the suite that is shipped for everybody, and sample what they certify."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from families import EXAMPLES, PLAIN, Example
from pydantic import ValidationError

from robustbench_rs.api import ProductNoise
from robustbench_rs.plugins import load_registry
from robustbench_rs.statistics import lower_limit, upper_limit
from robustbench_rs.testing import check_component
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.uniform import Uniform

FALSE_ALARM = 1e-9


def test_every_product_family_is_among_the_examples() -> None:
    found = {cls for cls in load_registry().components("noise") if issubclass(cls, ProductNoise)}
    assert found == {example.family for example in EXAMPLES}


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_conformance(example: Example) -> None:
    results = check_component(example.family, [example.make(scale=0.3).params])
    assert len(results) > 40
    assert [f"{result.name}: {result.message}" for result in results if not result.passed] == []


@pytest.mark.parametrize("example", [e for e in EXAMPLES if math.isfinite(e.make().std)], ids=str)
def test_sigma_and_scale(example: Example) -> None:
    by_sigma = example.make(sigma=0.25)
    by_scale = example.make(scale=by_sigma.scale)
    assert by_sigma.sigma == 0.25
    assert by_scale.sigma == pytest.approx(0.25, rel=1e-14)


@pytest.mark.parametrize("example", [e for e in EXAMPLES if math.isinf(e.make().std)], ids=str)
def test_sigma_is_refused_where_there_is_none(example: Example) -> None:
    assert example.make().sigma is None
    with pytest.raises(ValueError, match="no finite standard deviation: give 'scale'"):
        example.make(sigma=0.25)


def test_heavy_tails_are_among_them() -> None:
    infinite = {str(e) for e in EXAMPLES if math.isinf(e.make().std)}
    assert infinite == {
        "cauchy",
        *(f"student-t-df-{df}" for df in ("0.2", "0.5", "1")),
        *(f"pareto-a-{a}" for a in ("0.2", "0.5", "1")),
    }


@pytest.mark.parametrize(
    ("name", "params", "word"),
    [
        ("generalized-normal", {"scale": 1.0}, "beta"),
        ("generalized-normal", {"scale": 1.0, "beta": 0.0}, "beta"),
        ("generalized-normal", {"scale": 1.0, "beta": 1e9}, "beta"),
        ("student-t", {"scale": 1.0, "df": -1.0}, "df"),
        ("pareto", {"scale": 1.0, "a": 0.0}, "a"),
        ("gaussian-laplace-mixture", {"scale": 1.0, "weight": 1.1}, "weight"),
        ("exponential-mix", {"scale": 1.0, "weight": -0.1}, "weight"),
        ("logistic", {"scale": 1.0, "beta": 2.0}, "beta"),
        ("triangular", {"scale": 1.0, "sigma": 2.0}, "exactly one of"),
    ],
)
def test_parameters_out_of_range_are_refused(name: str, params: dict[str, float], word: str) -> None:
    family = load_registry().find("noise", name)
    with pytest.raises(ValidationError, match=word):
        family.Params.model_validate(params)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_sample_form(example: Example, dtype: torch.dtype) -> None:
    drawn = example.make(scale=0.5).sample((5, 3, 2), torch.Generator().manual_seed(1), "cpu", dtype)
    assert drawn.shape == (5, 3, 2)
    assert drawn.dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("example", [e for e in EXAMPLES if math.isinf(e.make().std)], ids=str)
def test_what_a_precision_cannot_hold_is_its_largest_number(example: Example, dtype: torch.dtype) -> None:
    """Of a million draws some are beyond float16, and the heaviest tails reach beyond float32."""
    drawn = example.make(scale=100.0).sample((1_000_000,), torch.Generator().manual_seed(2), "cpu", dtype)
    assert bool(torch.isfinite(drawn).all())
    if dtype == torch.float16:
        assert float(drawn.max()) == float(-drawn.min()) == torch.finfo(dtype).max


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.make().support == (-1.0, 1.0)], ids=str)
def test_draws_stay_in_the_support(example: Example) -> None:
    drawn = example.make(scale=0.125).sample((200_000,), torch.Generator().manual_seed(3), "cpu", torch.float64)
    assert float(drawn.abs().max()) < 0.125


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_tails_in_float32(example: Example) -> None:
    """Four million draws: the numbers beyond the quantiles of 1e-5 and 1e-6, within exact binomial limits."""
    noise = example.make()
    z = noise.sample((4_000_000,), torch.Generator().manual_seed(4), "cpu", torch.float32).numpy()
    for mass in (1e-5, 1e-6):
        limit = float(noise.quantile(np.array(1 - mass)))
        for count in (int(np.sum(z > limit)), int(np.sum(z < -limit))):
            assert lower_limit(count, z.size, FALSE_ALARM / 8) <= mass <= upper_limit(count, z.size, FALSE_ALARM / 8)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_nothing_overflows(example: Example) -> None:
    """Densities and scores at every size of float64: never NaN, and no warning."""
    noise = example.make()
    size = np.concatenate([[0.0, 5e-324], 10.0 ** np.arange(-300.0, 301.0, 20.0), [1.7e308, np.inf]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for z in (size, -size):
            log, score, density, mass = noise.log_density(z), noise.score(z), noise.density(z), noise.cdf(z)
            assert not np.any(np.isnan(log))
            assert not np.any(log == np.inf)
            assert not np.any(np.isnan(score))
            assert np.all(np.isfinite(density))
            assert np.all((mass >= 0) & (mass <= 1))
    assert np.all(noise.score(size) == -noise.score(-size))


LIMITS = [
    ("generalized-normal-beta-1", Laplace, 1.0),
    ("generalized-normal-beta-2", Gaussian, math.sqrt(0.5)),
    ("gaussian-laplace-mixture-weight-0", Gaussian, 1.0),
    ("gaussian-laplace-mixture-weight-1", Laplace, 1.0),
    ("exponential-mix-weight-0", Gaussian, math.sqrt(0.5)),
    ("exponential-mix-weight-1", Laplace, 1.0),
    ("student-t-df-1", next(e.family for e in PLAIN if e.family.name == "cauchy"), 1.0),
    ("generalized-normal-beta-1000", Uniform, 1.0),
]


@pytest.mark.parametrize(("name", "other", "scale"), LIMITS)
def test_a_special_case_is_the_other_family(name: str, other: type[ProductNoise], scale: float) -> None:
    noise = next(e for e in EXAMPLES if str(e) == name).make()
    same = other(other.Params.model_validate({"scale": scale}))
    z = np.linspace(-4, 4, 401)
    close = pytest.approx(same.cdf(z / scale), abs=1e-3 if other is Uniform else 1e-14)
    assert noise.cdf(z) == close
    if other is not Uniform:
        assert noise.score(z) * scale == pytest.approx(same.score(z / scale), rel=1e-12)
        assert noise.log_concave == same.log_concave
        assert noise.std * noise.scale == pytest.approx(same.std * same.scale, rel=1e-14)
        form, theirs = noise.closed_form(1.0, 7), same.closed_form(1.0, 7)
        assert (form is None) == (theirs is None)
        if form is not None and theirs is not None:
            p = np.array([0.5, 0.51, 0.9, 0.9999])
            assert form.radius(p, 1 - p) == pytest.approx(theirs.radius(p, 1 - p), rel=1e-11)


def test_facts_follow_the_parameters() -> None:
    claimed = {str(e) for e in EXAMPLES if e.make().log_concave}
    assert claimed == {
        *(str(e) for e in PLAIN if e.family.name != "cauchy"),
        *(f"generalized-normal-beta-{beta}" for beta in ("1", "1.5", "2", "3", "8", "1000")),
        "gaussian-laplace-mixture-weight-0",
        "gaussian-laplace-mixture-weight-1",
        *(f"exponential-mix-weight-{weight}" for weight in ("0", "0.5", "0.9999", "1")),
    }
    for example in EXAMPLES:
        noise = example.make()
        assert noise.symmetric
        assert noise.unimodal
        assert noise.log_concave or noise.score_turns is not None
        assert noise.continuous == (example.family is not Uniform)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_in_one_dimension_every_norm_is_l1(example: Example) -> None:
    noise, p = example.make(scale=0.3), np.array([0.6, 0.9, 0.999])
    form = noise.closed_form(1.0, 1)
    if form is None:
        assert not noise.log_concave
        return
    for norm in (2.0, 3.0, math.inf):
        other = noise.closed_form(norm, 1)
        assert other is not None
        assert other.radius(p, 1 - p) == pytest.approx(form.radius(p, 1 - p), rel=1e-12)
