"""Inputs and stages with a noise of their own: drawn in one job as they would be drawn in jobs of their own."""

from __future__ import annotations

import pickle

import pytest
from sampling_fakes import Gaussian, Misbehaving, counted, make_job

from robustbench_rs.errors import RunError
from robustbench_rs.sampling import StageRequest


class Wider(Gaussian):
    """Normal noise of another standard deviation."""

    name = "wider"

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def sample(self, shape, generator, device, dtype):
        return super().sample(shape, generator, device, dtype) * self.factor


REQUESTS = [StageRequest(index, stage, 0, 40) for index in range(4) for stage in ("clean", "selection", "estimation")]
LAWS = {(0, "selection"): Wider(2.0), (0, "estimation"): Wider(3.0), (2, "estimation"): Wider(4.0)}


def expected():
    """Each law in a job of its own."""
    found = counted(make_job(REQUESTS))
    for key, law in LAWS.items():
        found[key] = counted(make_job([StageRequest(*key, 0, 40)], noise=law))[key]
    return found


@pytest.mark.parametrize("threads", [1, 3])
def test_in_one_job_as_in_several(threads):
    found = counted(make_job(REQUESTS, laws=LAWS, threads=threads))
    assert found == expected()
    assert found != counted(make_job(REQUESTS))


def test_parts_and_pickles_keep_them():
    job = make_job(REQUESTS, laws=LAWS)
    whole = {}
    for part in job.parts(3):
        whole |= counted(pickle.loads(pickle.dumps(part)))
    assert whole == expected()


def test_a_law_that_fails_is_named():
    with pytest.raises(RunError, match="noise 'misbehaving' failed to sample"):
        counted(make_job(REQUESTS, laws={(1, "estimation"): Misbehaving("raises")}))
