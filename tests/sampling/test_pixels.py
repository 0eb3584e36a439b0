"""Inputs are read lazily, in groups, and checked."""

from __future__ import annotations

import numpy as np
import pytest
from sampling_fakes import SHAPE, Counting, chunks_of, images, make_job

from robustbench_rs.errors import InputError
from robustbench_rs.sampling import StageRequest, pixels


def test_groups_are_bounded_and_read_once(monkeypatch):
    monkeypatch.setattr(pixels, "GROUP_INPUTS", 4)
    data = Counting(100)
    requests = [StageRequest(i, stage, 0, 1) for i in range(90, 100) for stage in ("clean", "selection")]
    chunks_of(make_job(requests, images=data, batch_size=3))
    assert data.asked == [[90, 91, 92, 93], [94, 95, 96, 97], [98, 99]]


def test_large_inputs_come_in_small_groups():
    data = Counting(9, (3, 1024, 1024))
    window = pixels.PixelWindow(data, [StageRequest(i, "clean", 0, 1) for i in range(9)], "cpu")
    assert window.of(0).shape == (3, 1024, 1024)
    assert data.asked == [[0]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.001, 1.001])
def test_a_pixel_outside_the_unit_interval_names_its_input(value):
    data = images()
    data._pixels[6, 0, 1, 1] = value
    with pytest.raises(InputError, match=rf"input 6 of the data set has a pixel of {value:g}, outside \[0, 1\]"):
        chunks_of(make_job([StageRequest(i, "clean", 0, 1) for i in range(8)], images=data))


def test_pixels_of_another_shape_are_refused():
    data = Counting(4)
    data.pixels = lambda indices: np.zeros((len(indices), 2, 2), dtype=np.float32)
    with pytest.raises(InputError, match=r"shape \(1, 2, 2\), expected \(1, 1, 4, 4\)"):
        chunks_of(make_job([StageRequest(0, "clean", 0, 1)], images=data))


def test_inputs_that_cannot_be_read_are_named():
    data = Counting(4)

    def broken(indices):
        raise OSError("truncated file a.zip")

    data.pixels = broken
    with pytest.raises(InputError, match=r"cannot read inputs 0, 2 of the data set: OSError: truncated file a\.zip"):
        chunks_of(make_job([StageRequest(i, "clean", 0, 1) for i in (0, 2)], images=data))


def test_the_edges_of_the_interval_are_inside():
    pixels.check_pixels(np.stack([np.zeros(SHAPE), np.ones(SHAPE)]), [0, 1], SHAPE)
