"""Derandomised splitting noise: pieces in exact arithmetic, every image and every draw of small grids, certificates
against the smoothed classifier itself."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from fractions import Fraction

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from robustbench_rs import SmoothedClassifier
from robustbench_rs import noise as noise_by_name
from robustbench_rs.api import ProductNoise, Solver, VectorNoise
from robustbench_rs.errors import InputError
from robustbench_rs.plugins import load_registry
from robustbench_rs.testing import check_component
from robustbench_rs_plugins.noises.deterministic_splitting import DeterministicSplitting, offsets

Params = DeterministicSplitting.Params
GRIDS = [(4, Fraction(1, 8)), (4, Fraction(1, 2)), (5, Fraction(3, 10)), (6, Fraction(5, 12)), (8, Fraction(1, 4)),
         (4, Fraction(7, 8)), (5, Fraction(1)), (4, Fraction(3, 2))]  # fmt: skip
"""(levels, scale): draws fewer than levels, as many, up to three times as many, odd and even."""


def dssn(levels: int, scale: float | Fraction, seed: int = 0) -> DeterministicSplitting:
    return DeterministicSplitting(Params.model_validate({"levels": levels, "scale": float(scale), "seed": seed}))


def piece(x: Fraction, cut: Fraction, period: Fraction) -> Fraction:
    """The middle of the part in [0, 1] of the piece of x in [0, 1], by looking through a list of all cuts."""
    cuts = [cut + period * k for k in range(-60, 60)]
    end = bisect_left(cuts, x)
    return (max(cuts[end - 1], Fraction(0)) + min(cuts[end], Fraction(1))) / 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("levels", "scale"), [*GRIDS, (255, Fraction(127, 510)), (255, Fraction(1, 2))])
def test_pixels_become_the_middles_of_their_pieces(levels: int, scale: Fraction, dtype: torch.dtype) -> None:
    """Against exact fractions: up to the one rounding of the result."""
    noise, dim = dssn(levels, scale), 3
    shifts = offsets(0, dim, noise.outcomes).tolist()
    some = range(0, noise.outcomes, max(1, noise.outcomes // 40))
    for k in range(0, levels + 1, max(1, levels // 12)):
        x = torch.full((dim,), k / levels, dtype=dtype)
        noisy = noise.apply(x, noise.outcome(0, (noise.outcomes, dim), "cpu", dtype))
        for b, i in itertools.product(some, range(dim)):
            cut = Fraction(2 * ((b + shifts[i]) % noise.outcomes) + 1, 2 * levels)
            exact = piece(Fraction(k, levels), cut, 2 * scale)
            assert float(noisy[b, i]) == pytest.approx(float(exact), rel=2 * torch.finfo(dtype).eps, abs=0)


def images(noise: DeterministicSplitting, inputs: np.ndarray) -> np.ndarray:
    """Number of the noisy image (m, N) that each draw makes of each of ``inputs`` (m, d) in steps of the grid."""
    m, dim = inputs.shape
    drawn = noise.outcome(0, (noise.outcomes, dim), "cpu", torch.float32)
    noisy = np.stack([noise.apply(torch.from_numpy(x).float() / noise.params.levels, drawn).numpy() for x in inputs])
    _, number = np.unique(noisy.reshape(-1, dim), axis=0, return_inverse=True)
    return number.reshape(m, noise.outcomes)


def grid(levels: int, dim: int) -> np.ndarray:
    """Every image, in steps (all, d)."""
    return np.array(list(itertools.product(range(levels + 1), repeat=dim)))


def counts(classes: np.ndarray, seen: np.ndarray, num_classes: int) -> np.ndarray:
    """Draws (m, K) of each class at each input, for the classifier image number -> class."""
    return np.stack([np.sum(classes[seen] == c, axis=1) for c in range(num_classes)], axis=1)


def certificates(noise: DeterministicSplitting, found: np.ndarray, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Radii and what is known of the truth (m,), of exact counts (m, K)."""
    ordered = np.sort(found, axis=1)
    form = noise.closed_form(1, dim)
    assert form is not None
    assert form.upper is not None
    limits = ordered[:, -1] / noise.outcomes, ordered[:, -2] / noise.outcomes
    return form.radius(*limits), form.upper(*limits)


