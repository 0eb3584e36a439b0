"""Coverage: simulated certificates of base classifiers whose class probabilities and true radii are known.

    python benchmarks/coverage.py [--certificates 20000] [--seed 0]

Every certificate goes through the real bound and solver: n0 = 100 draws choose the class, n = 1,000 fresh ones bound
it. It fails when it certifies a wrong class, or a radius above the true one. The fraction of failures must be at most
alpha: a setting is rejected when P(Bin(certificates, alpha) >= failures) is below 1e-8, so that a sound bound is
rejected somewhere in all the settings (under a hundred) with probability below 1e-6.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.stats import binom, norm

from robustbench_rs.api import Bound, NoiseParams, ProductNoise
from robustbench_rs_plugins.bounds.clopper_pearson import ClopperPearson, ClopperPearsonParams
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.uniform import Uniform
from robustbench_rs_plugins.solvers.closed_form import ClosedFormSolver

N0, N = 100, 1000
REJECT = 1e-8
BLOCK = 500
Draw = Callable[[int, int, np.random.Generator], np.ndarray]
"""(certificates, draws per certificate, rng) -> counts (certificates, K)."""


@dataclass(frozen=True)
class Setting:
    """A base classifier at one input. Class 0 is the smoothed classifier's; ``radius`` is true, in ``norm``."""

    name: str
    noise: ProductNoise
    norm: float
    dim: int
    bound: Bound
    alpha: float
    radius: float
    draw: Draw


@dataclass(frozen=True)
class Outcome:
    """How many of the certificates fail, how many abstain, and how likely that many failures are at level alpha."""

    setting: Setting
    certificates: int
    failures: int
    abstentions: int
    p_value: float


def multinomial(probabilities: list[float]) -> Draw:
    """Counts from class probabilities."""
    return lambda m, n, rng: rng.multinomial(n, probabilities, size=m)


def sampled(noise: ProductNoise, threshold: float) -> Draw:
    """Counts of a one-dimensional half-space, x <= threshold, under draws of the real sampler."""

    def draw(m: int, n: int, rng: np.random.Generator) -> np.ndarray:
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        blocks = (min(BLOCK, m - start) for start in range(0, m, BLOCK))
        below = [
            (noise.sample((b * n, 1), generator, "cpu", torch.float64) <= threshold).view(b, n).sum(1) for b in blocks
        ]
        inside = torch.cat(below).numpy()
        return np.stack([inside, n - inside], axis=1)

    return draw


def slab_radius(half_width: float, sigma: float) -> float:
    """Where the Gaussian measure of the slab abs(x_1) <= half_width falls to 1/2 as it moves."""

    def mass(shift: float) -> float:
        return float(norm.cdf((half_width - shift) / sigma) - norm.cdf((-half_width - shift) / sigma))

    return float(brentq(lambda shift: mass(shift) - 0.5, 0.0, half_width + 10 * sigma))


def settings() -> Iterator[Setting]:
    """Half-spaces of three noises, slabs, two-sided bounds, and the real samplers."""
    binary, both = ClopperPearson(), ClopperPearson(ClopperPearsonParams(runner_up=True))
    sigma = NoiseParams(sigma=0.5)
    gaussian, laplace, uniform = Gaussian(sigma), Laplace(sigma), Uniform(sigma)
    for alpha in (0.001, 0.05):
        for p in (0.55, 0.9, 0.99, 0.999):
            for noise, ball, dim in (
                (gaussian, 2.0, 10),
                (laplace, 1.0, 10),
                (uniform, 1.0, 10),
                (uniform, math.inf, 1),
            ):
                radius = noise.scale * float(noise.quantile(np.array(p)))
                name = f"half-space p={p}"
                yield Setting(name, noise, ball, dim, binary, alpha, radius, multinomial([p, 1 - p]))
            # Class 1 beyond a parallel plane on the far side; what lies between is split among ten more classes.
            second = (1 - p) * 0.7
            between = [(1 - p) * 0.3 / 10] * 10
            radius = 0.5 * float(norm.ppf(p) - norm.ppf(second)) / 2
            yield Setting(
                f"two planes p={p}", gaussian, 2.0, 10, both, alpha, radius, multinomial([p, second, *between])
            )
        for width in (0.6, 1.0):
            p = float(norm.cdf(width / 0.5) - norm.cdf(-width / 0.5))
            radius = slab_radius(width, 0.5)
            yield Setting(f"slab p={p:.3f}", gaussian, 2.0, 10, binary, alpha, radius, multinomial([p, 1 - p]))
    for noise, ball in ((gaussian, 2.0), (laplace, 1.0), (uniform, math.inf)):
        threshold = noise.scale * float(noise.quantile(np.array(0.9)))
        yield Setting("half-space, sampled p=0.9", noise, ball, 1, binary, 0.001, threshold, sampled(noise, threshold))


def simulate(setting: Setting, certificates: int, rng: np.random.Generator) -> Outcome:
    """Certify ``certificates`` times with fresh draws."""
    classes = setting.draw(certificates, N0, rng).argmax(axis=1)
    limits = setting.bound.limits(setting.draw(certificates, N, rng), classes, setting.alpha)
    solved = ClosedFormSolver().radii(setting.noise, setting.norm, setting.dim, limits.p_lower, limits.p_upper)
    truth = np.where(classes == 0, setting.radius, 0.0)
    failures = int(np.sum(solved.radius > truth))
    p_value = float(binom.sf(failures - 1, certificates, setting.alpha))
    return Outcome(setting, certificates, failures, int(np.sum(solved.radius == 0)), p_value)


def line(outcome: Outcome) -> str:
    """One row of the table."""
    setting, m = outcome.setting, outcome.certificates
    verdict = "  REJECTED" if outcome.p_value < REJECT else ""
    law = f"{setting.name:26} {setting.noise.name:9} {setting.norm:4g} {setting.alpha:6g}"
    return f"{law} {outcome.failures / m:9.5f} {outcome.abstentions / m:9.5f} {outcome.p_value:9.3g}{verdict}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--certificates", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    rejected = 0
    print(f"{'base classifier':26} {'noise':9} {'norm':>4} {'alpha':>6} {'failed':>9} {'abstained':>9} {'P-value':>9}")
    for i, setting in enumerate(settings()):
        outcome = simulate(setting, chosen.certificates, np.random.default_rng([chosen.seed, i]))
        rejected += outcome.p_value < REJECT
        print(line(outcome), flush=True)
    print("all settings within alpha" if not rejected else f"{rejected} settings fail more often than alpha allows")
    raise SystemExit(bool(rejected))


if __name__ == "__main__":
    main()
