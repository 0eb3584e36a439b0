"""Likelihood-ratio accounting: radii against closed forms, and how long they take.

    python benchmarks/neyman_pearson.py [accuracy|tables|single] [--families laplace,cauchy]

``accuracy``: single radii (tolerance 1e-4) and tables (1e-3) where a closed form is exact, d from 1 to 150,528 and pA
from 0.5001 to 0.999999, one-sided and with a runner-up. "above" must not exceed 1e-12, "below" (relative to the radius,
or to 1e-3 scale where that is larger) not the tolerance.
``tables``: for every product family in l1, l2 and l-inf at d = 3,072: seconds to build a table cold, to look 10,000
inputs up in it warm, the gap between radius and upper value that was reached, and how far radii are below (above, if
negative) those that were answered one by one, at five pA. ``single``: seconds for one radius cold.
Seconds are of one processor; use a quiet machine.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from robustbench_rs.api import MemoryTables, ProductNoise, Radii
from robustbench_rs.plugins import load_registry
from robustbench_rs_plugins.solvers.neyman_pearson import NeymanPearsonSolver
from robustbench_rs_plugins.solvers.neyman_pearson.accounts import floor

FAMILIES: Sequence[tuple[str, dict[str, float]]] = (
    ("gaussian", {}),
    ("laplace", {}),
    ("uniform", {}),
    ("generalized-normal", {"beta": 0.3}),
    ("generalized-normal", {"beta": 0.5}),
    ("generalized-normal", {"beta": 0.8}),
    ("generalized-normal", {"beta": 1.5}),
    ("generalized-normal", {"beta": 8.0}),
    ("logistic", {}),
    ("hyperbolic-secant", {}),
    ("student-t", {"df": 3.0}),
    ("cauchy", {}),
    ("pareto", {"a": 0.5}),
    ("pareto", {"a": 3.0}),
    ("triangular", {}),
    ("gaussian-laplace-mixture", {"weight": 0.5}),
    ("exponential-mix", {"weight": 0.5}),
)
DIMS = (1, 64, 784, 3072, 150_528)
P = np.array([0.5001, 0.501, 0.51, 0.6, 0.75, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999])
NORMS = (1.0, 2.0, math.inf)
DIM, INPUTS = 3072, 10_000
FEW, SMALL = np.array([0.52, 0.61, 0.88, 0.991, 0.99993]), 1e-3


def law(name: str, params: dict[str, float]) -> ProductNoise:
    """The family at scale 1, its own tables made, which a process needs once."""
    cls = load_registry().find("noise", name)
    noise = cls(cls.Params.model_validate({"scale": 1.0, **params}))
    assert isinstance(noise, ProductNoise)
    noise.quantile(noise.cdf(np.array([0.1])))
    return noise


def seconds(work: Callable[[], Radii]) -> tuple[float, Radii]:
    start = time.process_time()
    radii = work()
    return time.process_time() - start, radii


def text(name: str, params: dict[str, float], norm: float) -> str:
    values = " ".join(f"{key}={value:g}" for key, value in params.items())
    return f"{name} {values} {'l-inf' if math.isinf(norm) else f'l{norm:g}'}"


def exact_cases(names: Sequence[str]) -> Iterator[tuple[str, ProductNoise, float, int]]:
    for name, params in FAMILIES:
        if names and name not in names:
            continue
        noise = law(name, params)
        for norm in NORMS:
            for dim in DIMS:
                form = noise.closed_form(norm, dim)
                if form is not None and form.exact:
                    yield text(name, params, norm), noise, norm, dim


def errors(found: Radii, truth: np.ndarray, unit: float) -> tuple[float, float]:
    """Largest relative error upwards and downwards."""
    above = float(np.max((found.radius - truth) / truth))
    return above, float(np.max((truth - found.radius) / np.maximum(truth, unit)))


def accuracy(names: Sequence[str]) -> None:
    print(f"{'noise, norm':40} {'d':>7} {'label':>9}  single: above    below   table: above    below     gap")
    for title, noise, norm, dim in exact_cases(names):
        form = noise.closed_form(norm, dim)
        assert form is not None
        limits = [(P, 1 - P), (P, (1 - P) / 3)]
        truth = [form.radius(*pair) for pair in limits]
        solver = NeymanPearsonSolver()
        alone = [
            solver.radii(noise, norm, dim, *(np.array([x[i]]) for x in pair)) for pair in limits for i in range(len(P))
        ]
        worst = [
            errors(one, np.array([t]), floor(norm, dim)) for one, t in zip(alone, np.concatenate(truth), strict=True)
        ]
        tables = [solver.radii(noise, norm, dim, *pair) for pair in limits]
        looked = [errors(one, t, floor(norm, dim)) for one, t in zip(tables, truth, strict=True)]
        gap = max(float(str(each.details["gap"])) for each in tables)
        cells = [max(error[side] for error in group) for group in (worst, looked) for side in (0, 1)]
        print(
            f"{title:40} {dim:7} {tables[0].guarantee:>9}       {cells[0]:9.1e} {cells[1]:8.1e}     "
            f"{cells[2]:9.1e} {cells[3]:8.1e} {gap:8.1e}",
            flush=True,
        )


def tables(names: Sequence[str]) -> None:
    print(
        f"{'noise, norm':40} {'label':>9} {'cold s':>7} {'warm ms':>8} {'10^4 ms':>8} {'two-sided ms':>12} "
        f"{'gap':>8} {'below':>8}"
    )
    rng = np.random.default_rng(0)
    p_lower = 0.5 + 0.5 * rng.random(INPUTS) ** 2 * (1 - 2e-7)
    p_upper = (1 - p_lower) * rng.random(INPUTS)
    for name, params in FAMILIES:
        if names and name not in names:
            continue
        noise = law(name, params)
        for norm in NORMS:
            storage = MemoryTables()
            made = [NeymanPearsonSolver() for _ in range(2)]
            for solver in made:
                solver.tables = storage
            cold, radii = seconds(lambda: made[0].radii(noise, norm, DIM, p_lower[:100], 1 - p_lower[:100]))  # noqa: B023
            warm, _ = seconds(lambda: made[1].radii(noise, norm, DIM, p_lower[:100], 1 - p_lower[:100]))  # noqa: B023
            many, found = seconds(lambda: made[1].radii(noise, norm, DIM, p_lower, 1 - p_lower))  # noqa: B023
            made[1].radii(noise, norm, DIM, p_lower[:100], p_upper[:100])
            sided, _ = seconds(lambda: made[1].radii(noise, norm, DIM, p_lower, p_upper))  # noqa: B023
            print(
                f"{text(name, params, norm):40} {radii.guarantee:>9} {cold:7.2f} {1e3 * warm:8.1f} {1e3 * many:8.1f} "
                f"{1e3 * sided:12.1f} {float(str(found.details['gap'])):8.1e} {below(made[1], noise, norm):8.1e}",
                flush=True,
            )


def below(solver: NeymanPearsonSolver, noise: ProductNoise, norm: float) -> float:
    """By how much of the larger of 1e-3 scale and a single radius a table's is smaller, at most."""
    many = np.concatenate([FEW, np.linspace(0.5, 0.99, 100)])  # few limits would not be looked up
    looked = solver.radii(noise, norm, DIM, many, 1 - many).radius[: len(FEW)]
    alone = [NeymanPearsonSolver().radii(noise, norm, DIM, p, 1 - p).radius[0] for p in FEW[:, np.newaxis]]
    return float(np.max((alone - looked) / np.maximum(alone, SMALL)))


def single(names: Sequence[str]) -> None:
    print(f"{'noise, norm':40} {'label':>9}  seconds for pA = 0.6, 0.9, 0.99, 0.9999; largest gap; direction")
    for name, params in FAMILIES:
        if names and name not in names:
            continue
        noise = law(name, params)
        for norm in NORMS:
            runs = [
                seconds(lambda: NeymanPearsonSolver().radii(noise, norm, DIM, np.array([p]), np.array([1 - p])))  # noqa: B023
                for p in (0.6, 0.9, 0.99, 0.9999)
            ]
            gap = max(float(str(radii.details["gap"])) for _, radii in runs)
            times = " ".join(f"{spent:6.2f}" for spent, _ in runs)
            last = runs[-1][1]
            title = text(name, params, norm)
            print(f"{title:40} {last.guarantee:>9}  {times}  {gap:8.1e}  {last.details['direction']}", flush=True)


PARTS: dict[str, Callable[[Sequence[str]], None]] = {"accuracy": accuracy, "tables": tables, "single": single}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--families", default="", help="names, separated by commas")
    given = parser.parse_args()
    for part in given.parts or PARTS:
        PARTS[part]([name for name in given.families.split(",") if name])


if __name__ == "__main__":
    main()
