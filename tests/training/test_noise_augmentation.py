"""Noise augmentation: it learns, it adds the noise that it says, and it fails with advice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from robustbench_rs.api import Images, Inputs
from robustbench_rs.errors import InputError, RunError
from robustbench_rs_plugins.datasets.digits import Digits
from robustbench_rs_plugins.models.small_cnn import SmallCnn
from robustbench_rs_plugins.training.noise_augmentation import NoiseAugmentation

from .conftest import Listener, MakeRun, PlainGaussian


def train(run: Any, **params: object) -> nn.Module:
    NoiseAugmentation(NoiseAugmentation.Params(**params)).train(run)
    return run.module


def small(shape: tuple[int, ...] = (1, 8, 8), classes: int = 10) -> nn.Module:
    torch.manual_seed(0)
    return SmallCnn().build(Inputs(shape, classes), None)


def test_learns_digits_under_noise(digits: Images, make_run: MakeRun) -> None:
    test = Digits().load("test")
    x, y = torch.from_numpy(test.pixels(np.arange(360))), torch.from_numpy(test.labels)
    noisy = x + 0.25 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))

    def accuracy(module: nn.Module) -> float:
        with torch.inference_mode():
            return float((module.eval()(noisy).argmax(1) == y).float().mean())

    before = accuracy(small())
    module = train(make_run(small(), digits, limit=1437), epochs=4)
    assert not module.training
    assert before < 0.3
    assert accuracy(module) > 0.85


class Spy(nn.Module):
    """Remembers the batches that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.clone())
        return self.weight * x.flatten(1)[:, :10]


def test_noise_is_added_in_pixel_units_and_fresh_in_each_epoch(digits: Images, make_run: MakeRun) -> None:
    clean, noisy = Spy(), Spy()
    train(make_run(clean, digits, sigma=None, limit=1437, state="a"), epochs=2)
    train(make_run(noisy, digits, sigma=0.25, limit=1437, state="b"), epochs=2)
    images, seen = torch.cat(clean.seen), torch.cat(noisy.seen)
    assert images.min() == 0
    assert images.max() == 1
    noise = seen - images  # the order of the images does not depend on the noise
    count = noise.numel()
    # Mean and standard deviation of 184,000 normal draws: 6 standard errors are exceeded with probability 4e-9.
    assert abs(float(noise.mean())) < 6 * 0.25 / count**0.5
    assert abs(float(noise.std()) - 0.25) < 6 * 0.25 / (2 * count) ** 0.5
    first, second = images.split(1437)
    assert sorted(row.numpy().tobytes() for row in first) == sorted(row.numpy().tobytes() for row in second)
    assert not torch.equal(first, second)
    assert noise.flatten(1).unique(dim=0).shape[0] == 2 * 1437


class Mirrored(PlainGaussian):
    """Not added: what the model sees is half of the draw less the input."""

    def apply(self, inputs: Tensor, drawn: Tensor, out: Tensor | None = None) -> Tensor:
        return torch.sub(drawn / 2, inputs, out=out)


def test_noise_need_not_be_added(digits: Images, make_run: MakeRun) -> None:
    """Exactly what its ``apply`` makes of the same images and draws."""
    clean, noisy, mirrored = Spy(), Spy(), Spy()
    train(make_run(clean, digits, sigma=None, state="a"), epochs=2)
    train(make_run(noisy, digits, sigma=0.25, state="b"), epochs=2)
    run = make_run(mirrored, digits, state="c")
    train(replace(run, noise=Mirrored(run.noise.params)), epochs=2)  # type: ignore[union-attr]
    images, seen, found = (torch.cat(spy.seen).double() for spy in (clean, noisy, mirrored))
    # Draws are recovered from float32 sums below 4: they err by at most 2^-22.
    assert found == pytest.approx((seen - images) / 2 - images, abs=1e-6)
    assert float((found - seen).abs().max()) > 0.5


class Reshaped(PlainGaussian):
    """Gives only the first of the images."""

    def apply(self, inputs: Tensor, drawn: Tensor, out: Tensor | None = None) -> Tensor:
        if self.params.sigma < 1:
            raise ValueError("no such piece")
        return inputs[:1] + drawn[:1]


