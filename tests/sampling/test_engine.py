"""What the engine counts, and how it fails."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from sampling_fakes import (
    CLASSES,
    SHAPE,
    Answers,
    BitClassifier,
    Hungry,
    Misbehaving,
    Recorder,
    Shifting,
    chunks_of,
    counted,
    images,
    make_job,
    merged,
)
from torch import nn

from robustbench_rs.errors import InputError, RunError
from robustbench_rs.sampling import StageRequest

REQUESTS = tuple(StageRequest(index, "estimation", 0, 200) for index in range(8))


class HalfSpace(nn.Module):
    """Class 1 where the first pixel exceeds 1/2, class 2 elsewhere."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        above = x.flatten(1)[:, 0] > 0.5
        return nn.functional.one_hot(torch.where(above, 1, 2), CLASSES).float()


def test_counts_are_those_of_the_draws():
    recorder = Recorder()
    requests = [StageRequest(4, "estimation", 10, 110)]
    counts = counted(make_job(requests, recorder))[4, "estimation"]
    drawn = torch.cat(recorder.batches)[:100]
    expected = np.bincount(BitClassifier()(drawn).argmax(1).numpy(), minlength=CLASSES)
    assert counts == expected.tolist()


def test_clean_draws_have_no_noise():
    recorder = Recorder()
    data = images()
    counted(make_job([StageRequest(index, "clean", 0, 1) for index in range(8)], recorder, images=data, batch_size=8))
    assert np.array_equal(recorder.batches[0].numpy(), data.pixels(np.arange(8)))


def test_without_noise_every_stage_is_clean():
    recorder = Recorder()
    counted(make_job([StageRequest(1, "estimation", 0, 3)], recorder, noise=None, batch_size=3))
    assert np.array_equal(recorder.batches[0].numpy(), images().pixels(np.array([1, 1, 1])))


def test_batches_fill_across_inputs_and_stages():
    recorder = Recorder()
    requests = [StageRequest(i, stage, 0, n) for i in range(8) for stage, n in (("clean", 1), ("selection", 9))]
    counted(make_job(requests, recorder, batch_size=20))
    assert [len(batch) for batch in recorder.batches] == [20] * 4


def test_the_model_always_sees_the_same_shape():
    recorder = Recorder()
    counted(make_job([StageRequest(0, "estimation", 0, 130)], recorder, batch_size=64))
    assert {tuple(batch.shape) for batch in recorder.batches} == {(64, *SHAPE)}


def test_a_model_that_changes_its_input_in_place_changes_nothing_else():
    assert counted(make_job(REQUESTS, Shifting())) == counted(make_job(REQUESTS))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDNN_STATUS_ALLOC_FAILED"),
        MemoryError(),
    ],
)
def test_running_out_of_memory_halves_the_batch_and_counts_the_same(error):
    chunks = chunks_of(make_job(REQUESTS, Hungry(20, error), batch_size=64))
    assert merged(chunks) == counted(make_job(REQUESTS))
    assert chunks[-1].batch_size == 16
    news = [line for chunk in chunks for line in chunk.news]
    assert [line.split(": ")[1] for line in news] == ["going on with 32", "going on with 16"]


def test_memory_for_not_even_one_input_is_an_error():
    with pytest.raises(RunError, match=r"out of memory on cpu with a single input of shape \(1, 4, 4\)"):
        chunks_of(make_job(REQUESTS, Hungry(0, MemoryError())))


def test_a_batch_that_cannot_be_allocated_is_halved(monkeypatch):
    zeros = torch.zeros

    def refuse(shape, **options):
        if np.prod(shape) > 1000 * np.prod(SHAPE):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 65536 bytes")
        return zeros(shape, **options)

    monkeypatch.setattr(torch, "zeros", refuse)
    (chunk,) = chunks_of(make_job([StageRequest(0, "estimation", 0, 2)], batch_size=2**14))
    assert chunk.batch_size == 512
    assert len(chunk.news) == 5


def test_nan_logits_name_the_input():
    requests = [StageRequest(index, "clean", 0, 1) for index in (3, 4)]
    data = images(value=0.25)
    data._pixels[4] = 0.75
    with pytest.raises(RunError, match=r"the model returned NaN for 1 of 1 draws of input 4 \(stage 'clean'\)"):
        chunks_of(make_job(requests, Answers(nan_above=0.5), images=data))


