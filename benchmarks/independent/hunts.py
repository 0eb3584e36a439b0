"""The hunt of :mod:`independent.search`, over the product families, norms and dimensions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np

from independent.counting import norm_name
from independent.laws import law, product_families, random_params
from independent.questions import Limits, random_limits
from independent.search import Ball, Finding, search
from independent.units import make, registry
from robustbench_rs.api import ProductNoise, Solver

NORMS = (1.0, 1.5, 2.0, 3.0, math.inf)
DIMS = (2, 3, 8, 64, 784, 3072)


@dataclass(frozen=True)
class Place:
    """Where to look. ``index`` keys the random numbers."""

    index: int
    family: str
    norm: float
    dim: int


@dataclass(frozen=True)
class Hunt:
    """What was found for one searched radius."""

    place: Place
    solver: str
    finding: Finding


def places() -> list[Place]:
    """Every product family in every norm and dimension."""
    return [Place(i, *each) for i, each in enumerate(product(product_families(), NORMS, DIMS))]


def hunt(place: Place, seed: int, directions: int) -> list[Hunt]:
    """For every solver whose radius would be ``searched`` there; the first of the limits is one-sided."""
    rng = np.random.default_rng([seed, place.index])
    params = random_params(place.family, rng)
    noise, known = make(place.family, params, 1.0), law(place.family, params)
    assert isinstance(noise, ProductNoise)
    assert known is not None
    limits, found = _limits(rng), []
    for component in registry().components(Solver.kind):
        solver = component()
        assert isinstance(solver, Solver)
        question = (noise, place.norm, place.dim)
        if solver.refusal(*question) is not None or solver.label(*question) != "searched":
            continue
        for lower, upper in zip(limits.lower, limits.upper, strict=True):
            each = Limits(np.array([lower]), np.array([upper]))
            radius = float(solver.radii(*question, each.lower, each.upper).radius[0])
            if radius > 0:
                ball = Ball(noise, known, place.norm, place.dim, each, radius)
                found.append(Hunt(place, solver.name, search(ball, directions, rng)))
    return found


def _limits(rng: np.random.Generator) -> Limits:
    """One-sided first, then two-sided, both well inside (1/2, 1)."""
    many = random_limits(400, rng)
    usual = (many.lower > 0.55) & (many.lower < 0.9999)
    sided = many.upper < 0.9 * (1.0 - many.lower)
    chosen = [int(np.flatnonzero(usual & (sided == two))[0]) for two in (False, True)]
    return Limits(many.lower[chosen], many.upper[chosen])


def table(hunts: Iterable[list[Hunt]]) -> str:
    """One line per family and norm."""
    rows: dict[tuple[str, str], list[Hunt]] = {}
    for each in (one for many in hunts for one in many):
        rows.setdefault((each.place.family, norm_name(each.place.norm)), []).append(each)
    columns = f"{'radii':>6} {'shifts':>8} {'used':>9} {'refuted at':>10} {'contradictions':>14}  worst"
    head = f"{'family':26}{'norm':6}{columns}"
    return "\n".join([head, *(_line(names, found) for names, found in sorted(rows.items()))])


def _line(names: tuple[str, str], found: list[Hunt]) -> str:
    worst = max(found, key=lambda each: each.finding.used)
    refuted = min(each.finding.refuted for each in found)
    tried = sum(each.finding.tried for each in found)
    against = sum(each.finding.contradictions for each in found)
    where = f"{worst.solver}, d = {worst.place.dim}: {worst.finding.worst}"
    numbers = f"{len(found):6} {tried:8,} {worst.finding.used:9.6f} {refuted:10.6f} {against:14}"
    return f"{names[0]:26}{names[1]:6}{numbers}  {where}"
