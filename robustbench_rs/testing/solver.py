"""Claims of a radius solver, on laws whose true radii are known, and on any noise handed in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from robustbench_rs.api import Noise, ProductNoise, Radii, Solver
from robustbench_rs.testing.references import Reference, references
from robustbench_rs.testing.result import Check, CheckResult, run

NORMS = (1.0, 2.0, math.inf)
DIMS = (1, 16)
P_LOWER = np.array([0.5, 0.5001, 0.6, 0.75, 0.9, 0.99, 0.999])
SLACK = 1e-12
SEARCHED = 1e-3
"""How far above the truth a searched radius may come: no further than where its search tried the worst shift."""


@dataclass(frozen=True)
class Case:
    """A solver with a noise, norm and dimension that it supports."""

    solver: Solver
    noise: Noise
    norm: float
    dim: int

    @cached_property
    def binary(self) -> Radii:
        """Radii for pA and pB = 1 - pA."""
        return self.on(self.noise)

    def on(self, noise: Noise) -> Radii:
        return self.solver.radii(noise, self.norm, self.dim, P_LOWER, 1 - P_LOWER)


def check(solver: Solver, label: str, noises: Sequence[Noise]) -> list[CheckResult]:
    """All checks, for every supported (noise, norm, dimension); a refusal must say why."""
    results: list[CheckResult] = []
    laws = [*references(), *noises]
    for case in _cases(solver, laws):
        refused = solver.refusal(case.noise, case.norm, case.dim)
        where = ", ".join(part for part in (label, f"{case.noise.name}, norm {case.norm:g}, {case.dim}-d") if part)
        if refused is None:
            results += run(CHECKS, case, where)
        else:
            results.append(CheckResult(f"refusal [{where}]", bool(refused.strip()), refused or "gives no reason"))
    if not any(result.name.startswith("monotone") for result in results):
        remark = "not checked, everything offered was refused; hand its own noise to check_component(noises=[...])"
        results.append(CheckResult("radii", True, remark))
    return results


def _cases(solver: Solver, laws: Sequence[Noise]) -> Iterator[Case]:
    return (Case(solver, noise, norm, dim) for noise in laws for norm in NORMS for dim in DIMS)


def _shape(case: Case) -> str | None:
    radius = case.binary.radius
    good = radius.shape == P_LOWER.shape and np.all(np.isfinite(radius)) and np.all(radius >= 0)
    return None if good else f"radii are not {len(P_LOWER)} finite numbers >= 0: {radius}"


def _zero(case: Case) -> str | None:
    lower, upper = np.array([0.5, 0.4, 0.3, 0.45]), np.array([0.5, 0.6, 0.7, 0.45])
    radius = case.solver.radii(case.noise, case.norm, case.dim, lower, upper).radius
    return None if np.all(radius == 0) else f"radii {radius} for pA {lower} and pB {upper} should be 0"


def _monotone(case: Case) -> str | None:
    radius = case.binary.radius
    return None if np.all(np.diff(radius) >= 0) else f"the radius falls somewhere as pA grows: {radius}"


def _two_sided(case: Case) -> str | None:
    lower, upper = np.full(4, 0.7), np.array([0.3, 0.2, 0.1, 0.01])
    radius = case.solver.radii(case.noise, case.norm, case.dim, lower, upper).radius
    return None if np.all(np.diff(radius) >= 0) else f"the radius falls somewhere as pB falls: {radius}"


def _equivariant(case: Case) -> str | None:
    if not isinstance(case.noise, ProductNoise):
        return None
    fields = case.noise.params.model_dump(exclude={"scale", "sigma"})
    double = type(case.noise)(type(case.noise.params).model_validate({**fields, "scale": 2 * case.noise.scale}))
    one, two = case.binary.radius, case.on(double).radius
    return None if np.allclose(two, 2 * one, rtol=1e-6, atol=0) else f"twice the scale gives {two}, not twice {one}"


def _never_above(case: Case) -> str | None:
    """The exact radius where a theorem gives it, which no radius without an estimate in it may exceed.

    A searched radius is the worst of the shifts tried, so it may lie above the truth; by this much it is no use.
    """
    truth = case.noise.truth(case.norm, case.dim, P_LOWER) if isinstance(case.noise, Reference) else None
    radii = case.binary
    if truth is None or radii.guarantee == "estimated":
        return None
    bad = radii.radius > truth * (1 + (SLACK if radii.guarantee == "proved" else SEARCHED))
    return f"radius {radii.radius[bad]} is above the true {truth[bad]}" if np.any(bad) else None


def _known_values(case: Case) -> str | None:
    """The truth lies below what the solver says it does not exceed."""
    truth = case.noise.truth(case.norm, case.dim, P_LOWER) if isinstance(case.noise, Reference) else None
    upper = case.binary.upper
    if truth is None or upper is None or np.all(truth <= upper * (1 + SLACK) + SLACK):
        return None
    return f"the true radius {truth} is above the upper value {upper}"


def _bracket(case: Case) -> str | None:
    radii = case.binary
    if radii.upper is None or np.all(radii.radius <= radii.upper):
        return None
    return f"radius {radii.radius} is above its own upper value {radii.upper}"


CHECKS: dict[str, Check[Case]] = {
    "radii are finite": _shape,
    "zero without a majority": _zero,
    "monotone in pA": _monotone,
    "monotone in pB": _two_sided,
    "scale equivariant": _equivariant,
    "never above the truth": _never_above,
    "truth below the upper value": _known_values,
    "radius below its upper value": _bracket,
}
