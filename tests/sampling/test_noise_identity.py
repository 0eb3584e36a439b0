"""The noise of draw i is the same bits, however the work is cut. The classifier's class changes with any single bit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling_fakes import ROWS, SHAPE, Gaussian, Recorder, chunks_of, counted, images, make_job, merged

from robustbench_rs.sampling import StageRequest, block_generator

REQUESTS = tuple(
    StageRequest(index, stage, 0, stop)
    for index in (0, 3, 5)
    for stage, stop in (("clean", 1), ("selection", 20), ("estimation", 333))
)
WHOLE = {}


def whole() -> dict:
    if not WHOLE:
        WHOLE.update(counted(make_job(REQUESTS, threads=1)))
    return WHOLE


def drawn_noise(**changes) -> torch.Tensor:
    """All noise of one input, read off the batches that the model got, around an input of zeros."""
    recorder = Recorder()
    requests = [StageRequest(2, "estimation", 0, 1003)]
    counted(make_job(requests, recorder, images=images(value=0.0), **changes))
    return torch.cat(recorder.batches)[:1003]


def test_draw_i_is_row_i_of_its_block():
    blocks = [
        Gaussian().sample((ROWS, *SHAPE), block_generator(1, 2, "estimation", block, "cpu"), "cpu", torch.float32)
        for block in range(1003 // ROWS + 1)
    ]
    assert torch.equal(drawn_noise(), torch.cat(blocks)[:1003])


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
@pytest.mark.parametrize("threads", [1, 2])
def test_noise_is_bit_identical_for_every_batch_size_and_thread_count(batch_size, threads):
    assert torch.equal(drawn_noise(batch_size=batch_size, threads=threads), drawn_noise())


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_counts_do_not_depend_on_the_batch_size(batch_size):
    assert counted(make_job(REQUESTS, batch_size=batch_size)) == whole()


@given(order=st.permutations(REQUESTS), batch_size=st.integers(1, 70), threads=st.sampled_from([1, 2]))
@settings(max_examples=12, deadline=None)
def test_counts_do_not_depend_on_the_order(order, batch_size, threads):
    assert counted(make_job(order, batch_size=batch_size, threads=threads)) == whole()


@given(cuts=st.tuples(*[st.integers(0, request.stop) for request in REQUESTS]), batch_size=st.integers(1, 70))
@settings(max_examples=12, deadline=None)
def test_an_interruption_at_any_draw_changes_nothing(cuts, batch_size):
    before = [replace(request, stop=cut) for request, cut in zip(REQUESTS, cuts, strict=True)]
    after = [replace(request, start=cut) for request, cut in zip(REQUESTS, cuts, strict=True)]
    chunks = chunks_of(make_job(before, batch_size=batch_size)) + chunks_of(make_job(after, batch_size=33))
    assert merged(chunks) == whole()


@given(limit=st.integers(0, 12))
@settings(max_examples=13, deadline=None)
def test_resuming_from_the_chunks_emitted_before_a_crash(limit):
    """What was emitted when the run stopped is kept; the rest is asked for again."""
    kept = []

    def emit(chunk):
        if len(kept) == limit:
            raise KeyboardInterrupt
        kept.append(chunk)

    try:
        make_job(REQUESTS, chunk_seconds=0.0).run("cpu", emit)
    except KeyboardInterrupt:
        reached = {(row.index, row.stage): row.stop for chunk in kept for row in chunk.counts}
        rest = [replace(each, start=reached.get((each.index, each.stage), 0)) for each in REQUESTS]
        kept += chunks_of(make_job(rest))
    assert merged(kept) == whole()


def test_chunk_ends_change_nothing():
    often = chunks_of(make_job(REQUESTS, chunk_seconds=0.0))
    once = chunks_of(make_job(REQUESTS, chunk_seconds=3600.0))
    assert len(often) > 5
    assert len(once) == 1
    assert merged(often) == merged(once) == whole()


def test_parts_draw_what_the_whole_draws():
    parts = make_job(REQUESTS).parts(2)
    assert len(parts) == 2
    assert merged([chunk for part in parts for chunk in chunks_of(part)]) == whole()


def test_seed_input_and_stage_change_the_noise():
    base = whole()
    other = counted(make_job(REQUESTS, seed=2))
    assert base[0, "clean"] == other[0, "clean"]
    assert base[0, "estimation"] != other[0, "estimation"]
    same_input = counted(
        make_job([StageRequest(index, "estimation", 0, 333) for index in (0, 1)], images=images(value=0.5))
    )
    assert same_input[0, "estimation"] != same_input[1, "estimation"]
    same_draws = counted(make_job([StageRequest(0, stage, 0, 333) for stage in ("a", "b")]))
    assert same_draws[0, "a"] != same_draws[0, "b"]
