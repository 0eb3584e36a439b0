"""Noise laws to be questioned, and what the installed solvers say of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from independent import radial
from independent.laws import product_families, random_params
from independent.questions import Limits, random_limits, random_norm
from robustbench_rs.api import Bound, MemoryTables, Noise, ProductNoise, Solver, VectorNoise
from robustbench_rs.evaluation.solving import solve
from robustbench_rs.plugins import Registry, load_registry

FAMILIES = [*product_families(), *radial.radial_families()]
QUESTIONS, TABLE_QUESTIONS = 100, 1500
TABLE_EVERY = 12


@dataclass(frozen=True)
class Unit:
    """One noise law in one norm and dimension; ``params`` as drawn for it."""

    name: str
    params: dict[str, float]
    norm: float
    dim: int
    tables: bool
    noise: Noise

    def __str__(self) -> str:
        return f"{self.name} {self.params} norm {self.norm:g} d {self.dim}"


@dataclass(frozen=True)
class Answer:
    """Proved radii (m,) for limits (m,), and who gave them."""

    solver: str
    limits: Limits
    radius: np.ndarray


@cache
def installed() -> Registry:
    """All plugins."""
    return load_registry()


@cache
def registry(tables: bool = True) -> Registry:
    """The installed noises, bounds and solvers; of solvers none that simulates, and those with tables if asked for."""
    found = Registry()
    for kind in (Noise.kind, Bound.kind, Solver.kind):
        for component in installed().components(kind):
            if not issubclass(component, Solver) or component.effort < (3 if tables else 2):
                found.add(kind, component, installed().owner(component))
    return found


def unit(index: int, rng: np.random.Generator, family: str | None = None) -> Unit:
    """The families in turn; everything else at random."""
    name = family or FAMILIES[index % len(FAMILIES)]
    dim, norm = int(rng.integers(1, 9)), random_norm(rng)
    product = name in product_families()
    params = random_params(name, rng) if product else radial.random_params(name, dim, rng)
    noise = make(name, params, float(np.exp(rng.uniform(-3, 3))))
    return Unit(name, params, norm, dim, index // len(FAMILIES) % TABLE_EVERY == 0, noise)


def make(name: str, params: Mapping[str, float], scale: float) -> Noise:
    """The installed noise family."""
    component = installed().find(Noise.kind, name)
    noise = component(component.Params.model_validate({**params, "scale": scale}))
    assert isinstance(noise, Noise)
    return noise


def answers(case: Unit, rng: np.random.Generator, inflate: float = 1.0) -> Iterator[Answer]:
    """Proved radii of every solver that gives any, and of ``auto``.

    What a table says where it proves nothing costs most and is of no interest here: ``auto`` is then asked without it.
    """
    limits = random_limits(TABLE_QUESTIONS if case.tables else QUESTIONS, rng)
    tables, question = MemoryTables(), (case.noise, case.norm, case.dim)
    proving = []
    for component in registry(case.tables).components(Solver.kind):
        solver = component()
        assert isinstance(solver, Solver)
        if solver.refusal(*question) is None and solver.label(*question) == "proved":
            proving.append(solver)
    for solver in proving:
        solver.tables = tables
        found = solver.radii(*question, limits.lower, limits.upper)
        if found.guarantee == "proved":
            yield Answer(solver.name, limits, inflate * found.radius)
    known = registry(any(solver.effort == 2 for solver in proving))
    solved, _ = solve("auto", known, case.noise, case.norm, limits.lower, limits.upper, case.dim, tables)
    if solved and solved[0].guarantee == "proved":
        yield Answer("auto", limits, inflate * solved[0].radius)


def scale_of(noise: Noise, dim: int) -> float:
    """Input units per unit of z."""
    if isinstance(noise, VectorNoise):
        return noise.scale_in(dim)
    assert isinstance(noise, ProductNoise)
    return noise.scale