@pytest.mark.parametrize(("sigma", "message"), [(1.0, "returned shape"), (0.5, "could not be applied in training")])
def test_noise_that_cannot_be_applied_is_named(sigma: float, message: str, digits: Images, make_run: MakeRun) -> None:
    run = make_run(small(), digits, sigma=sigma)
    with pytest.raises(RunError, match=f"noise 'plain-gaussian' {message}"):
        train(replace(run, noise=Reshaped(run.noise.params)), epochs=1)  # type: ignore[union-attr]


def test_seeds_differ_and_repeat(digits: Images, make_run: MakeRun) -> None:
    def weights(seed: int, state: str) -> Tensor:
        return train(make_run(small(), digits, seed=seed, state=state), epochs=1).fc.weight

    assert torch.equal(weights(1, "a"), weights(1, "b"))
    assert not torch.equal(weights(1, "c"), weights(2, "d"))
    assert not torch.equal(weights(1, "e"), weights(1 + 2**32, "f"))


def test_global_generators_are_left_alone(digits: Images, make_run: MakeRun) -> None:
    module = small()
    before = torch.get_rng_state()
    train(make_run(module, digits), epochs=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_progress_counts_every_image(digits: Images, make_run: MakeRun) -> None:
    listener = Listener()
    train(make_run(small(), digits, limit=33, progress=listener), epochs=3, batch_size=16)
    assert listener.total == 99
    assert listener.advanced == 99
    assert listener.finished == 1
    assert "epoch 3/3, loss " in listener.notes[-1]
    assert "accuracy" in listener.notes[-1]


def test_divergence_is_a_run_error_with_advice(digits: Images, make_run: MakeRun) -> None:
    listener = Listener()
    run = make_run(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), digits, progress=listener)
    with pytest.raises(RunError, match=r"diverged in epoch 1: .*lower 'learning_rate' \(now 1e\+38\)"):
        train(run, learning_rate=1e38, epochs=2, batch_size=16)
    assert listener.finished == 1
    assert not run.state_file.exists()


def test_too_few_outputs(digits: Images, make_run: MakeRun) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 9))
    with pytest.raises(InputError, match=r"output has shape \(60, 9\), but labels go up to 9"):
        train(make_run(module, digits))


def test_nothing_to_train_or_to_train_on(digits: Images, make_run: MakeRun) -> None:
    with pytest.raises(InputError, match="no parameters to train"):
        train(make_run(nn.Flatten(), digits))
    with pytest.raises(InputError, match="no image is chosen"):
        train(make_run(small(), digits, limit=0))


def test_state_that_cannot_be_saved(digits: Images, make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot save the training's state"):
        train(make_run(small(), digits, state="file/state.pt"), epochs=1)


def test_rate_of_the_papers_schedule() -> None:
    """Cohen et al.: 0.1, divided by 10 every 30 of 90 epochs."""
    params = NoiseAugmentation.Params(epochs=90, schedule="step", milestones=(30, 60))
    rates = [params.rate(epoch, 0.5) for epoch in range(90)]
    assert rates == pytest.approx([0.1] * 30 + [0.01] * 30 + [0.001] * 30, rel=1e-12)


def test_rate_of_the_cosine_schedule() -> None:
    params = NoiseAugmentation.Params(epochs=10, learning_rate=0.2)
    assert params.rate(0, 0) == 0.2
    assert params.rate(5, 0) == pytest.approx(0.1)
    assert params.rate(3, 1) == pytest.approx(params.rate(4, 0))
    assert params.rate(9, 1) == pytest.approx(0, abs=1e-15)
    assert NoiseAugmentation.Params(schedule="constant").rate(7, 0.5) == 0.1


@pytest.mark.parametrize(
    "params",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0},
        {"learning_rate": float("nan")},
        {"momentum": 1},
        {"optimizer": "sdg"},
        {"schedule": "step"},
        {"schedule": "cosine", "milestones": [3]},
        {"epoch": 3},
    ],
)
def test_wrong_parameters(params: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NoiseAugmentation.Params(**params)
