"""The stage of noise that lists its draws: draw i is number i, whatever the batches, threads, blocks and starts are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from sampling_fakes import SHAPE, BitClassifier, Gaussian, Recorder, images, make_job

from robustbench_rs.api import ArrayImages
from robustbench_rs.errors import InputError, RunError
from robustbench_rs.sampling import ENUMERATION, StageRequest
from robustbench_rs.sampling.pixels import check_grid

NUMBER = 100


class Listed(Gaussian):
    """Draw number i is i / 128 everywhere; what it samples is never that."""

    name = "listed"
    outcomes = NUMBER
    levels: int | None = None

    @property
    def pixel_levels(self):
        return self.levels

    def outcome(self, first, shape, device, dtype):
        numbers = torch.arange(first, first + shape[0], device=device) % NUMBER
        return (numbers.to(dtype) / 128).reshape(-1, *[1] * (len(shape) - 1)).expand(shape).clone()


def zeros(size: int = 4) -> ArrayImages:
    return images(size, value=0.0)


def counted(job) -> dict[tuple[int, str], list[int]]:
    counts: dict[tuple[int, str], np.ndarray] = {}

    def keep(chunk) -> None:
        for part in chunk.counts:
            key = part.index, part.stage
            counts[key] = counts.get(key, 0) + part.counts

    job.run("cpu", keep)
    return {key: value.tolist() for key, value in counts.items()}


@pytest.mark.parametrize("threads", [1, 3])
def test_every_draw_is_made_once(threads: int) -> None:
    recorder = Recorder()
    requests = [StageRequest(i, stage, 0, n) for i in range(2) for stage, n in (("clean", 1), (ENUMERATION, NUMBER))]
    counted(make_job(requests, recorder, images=zeros(), noise=Listed(), threads=threads))
    shown = torch.cat(recorder.batches).flatten(1)[: 2 * (1 + NUMBER)]
    assert torch.equal(shown, shown[:, :1].expand(-1, shown.shape[1]))
    expected = 2 * [0.0, *(i / 128 for i in range(NUMBER))]
    assert shown[:, 0].tolist() == expected


def test_counts_do_not_depend_on_how_they_are_drawn() -> None:
    requests = [StageRequest(i, ENUMERATION, 0, NUMBER) for i in range(3)]
    whole = counted(make_job(requests, BitClassifier(), noise=Listed()))
    assert len({tuple(counts) for counts in whole.values()}) == 3
    for batch_size, threads, rows in itertools.product((1, 7, 64), (1, 2), (1, 16, 300)):
        job = make_job(requests, BitClassifier(), noise=Listed(), batch_size=batch_size, threads=threads, rows=rows)
        assert counted(job) == whole
    for cut in (1, 15, 16, 17, 99):
        halves = [
            counted(make_job([StageRequest(i, ENUMERATION, *ends) for i in range(3)], BitClassifier(), noise=Listed()))
            for ends in ((0, cut), (cut, NUMBER))
        ]
        assert {key: np.add(*(half[key] for half in halves)).tolist() for key in whole} == whole


def test_other_stages_are_random() -> None:
    shown = []
    for stage in (ENUMERATION, "estimation"):
        recorder = Recorder()
        counted(make_job([StageRequest(0, stage, 0, 50)], recorder, images=zeros(), noise=Listed()))
        shown.append(torch.cat(recorder.batches)[:50])
    assert float(shown[1].std()) > 0.9
    assert not torch.equal(*shown)


def test_noise_without_a_list_says_so() -> None:
    with pytest.raises(
        RunError, match=r"'fake-gaussian' failed to sample .*NotImplementedError: fake-gaussian noise has no"
    ):
        counted(make_job([StageRequest(0, ENUMERATION, 0, 5)], noise=Gaussian()))


@pytest.mark.parametrize("own_law", [False, True])
def test_inputs_off_the_grid_of_the_noise_are_refused(own_law: bool) -> None:
    data = images(value=0.25)
    data._pixels[1, 0, 2, 2] = 0.75
    requests = [StageRequest(i, "estimation", 0, 5) for i in range(4)]
    for levels, refused in ((None, False), (4, False), (8, False), (2, True), (6, True)):
        law = Listed()
        law.levels = levels
        job = make_job(requests, images=data, **({"laws": {(2, "estimation"): law}} if own_law else {"noise": law}))
        if refused:
            with pytest.raises(
                InputError, match=rf"input 0 .* a pixel of 0\.25, no multiple of 1/{levels}, which listed"
            ):
                counted(job)
        else:
            assert len(counted(job)) == 4


@pytest.mark.parametrize("levels", [1, 16, 255, 1023, 65_535])
def test_the_grid_has_room_for_float32_and_no_more(levels: int) -> None:
    k = np.arange(0, levels + 1, max(1, levels // 500), dtype=np.float64)
    pixels = (k / levels).astype(np.float32)
    scaled = (k.astype(np.float32) * np.float32(1 / levels)).astype(np.float32)
    for good in (pixels, scaled, np.nextafter(scaled, np.float32(0)), np.nextafter(scaled, np.float32(2))):
        check_grid(good[:, None], range(len(k)), levels, "n")
    for off in (0.5, 0.05):
        with pytest.raises(InputError, match=r"input 7 of the data set has a pixel of 0\.\d+"):
            check_grid(np.array([[pixels[0]], [(k[-1] - off) / levels]], dtype=np.float32), [3, 7], levels, "n")


def test_shapes_of_the_fakes() -> None:
    assert Listed().outcome(3, (2, *SHAPE), "cpu", torch.float32).shape == (2, *SHAPE)
