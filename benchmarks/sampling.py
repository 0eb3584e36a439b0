"""Throughput of the sampling engine on the CPU, and how often counts depend on the batch size.

    python benchmarks/sampling.py            engine and the paper's loop over the bare forward pass
    python benchmarks/sampling.py --ties     draws whose class depends on the batch size or on their place in it

The bare forward pass is the same module on the same batch, noise already made, eval and inference mode. All three take
turns within one round, so that a busy machine slows them alike; the median of the rounds' ratios is printed. The
paper's loop is written after Cohen et al. 2019 (a batch of repeats, ``randn_like``, counting in Python).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from torch import nn

from robustbench_rs.api import ArrayImages, Chunk, Inputs, Model, Noise
from robustbench_rs.plugins import AllowedImporter, Registry, load_registry
from robustbench_rs.sampling import SamplingJob, StageRequest, block_rows

CASES = {"small-cnn": (1, 8, 8), "resnet20": (3, 32, 32)}
INPUTS = 8
CLASSES = 10
SIGMA = 0.25


def build(registry: Registry, name: str) -> nn.Module:
    """A module with random weights, in eval mode, whose logits vary from draw to draw."""
    torch.manual_seed(0)
    model = cast(type[Model], registry.find("model", name))()
    return model.build(Inputs(CASES[name], CLASSES), AllowedImporter()).eval()


def make_job(registry: Registry, name: str, draws: int, threads: int) -> SamplingJob:
    """``draws`` Gaussian draws in all, of a few random inputs."""
    shape = CASES[name]
    pixels = np.random.default_rng(0).random((INPUTS, *shape), dtype=np.float32)
    images = ArrayImages(pixels, np.zeros(INPUTS), [str(k) for k in range(CLASSES)])
    family = cast(type[Noise], registry.find("noise", "gaussian"))
    requests = tuple(StageRequest(index, "estimation", 0, draws // INPUTS) for index in range(INPUTS))
    rows = block_rows(int(np.prod(shape)), "cpu")
    noise = family(family.Params.model_validate({"sigma": SIGMA}))
    return SamplingJob(build(registry, name), noise, images, requests, 0, CLASSES, rows, threads=threads)


def bare(module: nn.Module, batch: torch.Tensor, draws: int) -> None:
    """Forward passes only."""
    with torch.inference_mode():
        for _ in range(draws // len(batch)):
            module(batch)


def paper_loop(module: nn.Module, pixels: torch.Tensor, draws: int, batch_size: int) -> np.ndarray:
    """Sampling as in the paper's code: input by input, each batch repeated, counted on the host one by one."""
    counts = np.zeros((len(pixels), CLASSES), dtype=int)
    with torch.no_grad():
        for row, x in zip(counts, pixels, strict=True):
            remaining = draws // len(pixels)
            while remaining > 0:
                size = min(batch_size, remaining)
                remaining -= size
                batch = x.repeat((size, 1, 1, 1))
                noise = torch.randn_like(batch) * SIGMA
                for label in module(batch + noise).argmax(1).numpy():
                    row[label] += 1
    return counts


def ignore(_: Chunk) -> None:
    """Counts are not the point here."""


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def throughput(registry: Registry, name: str, seconds: float, rounds: int, threads: int) -> None:
    """Print draws per second of all three, and the ratios over the bare forward pass."""
    job = make_job(registry, name, INPUTS * 2**20, threads).calibrated("cpu")
    size = job.batch_size or 1
    pixels = torch.from_numpy(job.images.pixels(np.arange(INPUTS)))
    batch = torch.rand((size, *CASES[name]))
    bare(job.module, batch, size)
    one = timed(lambda: bare(job.module, batch, size))
    draws = size * INPUTS * max(1, round(seconds / one / INPUTS))
    job = replace(make_job(registry, name, draws, threads), batch_size=size)
    contenders: dict[str, Callable[[], object]] = {
        "bare": lambda: bare(job.module, batch, draws),
        "engine": lambda: job.run("cpu", ignore),
        "paper": lambda: paper_loop(job.module, pixels, draws, size),
    }
    times: dict[str, list[float]] = {who: [] for who in contenders}
    for _ in range(rounds):
        for who, work in contenders.items():
            times[who].append(timed(work))
    print(
        f"{name} on {'x'.join(map(str, CASES[name]))}: batch {size}, {draws} draws, {rounds} rounds, {threads} threads"
    )
    for who, measured in times.items():
        ratio = statistics.median(base / own for base, own in zip(times["bare"], measured, strict=True))
        print(f"  {who:7s} {draws / statistics.median(measured):10.0f} draws/s   {ratio:.3f} of the bare forward pass")


class Watching(nn.Module):
    """Keeps the logits of every draw."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.logits: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.module(x)
        self.logits.append(logits.clone())
        return logits


def logits_of(job: SamplingJob, batch_size: int, skip: int = 0) -> torch.Tensor:
    """Logits (draws, K) of all draws in order, the first ``skip`` draws left out: the others move up in the batches."""
    watching = Watching(job.module)
    first, *others = job.requests
    requests = (replace(first, start=skip), *others)
    job = replace(job, module=watching, requests=requests, batch_size=batch_size)
    job.run("cpu", ignore)
    return torch.cat(watching.logits)[: job.draws]


def ties(registry: Registry, name: str, draws: int, threads: int) -> None:
    """Print how far logits move with the batch, how many classes change, and the rate that their margins imply."""
    job = make_job(registry, name, draws, threads)
    base = logits_of(job, 1000)
    top = base.topk(2, dim=1).values.double()
    margin = top[:, 0] - top[:, 1]
    print(
        f"{name}: {len(base)} draws, the same noise bits, against batches of 1000; median margin {margin.median():.3g}"
    )
    for label, size, skip in (("batch 1", 1, 0), ("batch 7", 7, 0), ("batch 1000, moved by 137", 1000, 137)):
        other = logits_of(job, size, skip)
        moved = (other.double() - base[skip:].double()).abs().amax(dim=1)
        changed = int((other.argmax(1) != base[skip:].argmax(1)).sum())
        # A class changes when the margin is below about the sum of two moves; near 0 margins are evenly spread.
        near = margin.quantile(0.05)
        rate = 2 * float(moved.mean()) * 0.05 / float(near)
        print(
            f"  {label:25s} logits differ in {float((moved > 0).double().mean()):.4f} of the draws, by at most "
            f"{float(moved.max()):.1e}; {changed} classes differ; rate implied by the margins <= {rate:.1e}"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ties", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one contender in one round")
    parser.add_argument("--draws", type=int, default=20_000, help="with --ties")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    registry = load_registry()
    for name in CASES:
        if options.ties:
            ties(registry, name, options.draws, options.threads)
        else:
            throughput(registry, name, options.seconds, options.rounds, options.threads)


if __name__ == "__main__":
    main()