def test_rows_that_hold_no_draw_are_not_judged():
    """The rest of the last batch is whatever stood there: a NaN for it is nobody's."""
    data = images(value=0.25)
    data._pixels[0] = 0.75
    assert counted(make_job([StageRequest(1, "clean", 0, 1)], Answers(nan_above=0.5), images=data))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (torch.zeros(64, 7), r"the model returned shape \(64, 7\), expected \(64, 251\)"),
        (torch.zeros(64), r"the model returned shape \(64,\), expected \(64, 251\)"),
        (torch.zeros(3, CLASSES), r"the model returned shape \(3, 251\), expected \(64, 251\)"),
        ({"logits": 1}, r"the model returned dict, expected a tensor"),
        (torch.zeros(64, CLASSES, dtype=torch.complex64), "complex64"),
        (
            ValueError("no such layer"),
            r"the model \(Answers\) failed on a batch of shape \(64, 1, 4, 4\): ValueError: no such",
        ),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), r"the model \(Answers\) failed .* mat1 and mat2"),
    ],
)
def test_a_model_that_misbehaves_is_named(answer, message):
    with pytest.raises(RunError, match=message):
        chunks_of(make_job(REQUESTS, Answers(answer)))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raises", r"noise 'misbehaving' failed to sample shape \(16, 1, 4, 4\): ValueError: no table"),
        (
            "shape",
            r"noise 'misbehaving' returned torch.float32 of shape \(15, 1, 4, 4\), expected floats of shape \(16,",
        ),
        ("integers", "returned torch.int32"),
        ("nothing", "returned NoneType, expected a tensor"),
        ("nan", "'misbehaving' drew a value that is not finite"),
        ("infinite", "'misbehaving' drew a value that is not finite"),
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_noise_that_misbehaves_is_named(how, message, threads):
    with pytest.raises(RunError, match=message):
        chunks_of(make_job(REQUESTS, noise=Misbehaving(how), threads=threads))


def test_seconds_are_given_per_stage_and_add_up():
    requests = [StageRequest(0, "selection", 0, 100), StageRequest(0, "estimation", 0, 300)]
    (chunk,) = chunks_of(make_job(requests))
    assert set(chunk.seconds) == {"selection", "estimation"}
    assert chunk.seconds["estimation"] == pytest.approx(3 * chunk.seconds["selection"])


def test_more_requests_than_slots_come_home_in_several_chunks(monkeypatch):
    monkeypatch.setattr("robustbench_rs.sampling.engine.SLOTS", 3)
    chunks = chunks_of(make_job(REQUESTS, batch_size=3, chunk_seconds=3600.0))
    assert len(chunks) > 1
    assert merged(chunks) == counted(make_job(REQUESTS))


def test_nothing_asked_nothing_done():
    assert chunks_of(make_job([])) == []
    assert chunks_of(make_job([StageRequest(0, "estimation", 5, 5)], Answers(ValueError("never called")))) == []


def test_modes_threads_and_the_global_generator_are_as_before():
    module = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(16, CLASSES))
    module[1].eval()
    torch.manual_seed(0)
    before = (torch.get_rng_state(), torch.get_num_threads())
    chunks_of(make_job(REQUESTS, module, threads=1))
    assert [module.training, module[1].training, module[2].training] == [True, False, True]
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.get_num_threads() == before[1]


def test_the_model_runs_in_eval_and_inference_mode():
    seen = []

    class Spy(BitClassifier):
        def forward(self, x):
            seen.append((self.training, torch.is_inference_mode_enabled()))
            return super().forward(x)

    chunks_of(make_job(REQUESTS, Spy()))
    assert set(seen) == {(False, True)}


def test_the_sampled_probability_is_right():
    """P(first pixel + eps > 1/2) for an input of 1/2 is 1/2; false alarm below 1e-7 over seeds."""
    from scipy import stats

    counts = counted(make_job([StageRequest(0, "estimation", 0, 20_000)], HalfSpace(), images=images(value=0.5)))
    assert stats.binomtest(counts[0, "estimation"][1], 20_000).pvalue > 1e-7


def test_memory_does_not_grow_with_the_number_of_draws():
    """numpy and Python memory by tracemalloc; torch's own is the one reused buffer, seen by its address."""

    class Address(HalfSpace):
        seen: set[int] = set()  # noqa: RUF012

        def forward(self, x):
            self.seen.add(x.data_ptr())
            return super().forward(x)

    def peak(draws: int) -> int:
        tracemalloc.start()
        chunks_of(make_job([StageRequest(0, "estimation", 0, draws)], Address(), batch_size=256, threads=1))
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(1000)
    assert peak(40_000) < peak(1000) + 100_000
    assert len(Address.seen) <= 3


@pytest.mark.parametrize("field", ["batch_size", "threads", "rows", "num_classes"])
def test_sizes_below_one_are_refused(field):
    with pytest.raises(InputError, match=f"{field} must be at least 1, not 0"):
        make_job(REQUESTS, **{field: 0})
