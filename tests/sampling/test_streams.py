"""Generators per block."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from robustbench_rs.errors import RunError
from robustbench_rs.sampling import block_generator, block_rows, streams


def first_words(*key) -> tuple[int, ...]:
    generator = block_generator(*key, "cpu")
    return tuple(torch.randint(0, 2**62, (2,), generator=generator).tolist())


@pytest.fixture
def fresh_layout_check():
    streams._empty_state.cache_clear()
    yield
    streams._empty_state.cache_clear()


def test_state_is_that_of_a_mersenne_twister_with_these_words():
    words = streams.mersenne_words(b"any key").astype(np.uint32)
    twister = np.random.MT19937()
    twister.state = {"bit_generator": "MT19937", "state": {"key": words, "pos": 624}}
    generator = torch.Generator().set_state(streams._cpu_state(words))
    drawn = torch.empty(3000, dtype=torch.int32).random_(generator=generator).numpy()
    assert np.array_equal(drawn, twister.random_raw(3000) % 2**31)


def test_every_part_of_the_key_counts():
    keys = list(itertools.product([0, 1, 2**62], [0, 1, 10], ["selection", "estimation", "1"], [0, 1, 10]))
    assert len({first_words(*key) for key in keys}) == len(keys)


def test_blocks_do_not_collide_where_32_bit_seeds_would():
    """30,000 seeds of 32 bits collide with probability 0.1; 124 bits never do."""
    assert len({first_words(0, 0, "estimation", block) for block in range(30_000)}) == 30_000


def test_streams_never_change():
    """Stored counts are extended years later: the first draws of this key are part of the format."""
    assert first_words(0, 0, "estimation", 0) == (2907713175495675917, 1876268681533134936)


def test_same_key_same_stream_and_the_global_generator_is_left_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assert first_words(1, 2, "selection", 3) == first_words(1, 2, "selection", 3)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.usefixtures("fresh_layout_check")
@pytest.mark.parametrize(("constant", "value"), [("STATE_BYTES", 5048), ("FIRST_WORD", 4)])
def test_an_unknown_layout_is_refused(monkeypatch, constant, value):
    monkeypatch.setattr(streams, constant, value)
    with pytest.raises(RunError, match="unknown layout"):
        block_generator(0, 0, "estimation", 0, "cpu")


def test_block_rows():
    assert block_rows(64, "cpu") == 512
    assert block_rows(3072, "cpu") == 10
    assert block_rows(150_528, "cpu") == 1
    assert block_rows(3072, "cuda") == 341
    assert all(block_rows(dim, "cpu") * dim <= 2**15 for dim in (1, 7, 784, 2**15))
