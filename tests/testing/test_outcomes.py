"""Noise that lists its draws, and is wrong: the conformance suite says what is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from robustbench_rs.api import Noise
from robustbench_rs.testing import check_component
from robustbench_rs.testing.outcomes import worst_count
from robustbench_rs_plugins.noises.deterministic_splitting import DeterministicSplitting

NUMBERED = "outcomes are numbered"
SAMPLED = "outcomes are what sample draws"
EXACT = "outcomes are exact on the grid"
FORMS = "closed forms hold for all outcomes"
PARAMS = {"levels": 16, "scale": 0.75}


def failing(family: type[Noise], **params: float) -> set[str]:
    results = check_component(family, [family.Params.model_validate({**PARAMS, **params})])
    return {result.name.split(" [")[0] for result in results if not result.passed}


class Unseeded(DeterministicSplitting):
    """Draws that depend on what is asked for with them."""

    def outcome(self, first, shape, device, dtype):
        return super().outcome(0, shape, device, dtype)


class Endless(DeterministicSplitting):
    """Numbers that do not start again."""

    def outcome(self, first, shape, device, dtype):
        drawn = super().outcome(first, shape, device, dtype)
        numbers = torch.arange(first, first + shape[0]).reshape(-1, *[1] * (len(shape) - 1))
        return torch.where(numbers < self.outcomes, drawn, drawn + 2)


class Favouring(DeterministicSplitting):
    """Samples some draws less often than others."""

    def sample(self, shape, generator, device, dtype):
        numbers = torch.randint(self.outcomes - 2, shape[:1], generator=generator, device=device)
        return self._cuts(numbers, shape, dtype)


class Missing(DeterministicSplitting):
    """Samples draws that are not on its list."""

    def sample(self, shape, generator, device, dtype):
        return super().sample(shape, generator, device, dtype) + 2 * self.outcomes


class Half(DeterministicSplitting):
    """Lists every other draw twice."""

    def outcome(self, first, shape, device, dtype):
        return self._cuts(torch.arange(first, first + shape[0]) % self.outcomes // 2 * 2, shape, dtype)


class Unrounded(DeterministicSplitting):
    """Shows the last bits of a pixel."""

    def apply(self, inputs, drawn, out=None):
        return super().apply(inputs, drawn, out) + (inputs - inputs.mul(16).round() / 16)


class Meeting(DeterministicSplitting):
    """Cuts on the grid itself: in floating point a pixel lies on either side of them."""

    def apply(self, inputs, drawn, out=None):
        levels = self.params.levels
        number = torch.ceil((inputs * (2 * levels) - (drawn - 1)) / (2 * self.outcomes))
        return number.add(inputs * 0)


class Generous(DeterministicSplitting):
    """A radius of one step too many."""

    def closed_form(self, norm, dim):
        form = super().closed_form(norm, dim)
        if form is None:
            return None
        return replace(form, radius=lambda a, b: form.radius(a, b) + 1.01 / self.params.levels, upper=None)


class Frank(DeterministicSplitting):
    """Adds what it should hide: a piece of which one can tell where in it the pixel was."""

    def apply(self, inputs, drawn, out=None):
        return super().apply(inputs, drawn) + inputs


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (DeterministicSplitting, set()),
        (Unseeded, {NUMBERED}),
        (Endless, {NUMBERED}),
        (Favouring, {SAMPLED}),
        (Missing, {SAMPLED}),
        (Half, {SAMPLED, FORMS}),
        (Unrounded, {EXACT}),
        (Meeting, {EXACT}),
        (Generous, {FORMS}),
        (Frank, {FORMS}),
    ],
)
def test_what_is_wrong_is_named(family: type[Noise], expected: set[str]) -> None:
    found = failing(family)
    assert expected <= found
    assert bool(found) == bool(expected)


def test_the_worst_count_is_that_of_the_proof() -> None:
    """One pixel moved by D of 24 steps: some class with 12 + D of the 24 draws loses its majority, no smaller one."""
    noise = DeterministicSplitting(DeterministicSplitting.Params.model_validate({"levels": 24, "scale": 0.5}))
    for steps in range(13):
        x, y = np.zeros(3), np.array([steps / 24, 0.0, 0.0])
        assert worst_count(noise, x, y) == 12 + steps