def check_all_pairs(noise: DeterministicSplitting, found: np.ndarray, inputs: np.ndarray) -> int:
    """Every certificate against every image: how many images of the grid lie within the radii, all with their class."""
    radius, _ = certificates(noise, found, inputs.shape[1])
    steps = np.abs(inputs[:, None] - inputs[None]).sum(axis=2)
    inside = steps < radius[:, None] * noise.params.levels
    top, ordered = found.argmax(axis=1), np.sort(found, axis=1)
    unique = ordered[:, -1] > ordered[:, -2]
    keeps = unique[None] & (top[:, None] == top[None])
    assert np.all(keeps[inside])
    return int(inside.sum()) - int(np.sum(radius > 0))


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize(("levels", "scale"), GRIDS)
def test_no_image_of_the_grid_breaks_a_certificate(levels: int, scale: Fraction, dim: int) -> None:
    """Random base classifiers of every lopsidedness, all images of the grid, all draws, exact counts."""
    noise, inputs = dssn(levels, scale, seed=dim), grid(levels, dim)
    seen = images(noise, inputs)
    rng = np.random.default_rng(11)
    others = 0
    for share in (0.5, 0.7, 0.9, 0.97):
        weights = [share, *([(1 - share) / 2] * 2)]
        classes = rng.choice(3, size=seen.max() + 1, p=weights)
        others += check_all_pairs(noise, counts(classes, seen, 3), inputs)
    assert others > 0 or noise.outcomes == 1


