"""Noise that is not added, and is wrong: the conformance suite says what is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from robustbench_rs.api import ClosedForm, Noise, NoiseParams
from robustbench_rs.plugins import load_registry
from robustbench_rs.testing import check_component
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.splitting import Splitting
from robustbench_rs_plugins.noises.uniform_l2_ball import UniformL2Ball

FORM = "apply gives one noisy input per draw"
OUT = "apply writes where it is told"
ROWS = "apply works draw by draw"
SUM = "apply depends on the sum alone"
REGIONS = "closed forms hold for regions of noisy inputs"


def failing(family: type[Noise], **params: float) -> set[str]:
    results = check_component(family, [family.Params.model_validate(params)])
    return {result.name.split(" [")[0] for result in results if not result.passed}


class Forgetful(Splitting):
    """Draws that are lost: later rows of a block would be others."""

    def apply(self, inputs, drawn, out=None):
        noisy = super().apply(inputs, drawn, out)
        drawn.zero_()
        return noisy


class Restless(Splitting):
    """Randomness that does not come from the draws."""

    def apply(self, inputs, drawn, out=None):
        return super().apply(inputs, torch.rand(drawn.shape, dtype=drawn.dtype), out)


class Overwriting(Splitting):
    """Writes into the inputs before it has read the whole of them."""

    def apply(self, inputs, drawn, out=None):
        if out is not None:
            out.zero_()
        return super().apply(inputs, drawn, out)


class Centred(Splitting):
    """What one draw becomes depends on the others in its batch."""

    def apply(self, inputs, drawn, out=None):
        noisy = super().apply(inputs, drawn)
        return noisy - noisy.mean(dim=0, keepdim=True)


class Endless(Splitting):
    """Not finite for black pixels."""

    def apply(self, inputs, drawn, out=None):
        return super().apply(inputs, drawn, out).div_(inputs)


class Single(Splitting):
    """One noisy input for all draws."""

    def apply(self, inputs, drawn, out=None):
        return super().apply(inputs, drawn[:1])


class Multiplied(Laplace):
    """A product law whose radii are not those of what the model sees."""

    def apply(self, inputs, drawn, out=None):
        return torch.mul(inputs, drawn, out=out)


class Scaled(UniformL2Ball):
    """Twice the noise that is certified: sound for 2 x + 2 eps, wrong for x + 2 eps."""

    def apply(self, inputs, drawn, out=None):
        return torch.add(inputs, drawn, alpha=2.0, out=out)


class Clipped(Laplace):
    """Clipped sums are functions of the sum: the base classifier may clip what it likes."""

    def apply(self, inputs, drawn, out=None):
        return super().apply(inputs, drawn, out).clamp_(0, 1)


class Claimed(Splitting):
    """A closed form that is ten per cent too large."""

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:
        form = super().closed_form(norm, dim)
        return form and ClosedForm(lambda a, b: form.radius(a, b) * 1.1, "wishful thinking")


class Euclidean(Splitting):
    """The l1 radius, claimed for l2 as well."""

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:
        return super().closed_form(1, dim)


class Finer(Splitting):
    """Cuts a fifth nearer than certified."""

    def sample(self, shape, generator, device, dtype):
        return super().sample(shape, generator, device, dtype).mul_(0.8)

    @property
    def _period(self) -> float:
        return 1.6 * self.params.scale


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (Splitting, set()),
        (Forgetful, {FORM, OUT, ROWS, REGIONS}),
        (Restless, {FORM, OUT, ROWS}),
        (Overwriting, {OUT}),
        (Centred, {ROWS}),
        (Endless, {FORM, OUT}),
        (Single, {FORM, ROWS}),
        (Claimed, {REGIONS}),
        (Finer, {REGIONS}),
    ],
)
def test_what_is_wrong_with_a_noise_that_is_not_added(family: type[Noise], expected: set[str]) -> None:
    found = failing(family, scale=0.5)
    assert found == expected


@pytest.mark.parametrize(("family", "expected"), [(Clipped, set()), (Multiplied, {SUM}), (Scaled, {SUM})])
def test_product_and_vector_noise_must_be_a_function_of_the_sum(family: type[Noise], expected: set[str]) -> None:
    assert failing(family, scale=0.5) & {FORM, OUT, ROWS, SUM} == expected


def test_a_radius_of_another_norm_is_noticed() -> None:
    assert REGIONS in failing(Euclidean, scale=0.5)


def test_additive_noise_passes() -> None:
    names = [r.name for r in check_component(Laplace, [NoiseParams(scale=1.0)]) if r.passed]
    assert {FORM, OUT, ROWS, SUM, REGIONS} <= {name.split(" [")[0] for name in names}


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    """docs/adding-a-noise.md: it passes, is unbiased (1e-10), and its radius is what its docstring says."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "adding-a-noise.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```py\n(.*?)```", text, re.DOTALL)
    file = tmp_path / "my_rounding.py"
    file.write_text(code, encoding="utf-8")
    family = load_registry([file]).find("noise", "random-rounding")
    results = check_component(family)
    assert [f"{result.name}: {result.message}" for result in results if not result.passed] == []
    noise = family()
    assert isinstance(noise, Noise)
    drawn = noise.sample((100_000, 1), torch.Generator().manual_seed(1), "cpu", torch.float64)
    noisy = noise.apply(torch.tensor([0.8]).double(), drawn)
    assert set(noisy.unique().tolist()) == {0.5, 1.0}
    assert abs(float(noisy.mean()) - 0.8) < 6.5 * 0.25 / 100_000**0.5
