"""Each check of draws fails for a sampler in which that one thing is wrong, in the place where it is wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from robustbench_rs.api import Noise, NoiseParams, ProductNoise, VectorNoise
from robustbench_rs.testing import balance, closed_forms, sampler, vector
from robustbench_rs.testing.closed_forms import ClosedForm
from robustbench_rs.testing.result import FALSE_ALARM, run

UNIT = NoiseParams(scale=1.0)
EVERYWHERE = "sample has one law in every precision and on every device"


class Normal(ProductNoise):
    """Correct."""

    name = "normal"
    symmetric = unimodal = log_concave = True

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -np.square(z) / 2

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        z = torch.randn(shape, generator=generator, device=device, dtype=torch.float64)
        return self.bent(z, dtype).mul(self.scale).to(dtype)

    def bent(self, z: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return z

    def draws(self, count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
        return self.scale * rng.standard_normal((count, dim))


def product(noise: ProductNoise) -> set[str]:
    results = run(sampler.AGAINST_CDF, sampler.Sampled(noise), "") + run(balance.CHECKS, noise, "")
    results += run(sampler.CHECKS, noise, "")
    return {result.name for result in results if not result.passed}


def test_what_is_right_passes() -> None:
    assert product(Normal(NoiseParams(scale=0.3))) == set()


class WideInSingle(Normal):
    """Too wide, in float32 only."""

    def bent(self, z: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return z * 1.05 if dtype == torch.float32 else z


class WideInDouble(Normal):
    def bent(self, z: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return z * 1.05 if dtype == torch.float64 else z


class WideInHalf(Normal):
    def bent(self, z: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return z * 1.05 if dtype == torch.bfloat16 else z


class CoarseInHalf(Normal):
    """Rounded to a grid that is far coarser than bfloat16."""

    def bent(self, z: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return (z * 8).round() / 8 if dtype == torch.bfloat16 else z


class ShortInSingle(Normal):
    """The tails end at 3.5 standard deviations."""

    def bent(self, z: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return z.clamp(-3.5, 3.5) if dtype == torch.float32 else z


class Refuses(Normal):
    """Says clearly that a precision is not offered."""

    def bent(self, z: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        if dtype == torch.bfloat16:
            raise ValueError("normal noise is drawn in float32 and float64, not in bfloat16")
        return z


class Crashes(Refuses):
    def bent(self, z: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        if dtype == torch.bfloat16:
            raise RuntimeError('"normal_cpu" not implemented')
        return z


class Substitutes(Normal):
    """float32 where bfloat16 was asked for."""

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        return super().sample(shape, generator, device, torch.float32 if dtype == torch.bfloat16 else dtype)


class WideDraws(Normal):
    def draws(self, count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
        return 1.05 * super().draws(count, dim, rng)


class FlatDraws(Normal):
    """Of another shape."""

    def draws(self, count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
        return super().draws(count, dim, rng).ravel()


class RestlessDraws(Normal):
    def draws(self, count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
        return super().draws(count, dim, np.random.default_rng())


class WrongJoint(Normal):
    """The joint density of noise with another scale."""

    def joint_log_density(self, x: np.ndarray) -> np.ndarray:
        return super().joint_log_density(x) * 1.3


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (WideInSingle, {"sample follows the cdf", "sample has the tails of the cdf"}),
        (WideInDouble, {EVERYWHERE}),
        (WideInHalf, {EVERYWHERE}),
        (CoarseInHalf, {EVERYWHERE}),
        (ShortInSingle, {"sample has the tails of the cdf"}),
        (Refuses, set()),
        (Crashes, {EVERYWHERE}),
        (Substitutes, {EVERYWHERE}),
        (WideDraws, {"draws have the joint density"}),
        (FlatDraws, {"draws have the joint density"}),
        (RestlessDraws, {"draws are reproducible"}),
        (WrongJoint, {"draws have the joint density"}),
    ],
)
def test_what_is_wrong_with_a_product_sampler_is_named(family: type[ProductNoise], expected: set[str]) -> None:
    assert product(family(UNIT)) == expected


class Cone(VectorNoise):
    """Density exp(-|z|_2) of vectors; correct."""

    name = "cone"

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -np.linalg.norm(z, axis=-1)

    def std(self, dim: int) -> float:
        return math.sqrt(dim + 1)

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        count, dim = shape[0], math.prod(shape[1:])
        steps = torch.empty((count, dim), dtype=torch.float64, device=device).exponential_(generator=generator)
        x = self.rays(count, dim, generator, device) * self.bent(steps.sum(dim=1), dtype)[:, None]
        return (self.scale_in(dim) * x).reshape(shape).to(dtype)

    def rays(self, count: int, dim: int, generator: torch.Generator, device: torch.device | str) -> torch.Tensor:
        rays = torch.randn((count, dim), generator=generator, dtype=torch.float64, device=device)
        return rays / rays.norm(dim=1, keepdim=True)

    def bent(self, radius: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return radius


def joint(noise: Noise) -> set[str]:
    results = run(vector.CHECKS, noise, "") + run(balance.CHECKS, noise, "") + run(sampler.CHECKS, noise, "")
    return {result.name for result in results if not result.passed}


@pytest.mark.parametrize("params", [NoiseParams(scale=0.5), NoiseParams(sigma=0.5)])
def test_right_vector_noise_passes(params: NoiseParams) -> None:
    assert joint(Cone(params)) == set()


class WideCone(Cone):
    """Four per cent too wide."""

    def bent(self, radius: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return radius * 1.04


class WrongRadius(Cone):
    """The right mean size, with another spread."""

    def bent(self, radius: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return radius.mean() + 0.7 * (radius - radius.mean())


class WrongDirections(Cone):
    """Directions of the corners of a cube are too frequent."""

    def rays(self, count: int, dim: int, generator: torch.Generator, device: torch.device | str) -> torch.Tensor:
        rays = 2 * torch.rand((count, dim), generator=generator, dtype=torch.float64, device=device) - 1
        return rays / rays.norm(dim=1, keepdim=True)


class Lopsided(Cone):
    """One coordinate is positive too often."""

    def rays(self, count: int, dim: int, generator: torch.Generator, device: torch.device | str) -> torch.Tensor:
        rays = super().rays(count, dim, generator, device)
        rays[: count // 5, 0] = rays[: count // 5, 0].abs()
        return rays


class WrongStd(Cone):
    """Right in one dimension, wrong from two on."""

    def std(self, dim: int) -> float:
        return math.sqrt(2 * dim)


class WrongStdFarOut(Cone):
    """Right in one and two dimensions."""

    def std(self, dim: int) -> float:
        return math.sqrt(dim + 1) * (1.03 if dim > 2 else 1.0)


class WrongScale(Cone):
    """Another law for a given sigma than it says."""

    def sigma_in(self, dim: int) -> float | None:
        return (super().sigma_in(dim) or 0.0) * 1.001


class Inert(Cone):
    """A density that does not know its scale."""

    def joint_log_density(self, x: np.ndarray) -> np.ndarray:
        return self.log_density(x)


class Unbounded(Cone):
    """1 / (1 + |z|_2)^(1/2)."""

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -np.log1p(np.linalg.norm(z, axis=-1)) / 2


class HalfIsWider(Cone):
    def bent(self, radius: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return radius * (1.05 if dtype == torch.bfloat16 else 1.0)


class SingleIsWider(Cone):
    def bent(self, radius: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return radius * (1.05 if dtype == torch.float32 else 1.0)


class NanDensity(Cone):
    def log_density(self, z: np.ndarray) -> np.ndarray:
        return np.where(z[..., 0] > 3, np.nan, super().log_density(z))


class NoBroadcast(Cone):
    """One number for all the vectors."""

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -np.linalg.norm(z)


class Outside(Cone):
    """Draws where there is no density."""

    def log_density(self, z: np.ndarray) -> np.ndarray:
        norm = np.linalg.norm(z, axis=-1)
        return np.where(norm < 40, -norm, -np.inf)


class Nowhere(Cone):
    """No dimension in which it is defined."""

    def problem(self, dim: int) -> str | None:
        return f"needs more than {dim} dimensions"


SAMPLE, DRAWS, STD = "sample has the joint density", "draws have the joint density", "std follows from the density"


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (WideCone, {SAMPLE}),
        (WrongRadius, {SAMPLE}),
        (WrongDirections, {SAMPLE, DRAWS}),
        (Lopsided, {SAMPLE, DRAWS}),
        (WrongStd, {STD}),
        (WrongStdFarOut, {STD}),
        (WrongScale, {"scale and sigma agree"}),
        (Inert, {"density scales with the noise"}),
        (Unbounded, {"density can be normalised", SAMPLE}),
        (HalfIsWider, {EVERYWHERE}),
        (SingleIsWider, {EVERYWHERE}),
        (NanDensity, {SAMPLE}),
        (NoBroadcast, {SAMPLE, DRAWS}),
        (Outside, {SAMPLE}),
        (Nowhere, {SAMPLE}),
    ],
)
def test_what_is_wrong_with_vector_noise_is_named(family: type[VectorNoise], expected: set[str]) -> None:
    assert expected <= joint(family(UNIT))


@pytest.mark.parametrize("family", [WrongStd, WrongStdFarOut, WrongScale, HalfIsWider, SingleIsWider])
def test_and_nothing_else(family: type[VectorNoise]) -> None:
    assert len(joint(family(UNIT))) == 1


def test_the_balance_of_right_draws_is_judged_at_the_stated_rate() -> None:
    """200 samples of a correct law at a rate of 0.05: the number of alarms stays below its binomial limit of 1e-9."""
    alarms = 0
    for seed in range(200):
        x = np.random.default_rng(seed).laplace(size=(500, 3))
        alarms += balance.drift(x, lambda x: -np.abs(x).sum(axis=-1), 0.05) is not None
    assert alarms <= 34


class UpperBelow(Normal):
    """An upper value that its own radius exceeds."""

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:
        form = super().closed_form(norm, dim)
        return form and ClosedForm(form.radius, "", upper=lambda a, b: form.radius(a, b) * 0.999)


class NotExact(Normal):
    """Exact by its own words, and a gap of one per cent to its upper value."""

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:
        form = super().closed_form(norm, dim)
        return form and ClosedForm(lambda a, b: form.radius(a, b) * 0.99, "", upper=form.upper)


@pytest.mark.parametrize("family", [UpperBelow, NotExact])
def test_upper_values_of_closed_forms(family: type[ProductNoise]) -> None:
    failed = {result.name for result in run(closed_forms.CHECKS, family(UNIT), "") if not result.passed}
    assert failed == {"closed forms stay below their upper values"}


def test_the_rate_is_below_one_in_a_million() -> None:
    assert FALSE_ALARM <= 1e-9
