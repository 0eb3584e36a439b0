"""The suites notice what is wrong, and only that; correct components are tested where they live."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pydantic import ConfigDict

from robustbench_rs.api import (
    Bound,
    ClosedForm,
    Dataset,
    Images,
    Limits,
    Noise,
    NoiseParams,
    Params,
    ProductNoise,
    Radii,
    Solver,
)
from robustbench_rs.api.inverse_cdf import inverse_cdf
from robustbench_rs.testing import CheckResult, check_component

UNIT = [NoiseParams(scale=1.0)]


def failing(results: list[CheckResult]) -> set[str]:
    return {result.name.split(" [")[0] for result in results if not result.passed}


class Logistic(ProductNoise):
    """Correct in all."""

    name = "logistic"
    symmetric = unimodal = log_concave = True

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -np.abs(z) - 2 * np.log1p(np.exp(-np.abs(z)))


def test_a_correct_noise_passes_with_derived_examples() -> None:
    results = check_component(Logistic)
    assert failing(results) == set()
    assert {name.split("[")[1] for name in (r.name for r in results) if "[" in name} == {
        "scale=1.0]",
        "sigma=1.0]",
        "scale=0.25]",
    }


class Gumbel(Logistic):
    """Skewed."""

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -z - np.exp(-z)


class Student(Logistic):
    """Heavy tails are not log-concave."""

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -2 * np.log1p(z * z / 3)


class TwoHumps(Logistic):
    """Two modes."""

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return np.logaddexp(-((z - 3) ** 2) / 2, -((z + 3) ** 2) / 2)


class WrongStd(Logistic):
    """The standard deviation of another law."""

    std = 1.7


class WrongCdf(Logistic):
    """The cdf of a law that is one per cent wider."""

    def cdf(self, z: np.ndarray) -> np.ndarray:
        return self.law.cdf(np.asarray(z) * 0.99)


class WrongQuantile(Logistic):
    """A quantile that is off by more than it says."""

    quantile_error = 1e-12

    def quantile(self, p: np.ndarray) -> np.ndarray:
        return self.law.quantile(np.asarray(p)) + 1e-7


class Wider(Logistic):
    """Draws from a law that is five per cent wider than the one certified."""

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        return super().sample(shape, generator, device, dtype) * 1.05


class Truncated(Logistic):
    """Draws that lack the outer 0.2 per cent."""

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        limit = self.scale * float(self.quantile(np.array(0.999)))
        return super().sample(shape, generator, device, dtype).clamp(-limit, limit)


class GlobalState(Logistic):
    """Draws from torch's global generator."""

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        return inverse_cdf(self.law.table, torch.rand(shape, dtype=torch.float64)).mul_(self.scale).to(dtype)


class OneDrawRepeated(Logistic):
    """Every coordinate of an input gets the same noise."""

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        first = super().sample((shape[0], *[1] * (len(shape) - 1)), generator, device, dtype)
        return first.expand(shape).clone()


class WrongType(Logistic):
    """float64, whatever is asked for."""

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        return super().sample(shape, generator, device, torch.float64)


class TooLarge(Logistic):
    """A closed form that is one per mille too large."""

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:
        form = super().closed_form(norm, dim)
        return form and ClosedForm(lambda a, b: form.radius(a, b) * 1.001, "wishful thinking")


class NotScaled(Logistic):
    """A closed form that forgets the scale."""

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:
        return ClosedForm(lambda a, b: 0.01 * (a - b), "no units")


class NotNormalisable(Logistic):
    """1 / (1 + abs(z))."""

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -np.log1p(np.abs(z))

    std = 1.0


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (Gumbel, {"symmetric"}),
        (Student, {"log-concave"}),
        (TwoHumps, {"unimodal", "log-concave"}),
        (WrongStd, {"std follows from the density"}),
        (WrongCdf, {"cdf follows from the density", "cdf inverts the quantile"}),
        (WrongQuantile, {"quantile inverts the cdf", "cdf inverts the quantile"}),
        (Wider, {"sample follows the cdf", "sample has the tails of the cdf"}),
        (Truncated, {"sample has the tails of the cdf"}),
        (GlobalState, {"sample is reproducible"}),
        (OneDrawRepeated, {"sample has independent coordinates"}),
        (
            WrongType,
            {
                "sample has the shape, dtype and device asked for",
                "sample has one law in every precision and on every device",
            },
        ),
        (TooLarge, {"closed forms stay below a half-space"}),
        (NotScaled, {"closed forms scale with the noise"}),
        (NotNormalisable, {"density integrates to 1 after normalisation"}),
    ],
)
def test_what_is_wrong_with_a_noise_is_named(family: type[Noise], expected: set[str]) -> None:
    found = failing(check_component(family, UNIT))
    assert expected <= found
    if family in (Student, WrongStd, GlobalState, WrongType, TooLarge, NotScaled):
        assert found == expected


