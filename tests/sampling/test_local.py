"""The executor ``local``: same counts from any number of workers, and no worker is left behind."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from sampling_fakes import SHAPE, Counting, Dies, Misbehaving, Slow, counted, images, make_job, merged

from robustbench_rs.errors import InputError, RunError
from robustbench_rs.sampling import StageRequest
from robustbench_rs_plugins.executors import local

REQUESTS = tuple(StageRequest(i, stage, 0, n) for i in range(5) for stage, n in (("clean", 1), ("estimation", 50)))

PARENT = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
if __name__ == "__main__":
    from robustbench_rs_plugins.executors.local import LocalExecutor, LocalParams
    with open(sys.argv[2], "rb") as file:
        job = pickle.load(file)
    LocalExecutor(LocalParams(workers=2)).execute(job, ["cpu"], lambda chunk: None)
"""


def execute(job, workers: int, emit=None, devices=("cpu",)) -> list:
    chunks = []
    local.LocalExecutor(local.LocalParams(workers=workers)).execute(job, devices, emit or chunks.append)
    return chunks


@pytest.fixture(autouse=True)
def _no_worker_survives():
    yield
    assert multiprocessing.active_children() == []


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until(condition, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_one_worker_runs_here():
    assert merged(execute(make_job(REQUESTS), 1)) == counted(make_job(REQUESTS))


def test_two_workers_count_the_same():
    expected = counted(make_job(REQUESTS))
    assert merged(execute(make_job(REQUESTS, chunk_seconds=0.0), 2)) == expected
    assert merged(execute(make_job(REQUESTS), 1, devices=("cpu", "cpu", "cpu"))) == expected


def test_one_input_needs_one_process_only():
    job = make_job(REQUESTS[:2], Slow(Path(os.devnull).parent / "no-such-folder", 0.0))
    with pytest.raises(RunError, match="no-such-folder"):
        execute(job, 4)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("exit", "a sampling worker on cpu ended with exit code 7 before its work was done"),
        (
            "kill",
            "a sampling worker on cpu was killed by SIGKILL before its work was done; was the machine out of memory",
        ),
        ("sample", "noise 'misbehaving' failed to sample"),
        ("raise", r"the model \(Dies\) failed on a batch of shape .*: ValueError: bad weights"),
    ],
)
def test_a_worker_that_dies_or_fails_is_an_error_here(how, message):
    with pytest.raises(RunError, match=message):
        execute(make_job(REQUESTS, Dies(how), noise=Misbehaving("raises" if how == "sample" else "not")), 2)


def test_the_kind_of_error_survives_the_way():
    data = images()
    data._pixels[1] = 2.0
    with pytest.raises(InputError, match="input 1 of the data set has a pixel of 2"):
        execute(make_job(REQUESTS, images=data), 2)


def test_what_cannot_be_pickled_is_explained():
    class Here(torch.nn.Module):
        pass

    with pytest.raises(RunError, match="cannot be sent to worker processes"):
        execute(make_job(REQUESTS, Here()), 2)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("disk full")])
def test_an_error_of_emit_stops_the_workers_quickly(tmp_path, error):
    def emit(chunk):
        raise error

    job = make_job([StageRequest(i, "estimation", 0, 10**6) for i in range(2)], Slow(tmp_path, 0.1), chunk_seconds=0.1)
    with pytest.raises(type(error)):
        execute(job, 2, emit)
    assert not any(alive(int(file.name)) for file in tmp_path.iterdir())


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="tells by /proc whether a process lives")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_workers_stop_when_the_parent_is_gone(tmp_path, sent):
    """SIGKILL gives the parent no chance to stop them; Ctrl-C goes to the whole group and must leave no noise."""
    pids = tmp_path / "pids"
    pids.mkdir()
    job = make_job([StageRequest(i, "estimation", 0, 10**6) for i in range(2)], Slow(pids, 0.05))
    (tmp_path / "job.pkl").write_bytes(pickle.dumps(job))
    (tmp_path / "parent.py").write_text(PARENT)
    command = [sys.executable, str(tmp_path / "parent.py"), str(Path(__file__).parent), str(tmp_path / "job.pkl")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) as parent:
        wait_until(lambda: len(list(pids.iterdir())) == 2 or parent.poll() is not None)
        workers = [int(file.name) for file in pids.iterdir()]
        assert len(workers) == 2
        assert all(map(alive, workers))
        if sent == signal.SIGKILL:
            parent.kill()
        else:
            os.killpg(parent.pid, sent)
        _, said = parent.communicate(timeout=30)
    wait_until(lambda: not any(map(alive, workers)), 5.0)
    assert said.count(b"Traceback") == (0 if sent == signal.SIGKILL else 1), said.decode()


def test_the_executor_needs_no_torch_to_be_listed():
    code = "import sys, robustbench_rs_plugins.executors.local; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_large_data_is_fetched_in_the_worker():
    job = make_job([StageRequest(i, "clean", 0, 1) for i in range(4)], images=Counting(4, SHAPE))
    assert len(merged(execute(job, 2))) == 4
    assert job.images.asked == []