def worst(noise: DeterministicSplitting, inputs: np.ndarray, seen: np.ndarray, x: int, y: int, top: int) -> np.ndarray:
    """The class of each image for a classifier that has ``top`` draws at x, among them as many as it can lose at y."""
    here, there = (np.bincount(seen[each], minlength=seen.max() + 1) for each in (x, y))
    order, room = np.argsort(there - here, kind="stable"), top
    classes = np.ones(len(here), dtype=np.int64)
    for image in order.tolist():
        if 0 < here[image] <= room:
            classes[image] = 0
            room -= here[image]
    return classes


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize(("levels", "scale"), GRIDS)
def test_worst_classifiers_meet_the_upper_value(levels: int, scale: Fraction, dim: int) -> None:
    """Built against single images: none within the radius falls, and where an upper value is known, one there does."""
    noise, inputs = dssn(levels, scale, seed=3), grid(levels, dim)
    seen, form = images(noise, inputs), noise.closed_form(1, dim)
    assert form is not None
    steps = np.abs(inputs).sum(axis=1)
    known = 0
    for top in range(noise.outcomes // 2 + 1, noise.outcomes + 1):
        p = np.array([top / noise.outcomes])
        radius, upper = float(form.radius(p, 1 - p)[0]), float(form.upper(p, 1 - p)[0])  # type: ignore[misc]
        falls = math.inf
        for y in np.argsort(steps, kind="stable")[1:].tolist():
            found = counts(worst(noise, inputs, seen, 0, y, top), seen[[0, y]], 2)
            if found[0, 0] == top and found[1, 0] <= found[1, 1]:
                falls = min(falls, steps[y] / levels)
        assert radius <= falls
        if math.isfinite(upper):
            assert falls <= upper
            assert upper <= radius + 1 / (2 * levels) + 1e-12
            known += 1
    assert known > 0 or scale > Fraction(1, 2)


def test_the_upper_value_is_known_only_where_it_is_proved() -> None:
    p = np.array([1.0])
    narrow, wide, wider = (dssn(16, scale).closed_form(1, dim) for scale, dim in ((0.5, 1), (1.0, 1), (1.0, 64)))
    for form, upper in ((narrow, 0.5), (wide, math.inf), (wider, 1.0)):
        assert form is not None
        assert not form.exact
        assert float(form.upper(p, 1 - p)[0]) == pytest.approx(upper)  # type: ignore[misc]
    beyond = dssn(16, 3.0).closed_form(1, 512)
    assert beyond is not None
    assert beyond.upper is not None
    assert beyond.upper(np.array([0.6, 0.9]), np.array([0.4, 0.1])) == pytest.approx([0.625, math.inf], rel=1e-12)


def test_limits_between_counts_stand_for_the_counts_that_they_allow() -> None:
    """N = 255: pA >= 0.9 is 230 draws, pB <= 0.1 is 25, and their tie is 103 steps away."""
    form = noise_by_name("deterministic-splitting", scale=0.5).closed_form(1, 3072)
    assert form is not None
    assert form.upper is not None
    limits = np.array([0.9]), np.array([0.1])
    assert form.radius(*limits) == pytest.approx(0.4, rel=1e-12)
    assert form.radius(*limits)[0] <= 0.4
    assert form.upper(*limits) == pytest.approx(103 / 255, rel=1e-12)
    assert noise_by_name("deterministic-splitting", scale=0.5).closed_form(2, 3072) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_floats_leave_no_gap(dtype: torch.dtype) -> None:
    """255 levels, all pixels, all draws: neighbours of k / 255 in floating point are that pixel to the last bit, and
    draws that give pixels k and l different values number min(N, abs(k - l)) exactly."""
    noise = dssn(255, Fraction(60, 510))
    pixels = torch.arange(256, dtype=dtype) / 255
    drawn = noise.outcome(0, (noise.outcomes, 256), "cpu", dtype)
    drawn = drawn[:, :1].expand(-1, 256).contiguous()
    noisy = noise.apply(pixels, drawn)
    for end in (-1.0, 2.0):
        beside = torch.nextafter(pixels, torch.tensor(end, dtype=dtype))
        assert torch.equal(noise.apply(beside, drawn), noisy)
    differ = (noisy[:, :, None] != noisy[:, None, :]).sum(dim=0).numpy()
    k = np.arange(256)
    assert np.array_equal(differ, np.minimum(noise.outcomes, np.abs(k[:, None] - k[None])))


def test_draws_are_fixed_by_the_seed_and_the_dimension() -> None:
    """Golden values: another platform or numpy must not give another classifier."""
    assert offsets(0, 8, 510).tolist() == [195, 243, 220, 300, 111, 481, 254, 297]
    assert len({tuple(offsets(seed, dim, 510)[:8].tolist()) for seed in range(5) for dim in (8, 9, 3072)}) == 15
    drawn = dssn(16, 0.5).outcome(3, (40, 2, 4), "cpu", torch.float32).long()
    expected = 2 * ((np.arange(3, 43)[:, None] + offsets(0, 8, 16)) % 16) + 1
    assert np.array_equal(drawn.numpy().reshape(40, 8), expected)
    values = offsets(1, 200_000, 510)
    assert np.bincount(values, minlength=510).min() > 200_000 / 510 * 0.7


@pytest.mark.parametrize(
    ("scale", "levels", "draws"), [(0.249, 255, 127), (0.5, 255, 255), (1.0, 16, 32), (0.24902, 255, 127)]
)
def test_the_scale_is_set_to_a_whole_number_of_draws(scale: float, levels: int, draws: int) -> None:
    noise = dssn(levels, scale)
    assert noise.outcomes == draws
    assert noise.params.scale == draws / (2 * levels)
    assert dssn(levels, noise.params.scale).params == noise.params


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"scale": 0.25}, "127.5 is no whole number of draws.*0.24901960784313726 and 0.25098039215686274"),
        ({"scale": 0.5, "levels": 15.5}, "levels"),
        ({"scale": 0.001}, "nearest scales with 255 levels are 0.00196078431372549 and"),
        ({"scale": 3000}, "1.53e.06 draws are too many to try all: at most 1048576"),
        ({"scale": 0.5, "levels": 0}, "levels"),
        ({"scale": -1}, "scale"),
        ({"sigma": 1}, "sigma"),
        ({"scale": 0.5, "seed": -1}, "seed"),
    ],
)
def test_parameters_that_are_no_noise_are_refused(fields: dict[str, float], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Params.model_validate(fields)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_refused(dtype: torch.dtype) -> None:
    with pytest.raises(ValueError, match=r"(b?float16): it is too coarse"):
        dssn(16, 0.5).sample((3, 2), torch.Generator(), "cpu", dtype)


@pytest.mark.parametrize(
    "params", [{"scale": 0.5}, {"scale": 0.75, "levels": 16}, {"scale": 2.5, "levels": 5, "seed": 7}]
)
def test_conformance(params: dict[str, float]) -> None:
    results = check_component(DeterministicSplitting, [Params.model_validate(params)])
    assert len(results) > 20
    assert [f"{result.name}: {result.message}" for result in results if not result.passed] == []


def test_it_is_no_additive_noise() -> None:
    noise = dssn(16, 0.5)
    assert not isinstance(noise, ProductNoise | VectorNoise)
    solvers = [cls for cls in load_registry().components("solver") if issubclass(cls, Solver)]
    for norm, solver in itertools.product((1.0, 2.0, math.inf), solvers):
        reason = solver().refusal(noise, norm, 64)
        assert (reason is None) == (solver.name == "closed-form" and norm == 1)
    told = {solver.name: solver().refusal(noise, 1.0, 64) for solver in solvers}
    for name in ("differential", "l2-differential", "unicr"):
        assert "deterministic-splitting noise is not known to be added to the input" in str(told[name])


class Threshold(nn.Module):
    """Class 1 of three where the first noisy pixel is above 1/2."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        above = x.flatten(1)[:, 0] > 0.5
        return nn.functional.one_hot(above.long(), 3).float()


def smoothed(noise: DeterministicSplitting, **options: object) -> SmoothedClassifier:
    return SmoothedClassifier(Threshold(), noise, 3, device="cpu", **options)  # type: ignore[arg-type]


def test_in_python_probabilities_are_exact() -> None:
    """At scale 1/2 with 255 levels one draw in 255 cuts between two neighbouring values: P(class 1) = k / 255."""
    k = torch.tensor([0, 1, 100, 127, 128, 254, 255])
    x = (k / 255).reshape(-1, 1, 1, 1).repeat(1, 1, 2, 2)
    found = smoothed(dssn(255, 0.5), batch_size=64).certify(x)
    assert (found.n, found.alpha) == (255, 0.0)
    top = np.maximum(k.numpy(), 255 - k.numpy())
    assert found.classes.tolist() == (k > 127).long().tolist()
    assert not found.abstained.any()
    assert found.p_lower == pytest.approx(top / 255, rel=1e-15)
    assert all(Fraction(float(p)) <= Fraction(int(c), 255) for p, c in zip(found.p_lower, top, strict=True))
    assert all(
        Fraction(float(p)) >= Fraction(255 - int(c), 255) for p, c in zip(found.bounded.p_upper, top, strict=True)
    )
    radius = found.radius(norm=1)
    assert radius == pytest.approx((2 * top - 255) / 510, rel=1e-12)
    assert all(Fraction(float(r)) <= Fraction(2 * int(c) - 255, 510) for r, c in zip(radius, top, strict=True))
    assert found.solved(1).guarantee == "proved"
    assert found.solved(1).label == "proved (inputs on the grid)"
    assert found.table([1]).splitlines()[0].endswith("R(l1) proved (inputs on the grid)")
    assert found.radius(norm=2) == pytest.approx(radius / 2, rel=1e-12)


def test_in_python_nothing_depends_on_batches_and_seeds() -> None:
    x = torch.arange(12).reshape(3, 1, 2, 2) / 16
    first = smoothed(dssn(16, 0.75), batch_size=1).certify(x)
    for other in (
        smoothed(dssn(16, 0.75), batch_size=1000, seed=5).certify(x, n0=7, n=9, alpha=0.3),
        smoothed(dssn(16, 0.75), batch_size=7).certify(x, ids=[9, 5, 2]),
    ):
        assert np.array_equal(first.classes, other.classes)
        assert np.array_equal(first.p_lower, other.p_lower)
        assert np.array_equal(first.bounded.p_upper, other.bounded.p_upper)
        assert other.alpha == 0.0


def test_in_python_ties_are_abstentions() -> None:
    """16 levels, the pixel at 1/2: eight draws of sixteen."""
    x = torch.tensor([8 / 16, 9 / 16]).reshape(2, 1)
    classifier = smoothed(dssn(16, 0.5), batch_size=8)
    certified, predicted = classifier.certify(x), classifier.predict(x)
    assert certified.abstained.tolist() == predicted.abstained.tolist() == [True, False]
    assert certified.radius(norm=1).tolist() == [0.0, pytest.approx(1 / 16, rel=1e-12)]
    assert predicted.classes.tolist() == [-1, 1]
    assert predicted.p_value.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("value", [0.5, 1 / 255 + 1e-5, 0.9])
def test_inputs_off_the_grid_are_refused(value: float) -> None:
    x = torch.zeros((2, 1, 2, 2))
    x[1, 0, 1, 1] = value
    if value == 0.9:
        x[1, 0, 1, 1] = 229.5 / 255
    with pytest.raises(
        InputError, match=r"input 1 .*a pixel of 0\.\d+, no multiple of 1/255, which deterministic-s.*'levels'"
    ):
        smoothed(dssn(255, 0.5)).certify(x)
    with pytest.raises(InputError, match=r"no multiple of 1/255"):
        smoothed(dssn(255, 0.5)).predict(x)


@pytest.mark.parametrize("levels", [16, 255, 256, 65_535])
def test_inputs_on_the_grid_are_taken_however_they_were_rounded(levels: int) -> None:
    k = torch.arange(levels + 1)[:: max(1, levels // 1000)]
    for x in (k / levels, k.float() * torch.tensor(1 / levels), (k.double() / levels).float()):
        smoothed(dssn(levels, 1 / (2 * levels))).certify(x.clamp(max=1.0).reshape(-1, 1))
