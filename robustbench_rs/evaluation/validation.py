"""Radii of every (noise, norm, dimension) at every pA, by every solver: the numbers of a validation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtr, ndtri

from robustbench_rs.api import Choice, Noise, Progress, Solver, Tables
from robustbench_rs.api.report import norm_name
from robustbench_rs.api.validation import Case, RadiusCurve, SolverRadius, Validation
from robustbench_rs.errors import InputError
from robustbench_rs.evaluation.plan import canonical_json
from robustbench_rs.evaluation.solving import Asked, Refused, Solved, solve
from robustbench_rs.plugins import Registry
from robustbench_rs.reporting.validation import best_noises, brackets_of, merged_refusals
from robustbench_rs.spec import ValidationOptions
from robustbench_rs.statistics.rounding import certified

CURVE_POINTS = 257


@dataclass(frozen=True)
class Subject:
    """A noise in one norm and dimension, of which radii are asked. ``noise``: made once, with what it tabulated."""

    choice: Choice[Noise]
    noise: Noise
    norm: float
    dim: int

    @cached_property
    def case(self) -> Case:
        """Raises :class:`InputError` where the noise has no such level in this dimension."""
        params = {key: value for key, value in self.choice.canonical().items() if key != "name"}
        with self.defined():
            sigma = self.noise.sigma_in(self.dim)
        return Case(self.choice.name, canonical_json(params), sigma, norm_name(self.norm), self.dim)

    def closed_form(self, p_lower: np.ndarray) -> tuple[np.ndarray | None, bool]:
        """The noise's own radius by theorem (m,), and whether it is the largest one that holds."""
        with self.defined():
            form = self.noise.closed_form(self.norm, self.dim)
            if form is None:
                return None, False
            return certified(form.radius(p_lower, 1 - p_lower), p_lower, 1 - p_lower), form.exact

    @contextmanager
    def defined(self) -> Iterator[None]:
        """What a noise says of a dimension where it does not exist (``ValueError``), as :class:`InputError`."""
        try:
            yield
        except ValueError as error:
            raise InputError(f"{self.choice.name} noise in {self.dim} dimensions: {error}") from error


@dataclass(frozen=True)
class Solvers:
    """The solvers that are asked, and where they keep their tables.

    One that is named beside ``all`` stands for the one of that name with default parameters.
    """

    asked: Sequence[Asked]
    registry: Registry
    tables: Tables | None = None

    def radii(self, subject: Subject, p_lower: np.ndarray) -> tuple[list[tuple[str, Solved]], list[Refused]]:
        """Radii for pA (m,) and pB = 1 - pA, each with the solver's name as asked for, and who has none.

        Raises :class:`InputError` where the noise is not defined, :class:`RunError` when a solver fails.
        """
        found: list[tuple[str, Solved]] = []
        refused: list[Refused] = []
        for asked in self._each():
            solved, missing = self._solve(asked, subject, p_lower)
            found += [(_name(asked, item), item) for item in solved]
            refused += [item for item in missing if item not in refused]
        return found, refused

    def _each(self) -> Iterator[Asked]:
        """``all`` written out, but for the solvers that are named."""
        named = {asked.name for asked in self.asked if not isinstance(asked, str)}
        for asked in self.asked:
            if asked != "all":
                yield asked
                continue
            for component in self.registry.components(Solver.kind):
                if component.name not in named and issubclass(component, Solver):
                    yield Choice(component, component.Params())

    def _solve(self, asked: Asked, subject: Subject, p_lower: np.ndarray) -> tuple[list[Solved], list[Refused]]:
        where = (self.registry, subject.noise, subject.norm, p_lower, 1 - p_lower, subject.dim, self.tables)
        with subject.defined():
            return solve(asked, *where)

    @property
    def automatic(self) -> Solvers:
        """``auto`` alone where that or ``all`` is asked, else those that are named."""
        words = any(isinstance(asked, str) for asked in self.asked)
        return Solvers(["auto"], self.registry, self.tables) if words else self


def _name(asked: Asked, solved: Solved) -> str:
    """The solver's name, with the parameters that the spec states."""
    if isinstance(asked, str) or not asked.params.model_fields_set:
        return solved.asked
    stated = {key: value for key, value in asked.canonical().items() if key in asked.params.model_fields_set}
    return f"{solved.asked} ({', '.join(f'{key}={value}' for key, value in stated.items())})"


