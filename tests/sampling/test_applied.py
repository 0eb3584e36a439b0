"""Noise that is not added: the engine gives the model what the noise makes of the input."""

from __future__ import annotations

import pickle

import pytest
import torch
from sampling_fakes import SHAPE, Gaussian, Recorder, counted, images, make_job

from robustbench_rs.errors import InputError, RunError
from robustbench_rs.sampling import StageRequest

REQUESTS = [StageRequest(index, stage, 0, 40) for index in range(3) for stage in ("clean", "selection", "estimation")]


class Multiplied(Gaussian):
    """Inputs times draws. ``ignores``: the result is a new tensor, whatever it is told."""

    name = "multiplied"

    def __init__(self, ignores: bool = False) -> None:
        self.ignores = ignores

    def apply(self, inputs, drawn, out=None):
        return torch.mul(inputs, drawn, out=None if self.ignores else out)


class Failing(Gaussian):
    """Fails in a chosen way once there are inputs."""

    name = "failing"

    def __init__(self, how: str) -> None:
        self.how = how

    def apply(self, inputs, drawn, out=None):
        if self.how == "raises":
            raise ValueError("no such piece")
        if self.how == "advises":
            raise InputError("give other inputs")
        if self.how == "memory" and len(drawn) > 4:
            raise MemoryError
        return {"shape": drawn[:1], "nothing": None}.get(self.how, torch.add(inputs, drawn, out=out))


class Ranged(Gaussian):
    """Made for darker inputs."""

    name = "ranged"

    def __init__(self, high: float) -> None:
        self.pixel_range = (0.0, high)


def seen(noise, **changes):
    """What the model was given for input 4, draw by draw."""
    recorder = Recorder()
    counted(make_job([StageRequest(4, "estimation", 10, 110)], recorder, noise=noise, **changes))
    return torch.cat(recorder.batches)[:100]


@pytest.mark.parametrize("ignores", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_model_sees_what_the_noise_makes_of_the_input(ignores, threads):
    pixels = torch.from_numpy(images().pixels([4]))
    drawn = seen(Gaussian()).double() - pixels.double()
    found = seen(Multiplied(ignores), threads=threads)
    # Draws are recovered from rounded sums: errors of 2^-24 times at most 8.
    assert found == pytest.approx((pixels * drawn).float(), abs=1e-6)
    assert torch.equal(found, seen(Multiplied()))


def test_clean_inputs_are_left_alone():
    recorder = Recorder()
    counted(make_job([StageRequest(i, "clean", 0, 1) for i in range(8)], recorder, noise=Multiplied(), batch_size=8))
    assert torch.equal(recorder.batches[0], torch.from_numpy(images().pixels(range(8))))


@pytest.mark.parametrize("threads", [1, 3])
def test_inputs_with_a_law_of_their_own(threads):
    """Added to some, multiplied with others, in one job, its parts and its pickle."""
    laws = {(1, "selection"): Multiplied(), (2, "estimation"): Multiplied()}
    expected = counted(make_job(REQUESTS))
    for key, law in laws.items():
        expected[key] = counted(make_job([StageRequest(*key, 0, 40)], noise=law))[key]
    assert expected != counted(make_job(REQUESTS))
    job = make_job(REQUESTS, laws=laws, threads=threads)
    assert counted(job) == expected
    whole = {}
    for part in job.parts(3):
        whole |= counted(pickle.loads(pickle.dumps(part)))
    assert whole == expected


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raises", "noise 'failing' could not be applied to inputs: ValueError: no such piece"),
        ("shape", r"noise 'failing' applied to inputs gave \(1, 1, 4, 4\), expected a tensor of shape \(16, 1, 4, 4\)"),
        ("nothing", r"noise 'failing' applied to inputs gave NoneType, expected a tensor of shape \(16, 1, 4, 4\)"),
    ],
)
def test_a_failure_names_the_noise(how, message):
    with pytest.raises(RunError, match=message):
        counted(make_job([StageRequest(0, "estimation", 0, 100)], noise=Failing(how)))


def test_errors_for_people_pass_unchanged():
    with pytest.raises(InputError, match=r"^give other inputs$"):
        counted(make_job([StageRequest(0, "estimation", 0, 100)], noise=Failing("advises")))


def test_running_out_of_memory_halves_the_batch_as_ever():
    requests = [StageRequest(0, "estimation", 0, 100)]
    assert counted(make_job(requests, noise=Failing("memory"))) == counted(make_job(requests))


@pytest.mark.parametrize("own_law", [False, True])
def test_inputs_that_the_noise_is_not_made_for_are_refused(own_law):
    data = images(value=0.25)
    data._pixels[1, 0, 2, 2] = 0.75
    requests = [StageRequest(i, "estimation", 0, 5) for i in range(4)]
    for high, refused in ((0.5, True), (0.75, False), (2.0, False)):
        law = Ranged(high)
        job = make_job(requests, images=data, **({"laws": {(1, "estimation"): law}} if own_law else {"noise": law}))
        if refused:
            with pytest.raises(
                InputError, match=r"input 1 .* a pixel of 0\.75, outside \[0, 0\.5\], which ranged noise"
            ):
                counted(job)
        else:
            assert len(counted(job)) == 4


def test_shape():
    assert seen(Multiplied()).shape == (100, *SHAPE)