def test_facts_that_are_not_claimed_are_not_checked() -> None:
    class Modest(Gumbel):
        """Skewed, and says so."""

        symmetric = False

    assert failing(check_component(Modest, UNIT)) == set()


class Frequency(Bound):
    """No bound at all."""

    name = "frequency"

    def limits(self, counts: np.ndarray, classes: np.ndarray, alpha: float) -> Limits:
        p = counts[np.arange(len(counts)), classes] / counts.sum(axis=1)
        return Limits(p, 1 - p)

    def budget(self, alpha: float) -> dict[str, float]:
        return {"everything": 2 * alpha}


def test_what_is_wrong_with_a_bound_is_named() -> None:
    found = failing(check_component(Frequency))
    assert found == {"lower limit covers", "limits cover jointly", "budget sums to at most alpha"}


class Optimist(Solver):
    """One per mille above the truth, and blind to pB."""

    name = "optimist"

    def refusal(self, noise: Noise, norm: float, dim: int) -> str | None:
        return None if norm == 2 else ""

    def radii(self, noise: Noise, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> Radii:
        from scipy.special import ndtri

        return Radii(np.where(p_lower > p_upper, 0.5 * 1.001 * ndtri(np.maximum(p_lower, 0.5)), 0.0), "proved")


def test_what_is_wrong_with_a_solver_is_named() -> None:
    found = failing(check_component(Optimist))
    assert found == {"refusal", "never above the truth", "scale equivariant"}


class Nameless(Dataset):
    name = "Not A Name"

    class Params(Params):  # type: ignore[misc]
        model_config = ConfigDict(frozen=False, extra="allow")


class Particular(Optimist):
    """Refuses everything, with a reason."""

    def refusal(self, noise: Noise, norm: float, dim: int) -> str | None:
        return None if noise.name == "own" and norm == 2 else "its own noise in l2 only"


class Own(Logistic):
    name = "own"


def test_a_solver_that_refuses_everything_is_said_to_be_unchecked() -> None:
    results = check_component(Particular)
    assert failing(results) == set()
    assert "not checked" in results[-1].message
    assert failing(check_component(Particular, noises=[Own(NoiseParams(scale=2.0))])) == {"scale equivariant"}


def test_generic_claims() -> None:
    results = check_component(Nameless, [])
    assert failing(results) == {"name", "complete", "docstring", "strict parameters", "example parameters"}


class Plain(Dataset):
    """Correct."""

    name = "plain"

    def load(self, split: str) -> Images:
        raise ValueError(split)


def test_other_kinds_get_the_generic_checks() -> None:
    results = check_component(Plain)
    assert len(results) == 5
    assert failing(results) == set()


def test_expected_failures() -> None:
    known = check_component(WrongStd, UNIT, expected_failures={"std follows from the density": "issue 12"})
    assert failing(known) == set()
    (message,) = [r.message for r in known if r.name.startswith("std follows")]
    assert "issue 12" in message
    healed = check_component(Logistic, UNIT, expected_failures={"unimodal": "issue 13"})
    assert failing(healed) == {"unimodal"}


def test_parameters_that_do_not_go_together_are_a_failure_not_a_crash() -> None:
    class Cauchy(Logistic):
        """No standard deviation."""

        log_concave = False

        def log_density(self, z: np.ndarray) -> np.ndarray:
            return -np.log1p(z * z)

    assert failing(check_component(Cauchy, [NoiseParams(sigma=1.0)])) == {"can be made"}
    assert failing(check_component(Cauchy)) == set()
    assert math.isinf(Cauchy(UNIT[0]).std)
