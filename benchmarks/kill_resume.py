"""Kill a run with SIGKILL at 20 random moments, resume it each time, and compare the end with an uninterrupted run.

    python benchmarks/kill_resume.py [--kills 20] [--seed 0]

A quarter of the kills each falls into training, sampling, storing (while the results file is being written) and
rendering. Counts, certificates.csv and certified_accuracy.csv must be byte-identical to the uninterrupted run's.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

SPEC = """\
name: killed
dataset: {name: digits, limit: 40}
defenses:
  - name: g
    model: {name: small-cnn, training: {name: noise-augmentation, epochs: 25}}
    noise: {name: gaussian, sigma: [0.25, 0.5]}
certification: {n0: 100, n: 20000, norms: [1, 2, inf]}
report: {formats: [html, csv]}
executor: {name: local, batch_size: 256}
"""
TABLES = ("certificates.csv", "certified_accuracy.csv")
SCRIPT = "import sys; from robustbench_rs.cli import main; sys.exit(main())"
POLL = 0.0005
"""Seconds between looks: short beside the writing of a chunk."""


def main() -> int:
    """Print the outcome; exit code 1 when anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        return measure(Path(name), options.kills, random.Random(options.seed))


def measure(folder: Path, kills: int, moments: random.Random) -> int:
    """The uninterrupted run, the killed one, and the comparison."""
    (folder / "spec.yaml").write_text(SPEC)
    begun = time.monotonic()
    if start(folder, "whole").wait() != 0:
        return 1
    print(f"uninterrupted: {time.monotonic() - begun:.1f} s")
    whole, killed = folder / "whole", folder / "killed"
    waits = list(phases(folder, drawn(whole), moments).items())
    happened: Counter[str] = Counter()
    for number in range(kills):
        phase, wait = waits[number * len(waits) // kills]
        hit = kill(start(folder, "killed"), wait)
        happened[phase if hit else f"{phase} (it had ended before)"] += 1
    print("killed in: " + ", ".join(f"{phase} {times}" for phase, times in happened.items()))
    code = start(folder, "killed").wait()
    same = {part: results(killed)[part] == value for part, value in results(whole).items()}
    print(f"last resume: exit code {code}; identical: " + ", ".join(f"{part} {value}" for part, value in same.items()))
    return 0 if code == 0 and all(same.values()) else 1


def start(folder: Path, out: str) -> subprocess.Popen[bytes]:
    """The command line on the spec, with a cache of its own, on one thread."""
    arguments = ["-q", "run", "spec.yaml", "--out", out, "--cache", f"{out}-cache"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, *arguments]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)


Wait = Callable[["subprocess.Popen[bytes]"], None]


def phases(folder: Path, total: int, moments: random.Random) -> dict[str, Wait]:
    """Phase -> what waits for a random moment in it, in the order in which a run meets them."""
    run = folder / "killed"

    def training(process: subprocess.Popen[bytes]) -> None:
        until(process, lambda: bool(list((folder / "killed-cache").glob("models/*.lock"))))
        time.sleep(moments.uniform(0, 1.5))

    def sampling(process: subprocess.Popen[bytes]) -> None:
        until(process, lambda: owns(process, run) and bool(rows(run, "SELECT id FROM tasks")))
        time.sleep(moments.uniform(0, 2.5))

    def storing(process: subprocess.Popen[bytes]) -> None:
        until(process, lambda: owns(process, run))
        for _ in range(moments.randint(2, 8)):
            before = written(run)
            until(process, lambda before=before: written(run) != before)  # type: ignore[misc]
        time.sleep(moments.uniform(0, 0.005))

    def rendering(process: subprocess.Popen[bytes]) -> None:
        until(process, lambda: owns(process, run) and drawn(run) == total)
        time.sleep(moments.uniform(0, 0.6))

    return {"training": training, "sampling": sampling, "storing": storing, "rendering": rendering}


def kill(process: subprocess.Popen[bytes], wait: Wait) -> bool:
    """Whether the process was still there to be killed."""
    wait(process)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def until(process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
    while process.poll() is None and not condition():
        time.sleep(POLL)


def owns(process: subprocess.Popen[bytes], run: Path) -> bool:
    """The process holds the run's directory."""
    file = run / ".lock.pid"
    return file.exists() and file.read_text().strip() == str(process.pid)


def written(run: Path) -> tuple[int, int]:
    """Changes whenever the results file is written."""
    log = run / "run.sqlite-wal"
    try:
        state = log.stat()
    except OSError:
        return 0, 0
    return state.st_size, state.st_mtime_ns


def drawn(run: Path) -> int:
    """Draws stored so far."""
    return sum(row[4] for row in counts(run))


def counts(run: Path) -> list[tuple[Any, ...]]:
    return rows(run, "SELECT task, idx, stage, look, n, counts FROM counts ORDER BY 1, 2, 3, 4")


def rows(run: Path, query: str) -> list[tuple[Any, ...]]:
    """None while there is no readable file yet."""
    if not (run / "run.sqlite").exists():
        return []
    try:
        connection = sqlite3.connect(f"file:{run / 'run.sqlite'}?mode=ro", uri=True)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()
    except sqlite3.OperationalError:
        return []


def results(run: Path) -> dict[str, object]:
    """What "byte-identical" means."""
    tables = {name: run / "report" / name for name in TABLES}
    return {"counts": counts(run), **{name: file.read_bytes() for name, file in tables.items() if file.exists()}}


if __name__ == "__main__":
    sys.exit(main())
