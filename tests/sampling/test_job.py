"""Jobs: parts, pickles, batch sizes."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from sampling_fakes import CLASSES, BitClassifier, Counting, Hungry, chunks_of, counted, make_job
from torch import nn

from robustbench_rs.errors import RunError
from robustbench_rs.sampling import StageRequest, calibration, memory
from robustbench_rs.sampling.classifier import Classifier

REQUESTS = tuple(StageRequest(index, stage, 0, 60) for index in range(7) for stage in ("selection", "estimation"))

NOISE_FILE = """
from robustbench_rs.api import Noise, hookimpl
from robustbench_rs.api.draws import standard_normal

class Mine(Noise):
    \"\"\"Standard normal.\"\"\"
    name = "mine"
    def __init__(self, params=None):
        pass
    def sample(self, shape, generator, device, dtype):
        return standard_normal(shape, generator, device, dtype)

@hookimpl
def robustbench_rs_noises():
    return [Mine]
"""

CHILD = "import pickle, sys; job = pickle.load(sys.stdin.buffer); print(type(job.noise).__module__, job.plugin_files)"


@pytest.mark.parametrize("number", [1, 2, 3, 7, 20])
def test_parts_are_disjoint_in_inputs_and_together_the_whole(number):
    parts = make_job(REQUESTS).parts(number)
    assert len(parts) == min(number, 7)
    owned = [{request.index for request in part.requests} for part in parts]
    assert sum(map(len, owned)) == len(set.union(*owned)) == 7
    assert sorted((r for part in parts for r in part.requests), key=repr) == sorted(REQUESTS, key=repr)
    assert max(part.draws for part in parts) - min(part.draws for part in parts) <= 120


def test_parts_share_the_threads():
    assert [part.threads for part in make_job(REQUESTS, threads=5).parts(2)] == [2, 2]
    assert [part.threads for part in make_job(REQUESTS, threads=1).parts(2)] == [1, 1]
    assert make_job(REQUESTS, threads=3).parts(1)[0].threads == 3


def test_a_pickled_job_counts_the_same():
    job = make_job(REQUESTS, nn.Sequential(BitClassifier()))
    assert counted(pickle.loads(pickle.dumps(job))) == counted(job)


def test_a_job_brings_its_plugin_file_to_another_process(tmp_path):
    from robustbench_rs.plugins import load_registry

    file = tmp_path / "mine.py"
    file.write_text(NOISE_FILE)
    noise = load_registry(files=(file,)).find("noise", "mine")()
    job = make_job(REQUESTS, nn.Flatten(), noise=noise, plugin_files=(file,))
    done = subprocess.run([sys.executable, "-c", CHILD], input=pickle.dumps(job), capture_output=True, check=True)
    assert done.stdout.decode().strip() == f"robustbench_rs_file_mine ({file!r},)"


class Clock:
    """Stands in for the module ``time``."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


class Paced(nn.Module):
    """Takes ``fixed`` seconds of a clock per batch, and ``each`` per input above ``free`` of them."""

    def __init__(self, clock: Clock, fixed: float, each: float = 0.0, free: int = 0) -> None:
        super().__init__()
        self.clock = clock
        self.fixed = fixed
        self.each = each
        self.free = free

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.clock.now += self.fixed + self.each * max(0, len(x) - self.free)
        return torch.zeros(len(x), CLASSES)


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(calibration, "time", clock)
    return clock


def calibrated(module: nn.Module, draws: int, shape=(1, 4, 4)) -> int:
    return calibration.calibrate(Classifier(module, CLASSES), shape, draws, torch.device("cpu")).batch


@pytest.mark.parametrize("best", [32, 256, 4096])
def test_calibration_finds_where_throughput_stops_growing(clock, best):
    assert calibrated(Paced(clock, 0.01, 0.001, best), 10**6) == best


def test_calibration_prefers_the_smaller_of_two_that_are_about_as_fast(clock):
    assert calibrated(Paced(clock, 0.0001, 0.0001, 128), 10**6) == 128


def test_calibration_does_not_outlast_the_work(clock):
    assert calibrated(Paced(clock, 0.01), 100) == 32
    assert clock.now < 0.03
    assert calibrated(Paced(clock, 0.01), 5) == 4
    assert calibrated(Paced(clock, 0.01), 1) == 1


def test_calibration_ends_at_long_batches(clock):
    assert calibrated(Paced(clock, 1.5), 10**9) == 32
    assert clock.now == 3.0


def test_calibration_stays_within_memory(monkeypatch):
    assert calibrated(Hungry(40, MemoryError()), 10**9) == 32
    assert calibrated(Hungry(5, MemoryError()), 10**9) == 4
    monkeypatch.setattr(calibration, "growth_limit", lambda device: -1)
    assert calibrated(BitClassifier(), 10**9) == 32


class Parallel(nn.Module):
    """Takes ``alone`` seconds per input in one thread, ``together`` in several."""

    def __init__(self, clock: Clock, alone: float, together: float) -> None:
        super().__init__()
        self.clock = clock
        self.alone = alone
        self.together = together

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        each = self.alone if torch.get_num_threads() == 1 else self.together
        self.clock.now += 0.0001 + each * len(x)
        return torch.zeros(len(x), CLASSES)


@pytest.mark.parametrize(("together", "chosen"), [(0.0005, 2), (0.0009, 1), (0.05, 1)])
def test_calibration_uses_a_second_thread_only_where_it_is_worth_it(clock, together, chosen):
    """0.05: what two threads take that share a core with another program's."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        job = make_job([StageRequest(0, "estimation", 0, 10**6)], Parallel(clock, 0.001, together), batch_size=None)
        assert job.calibrated("cpu").threads == chosen
        assert replace(job, threads=2).calibrated("cpu").threads == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_calibration_without_memory_for_one_input():
    with pytest.raises(RunError, match="out of memory on cpu with a single input"):
        chunks_of(make_job(REQUESTS, Hungry(0, MemoryError()), batch_size=None))


def test_a_job_without_a_batch_size_counts_the_same():
    assert counted(make_job(REQUESTS, batch_size=None)) == counted(make_job(REQUESTS))
    assert make_job(REQUESTS, batch_size=None).calibrated("cpu").batch_size >= 1
    assert make_job(REQUESTS).calibrated("cpu").batch_size == 64


def test_nothing_is_read_for_nothing():
    data = Counting(3)
    chunks_of(make_job([StageRequest(0, "clean", 1, 1)], images=data, batch_size=None))
    assert data.asked == []


@pytest.mark.parametrize(
    ("error", "is_memory"), [(RuntimeError("MPS backend out of memory"), True), (ValueError(), False)]
)
def test_out_of_memory_is_recognised(error, is_memory):
    assert memory.is_out_of_memory(error) is is_memory
