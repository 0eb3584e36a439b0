"""Soundness of ``proved`` radii: random shifts inside certified balls, against explicit classifiers.

    python benchmarks/soundness.py [--cases 1000000] [--seed 0] [--jobs 2] [--inflate 1.0]
    python benchmarks/soundness.py --search [--directions 150]

A case is a noise law, a norm, d <= 8, limits (pA, pB), the radius that a solver calls proved, and a shift inside the
ball. It is refuted when regions exist that have these probabilities under the noise, but do not keep the lead under
the shifted noise. The regions and their masses come from ``benchmarks/independent``, which shares no code with the
solvers and noise families. "closest" is the largest share of the limits' margin (in normal quantiles) that a shift
used up: 1 is the edge. ``--inflate 1.01`` multiplies all radii, to see that radii one per cent too large are found out.

Every solver that is installed and claims proved radii takes part, and ``auto``; those that build tables in seconds only
in one unit of work out of eight. Shifts of norm-radial noise are shared by several cases.

``--search`` looks for shifts inside ``searched`` balls instead (``independent/search.py``). "used": as "closest", for
the worst direction found; "refuted at": the smallest share of a radius at which a shift is proved not to be certified.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count, islice

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from independent import balls, hunts, radial, simulation
from independent.counting import Key, Tallies, Tally, judged, merge, norm_name, table
from independent.laws import Law, law
from independent.product import Region, regions
from independent.questions import Limits, random_directions, random_shares
from independent.units import FAMILIES, Answer, Unit, answers, scale_of, unit
from tqdm import tqdm

BATCH = 32
LARGEST_LOSS = 30.0
SHIFTS, PER_SHIFT = 6, 12
"""Of norm-radial noise, whose regions are expensive: shifts per answer, and certificates that each must not refute."""


def check(index: int, seed: int, inflate: float = 1.0, family: str | None = None) -> Tallies:
    """One unit of work."""
    rng = np.random.default_rng([seed, index])
    case = unit(index, rng, family)
    known = law(case.name, case.params) or line(case)
    tallies: Tallies = {}
    for answer in answers(case, rng, inflate):
        found = check_product(case, known, answer, rng) if known is not None else check_radial(case, answer, rng)
        if found.cases:
            merge(tallies, {Key(case.name, norm_name(case.norm), answer.solver): found})
    return tallies


def line(case: Unit) -> Law | None:
    """Norm-radial noise that is a product law after all."""
    if case.dim == 1:
        known = radial.radial(case.name, case.params, 1)
        return None if known is None else known.line
    return law("laplace", {}) if case.name == "exp-l1" and case.params["k"] == 1 else None


def check_product(case: Unit, known: Law, answer: Answer, rng: np.random.Generator) -> Tally:
    """A shift of its own for every certificate."""
    kept = np.flatnonzero((answer.radius > 0) & np.isfinite(answer.radius))
    limits = Limits(answer.limits.lower[kept], answer.limits.upper[kept])
    size = random_shares(len(kept), rng) * answer.radius[kept]
    shifts = size[:, None] * random_directions(len(kept), case.dim, case.norm, rng)
    spread = np.minimum(4.0 - np.log1p(-np.maximum(limits.lower, limits.rest)), LARGEST_LOSS)
    tally = Tally()
    for start in range(0, len(kept), BATCH):
        part = slice(start, start + BATCH)
        here = Limits(limits.lower[part], limits.upper[part])
        found = regions(known, shifts[part] / scale_of(case.noise, case.dim), spread[part])
        left = np.array([each.left(np.array([a, b])) for each, a, b in zip(found, here.lower, here.rest, strict=True)])
        _count(tally, case, answer, here, left.T, shifts[part])
    tally.shifts = tally.cases
    return tally


def check_radial(case: Unit, answer: Answer, rng: np.random.Generator) -> Tally:
    """A few shifts, each against the certificates whose radius lies closest above its norm, and some others."""
    known = radial.radial(case.name, case.params, case.dim)
    assert known is not None
    tally, usable = Tally(), np.flatnonzero((answer.radius > 0) & np.isfinite(answer.radius))
    for direction in random_directions(SHIFTS if len(usable) else 0, case.dim, case.norm, rng):
        size = float(random_shares(1, rng)[0] * answer.radius[rng.choice(usable)])
        above = usable[answer.radius[usable] * (1 - 1e-9) > size]
        near = above[np.argsort(answer.radius[above])][: PER_SHIFT // 2]
        chosen = np.union1d(near, rng.permutation(above)[: PER_SHIFT // 2])
        limits = Limits(answer.limits.lower[chosen], answer.limits.upper[chosen])
        shift = size * direction
        found = radial_region(known, shift / scale_of(case.noise, case.dim), rng)
        left = np.stack([found.left(limits.lower), found.left(limits.rest)])
        _count(tally, case, answer, limits, left, np.tile(shift, (len(chosen), 1)))
        tally.shifts += 1
    return tally


def radial_region(known: radial.Radial, shift: np.ndarray, rng: np.random.Generator) -> Region:
    """By quadrature; for l1 balls by simulation."""
    if known.ball != 1:
        return balls.region(known, shift)

    def loss(z: np.ndarray) -> np.ndarray:
        theirs, ours = (np.linalg.norm(each, ord=known.ball, axis=1) for each in (z - shift, z))
        return np.asarray(known.log_density(theirs) - known.log_density(ours))

    return simulation.region(lambda n: radial.sample(known, n, rng), loss, shift)


def _count(tally: Tally, case: Unit, answer: Answer, limits: Limits, left: np.ndarray, shifts: np.ndarray) -> None:
    used, refuted = judged(limits, left[0], left[1])
    tally.cases += len(used)
    tally.closest = max(tally.closest, float(used.max(initial=-np.inf)))
    tally.violations += int(refuted.sum())
    for i in np.flatnonzero(refuted)[:3]:
        where = f"{case} {answer.solver} pA {limits.lower[i]!r} pB {limits.upper[i]!r}"
        tally.shown.append(f"{where} shift {shifts[i].tolist()} leaves {left[:, i].tolist()}")


def run(cases: int, seed: int, jobs: int, inflate: float = 1.0) -> Tallies:
    """Units in order until there are ``cases``; the same with any number of ``jobs``."""
    tallies: Tallies = {}
    work = partial(check, seed=seed, inflate=inflate)
    indices, done = count(), 0
    with ProcessPoolExecutor(jobs) as pool, tqdm(total=cases, unit=" cases", disable=None) as bar:
        while done < cases:
            for found in pool.map(work, islice(indices, 4 * len(FAMILIES))):
                merge(tallies, found)
                new = sum(tally.cases for tally in found.values())
                done += new
                bar.update(new)
    return tallies


def search(directions: int, seed: int, jobs: int) -> str:
    """The hunt for shifts inside searched balls, as a table."""
    places = hunts.places()
    with ProcessPoolExecutor(jobs) as pool:
        found = pool.map(partial(hunts.hunt, seed=seed, directions=directions), places)
        return hunts.table(tqdm(found, total=len(places), unit=" places", disable=None))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--inflate", type=float, default=1.0)
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--directions", type=int, default=150)
    chosen = parser.parse_args()
    if chosen.search:
        print(search(chosen.directions, chosen.seed, chosen.jobs))
        return
    tallies = run(chosen.cases, chosen.seed, chosen.jobs, chosen.inflate)
    print(table(tallies, ["family", "norm"]), "\n")
    print(table(tallies, ["solver"]))
    for tally in tallies.values():
        for text in tally.shown:
            print("VIOLATION", text)
    raise SystemExit(any(tally.violations for tally in tallies.values()))


if __name__ == "__main__":
    main()
