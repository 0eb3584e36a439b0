"""The first-party noises pass the suite that is shipped for everybody, and sample what they certify."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from robustbench_rs.api import Noise, NoiseParams, ProductNoise
from robustbench_rs.testing import check_component
from robustbench_rs_plugins.noises import gaussian, laplace, uniform

FAMILIES: list[type[ProductNoise]] = [gaussian.Gaussian, laplace.Laplace, uniform.Uniform]


@pytest.mark.parametrize("family", FAMILIES)
def test_conformance(family: type[Noise]) -> None:
    results = check_component(family)
    assert len(results) > 40
    assert [f"{result.name}: {result.message}" for result in results if not result.passed] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_sigma_and_scale(family: type[ProductNoise]) -> None:
    by_sigma = family(NoiseParams(sigma=0.25))
    by_scale = family(NoiseParams(scale=by_sigma.scale))
    assert by_sigma.sigma == 0.25
    assert by_scale.sigma == pytest.approx(0.25, rel=1e-15)
    known = {"gaussian": 1.0, "laplace": math.sqrt(2), "uniform": 1 / math.sqrt(3)}
    assert by_sigma.scale == pytest.approx(0.25 / known[family.name], rel=1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
@pytest.mark.parametrize("family", FAMILIES)
def test_sample_form(family: type[ProductNoise], dtype: torch.dtype) -> None:
    drawn = family(NoiseParams(sigma=0.5)).sample((5, 3, 2), torch.Generator().manual_seed(1), "cpu", dtype)
    assert drawn.shape == (5, 3, 2)
    assert drawn.dtype == dtype


def test_uniform_stays_in_its_cube() -> None:
    noise = uniform.Uniform(NoiseParams(scale=0.125))
    drawn = noise.sample((200_000,), torch.Generator().manual_seed(3), "cpu", torch.float64)
    assert float(drawn.abs().max()) < 0.125


@pytest.mark.parametrize("family", FAMILIES)
def test_tails_of_the_cdf_keep_relative_precision(family: type[ProductNoise]) -> None:
    noise = family(NoiseParams(scale=1.0))
    mass = np.array([1e-12, 1e-6, 1e-3, 0.1, 0.4])
    z = noise.quantile(mass)
    assert noise.cdf(z) == pytest.approx(mass, rel=1e-12 if family is not uniform.Uniform else 1e-4)
    assert noise.sf(-z) == pytest.approx(mass, rel=1e-12 if family is not uniform.Uniform else 1e-4)


@pytest.mark.parametrize("module", [gaussian, laplace, uniform])
def test_hook(module: object) -> None:
    (family,) = module.robustbench_rs_noises()  # type: ignore[attr-defined]
    assert issubclass(family, Noise)
