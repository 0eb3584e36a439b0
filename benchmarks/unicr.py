"""The solver unicr against closed forms: error and time, in the cases where the published code was measured.

    python benchmarks/unicr.py [--draws 5000] [--dim 3072] [--seeds 5]

One line for each (noise, norm, pA): the relative error of single radii, worst and mean over independent seeds, of the
estimate and of the sound one-shift bound; and the CPU seconds that a single radius takes, the search of directions
included (``cold``) or with its directions known (``warm``). The sound values may be above the truth as often as their
alpha allows: more, at a false-alarm rate of 1e-6, is an error.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from robustbench_rs.api import MemoryTables, NoiseParams, ProductNoise
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.solvers.unicr import UnicrParams, UnicrSolver

CASES: tuple[tuple[type[ProductNoise], float, tuple[float, ...]], ...] = (
    (Gaussian, 2.0, (0.6, 0.9, 0.99)),
    (Gaussian, math.inf, (0.6, 0.9, 0.99)),
    (Laplace, 1.0, (0.6, 0.9, 0.99)),
)


@dataclass(frozen=True)
class Row:
    """Relative errors (seeds,) of estimates and of sound values, and CPU seconds per single radius (medians)."""

    noise: str
    norm: float
    p_lower: float
    errors: np.ndarray
    sound: np.ndarray
    cold: float
    warm: float
    sound_seconds: float

    def __str__(self) -> str:
        return (
            f"{self.noise:10s} norm {self.norm:<4g} pA {self.p_lower:<6g} estimate {_percent(self.errors)}, "
            f"sound {_percent(self.sound)}; CPU seconds: cold {self.cold:.2f}, warm {self.warm:.2f}, "
            f"sound (warm) {self.sound_seconds:.2f}"
        )


def _percent(errors: np.ndarray) -> str:
    worst = errors[np.argmax(np.abs(errors))]
    return f"mean {100 * errors.mean():+.1f} worst {100 * worst:+.1f} per cent"


def rows(draws: int, dim: int, seeds: int) -> Iterator[Row]:
    for noise, norm, levels in CASES:
        law = noise(NoiseParams(sigma=1.0))
        form = law.closed_form(norm, dim)
        if form is None:
            raise SystemExit(f"no closed form for {law.name} noise in this norm")
        for p_lower in levels:
            truth = float(form.radius(np.array([p_lower]), np.array([1 - p_lower]))[0])
            found = np.array([_timed(law, norm, dim, p_lower, draws, seed) for seed in range(seeds)])
            errors, times = found[:, [0, 2]] / truth - 1, np.median(found[:, [1, 3, 4]], axis=0)
            yield Row(law.name, norm, p_lower, errors[:, 0], errors[:, 1], *times)


def _timed(law: ProductNoise, norm: float, dim: int, p_lower: float, draws: int, seed: int) -> tuple[float, ...]:
    """Radius and CPU seconds cold; sound radius; CPU seconds warm, and of the sound value."""
    tables = MemoryTables()
    estimate, sound = (UnicrSolver(UnicrParams(draws=draws, seed=seed, sound=bound)) for bound in (False, True))
    estimate.tables = sound.tables = tables
    limits = np.array([p_lower]), np.array([1 - p_lower])
    marks = [time.process_time()]
    values = []
    for solver in (estimate, estimate, sound):
        values.append(float(solver.radii(law, norm, dim, *limits).radius[0]))
        marks.append(time.process_time())
    cold, warm, sound_seconds = np.diff(marks)
    return values[0], float(cold), values[2], float(warm), float(sound_seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=5000)
    parser.add_argument("--dim", type=int, default=3072)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    above: list[bool] = []
    for row in rows(arguments.draws, arguments.dim, arguments.seeds):
        print(row, flush=True)
        above += (row.sound > 1e-9).tolist()
    if sum(above) > binom.isf(1e-6, len(above), UnicrParams().alpha):
        raise SystemExit(f"{sum(above)} of {len(above)} sound values are above the truth")


if __name__ == "__main__":
    main()