def subjects(noises: Sequence[Choice[Noise]], norms: Sequence[float], dims: Sequence[int]) -> list[Subject]:
    """All cases: by norm, then dimension, then noise."""
    made = [(choice, choice.make()) for choice in noises]
    return [Subject(choice, noise, norm, dim) for norm in norms for dim in dims for choice, noise in made]


def compute_validation(
    options: ValidationOptions, registry: Registry, tables: Tables, progress: Progress
) -> Validation:
    """All radii that ``options`` asks for, and what they say together.

    Raises :class:`InputError` for a noise that is not defined in one of the dimensions, :class:`RunError` for a solver
    that fails; what solvers built until then is in ``tables``.
    """
    solvers = Solvers(options.solvers, registry, tables)
    asked_of = subjects(options.noises, options.norms, options.dims)
    cases = [subject.case for subject in asked_of]
    answers = []
    progress.start("validation", len(asked_of))
    for subject in asked_of:
        answers.append(_answer(subject, options, solvers))
        progress.advance(1, f"{subject.choice.name}, norm {norm_name(subject.norm)}, d = {subject.dim}")
    progress.finish()
    brackets = brackets_of(row for answer in answers for row in answer.candidates)
    return Validation(
        kind=options.kind,
        radii=[row for answer in answers for row in answer.rows],
        brackets=brackets,
        curves=[curve for answer in answers for curve in answer.curves],
        best=best_noises(brackets, cases) if options.kind == "optimality" else [],
        refusals=merged_refusals(one for answer in answers for one in answer.refused),
    )


@dataclass(frozen=True)
class _Answer:
    """``candidates``: the rows and, where all solvers are asked, what ``auto`` makes of other norms too."""

    rows: Sequence[SolverRadius]
    candidates: Sequence[SolverRadius]
    curves: Sequence[RadiusCurve]
    refused: Sequence[tuple[str, str, Case]]


def _answer(subject: Subject, options: ValidationOptions, solvers: Solvers) -> _Answer:
    p_lower = np.sort(np.array(options.p_lower))
    solved, refused = solvers.radii(subject, p_lower)
    rows = sorted(_rows(subject, solved, p_lower), key=lambda row: row.p_lower)
    automatic = solvers.automatic.radii(subject, p_lower)[0] if "all" in solvers.asked else []
    drawn = options.kind == "optimality"
    curves = curves_of(subject, solvers.automatic, max(options.p_lower)) if drawn else []
    return _Answer(
        rows,
        [*rows, *_rows(subject, automatic, p_lower)],
        curves,
        [(item.asked, item.reason, subject.case) for item in refused],
    )


def _rows(subject: Subject, solved: Sequence[tuple[str, Solved]], p_lower: np.ndarray) -> Iterator[SolverRadius]:
    known, exact = subject.closed_form(p_lower)
    for name, item in solved:
        for i, p in enumerate(p_lower.tolist()):
            upper = float(item.upper[i])
            yield SolverRadius(
                case=subject.case,
                p_lower=p,
                p_upper=1 - p,
                solver=name,
                solver_used=item.used[i],
                guarantee=item.label,
                radius=float(item.radius[i]),
                upper=upper if math.isfinite(upper) else None,
                closed_form=None if known is None else float(known[i]),
                exact=exact,
            )


def curves_of(subject: Subject, solvers: Solvers, top: float) -> list[RadiusCurve]:
    """R(pA) from 1/2 to ``top``, one curve for each solver that does not refuse."""
    p_lower = curve_grid(top)
    solved, _ = solvers.radii(subject, p_lower)
    return [RadiusCurve(subject.case, name, item.label, p_lower, item.radius, item.upper) for name, item in solved]


def curve_grid(top: float) -> np.ndarray:
    """pA from 1/2 to ``top`` (m,), ascending, evenly spread as quantiles of a Gaussian: close where radii grow fast."""
    return np.concatenate([[0.5], ndtr(np.linspace(0, ndtri(top), CURVE_POINTS)[1:-1]), [top]])
