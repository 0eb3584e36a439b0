"""From (pA, pB) to radii: which solver, and what ``auto`` and ``all`` mean."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from robustbench_rs.api import Choice, Guarantee, Noise, Radii, Solver, Tables
from robustbench_rs.api.labels import conditioned
from robustbench_rs.api.report import norm_name
from robustbench_rs.errors import RobustbenchError, RunError
from robustbench_rs.evaluation.implications import Implied, Question, implications
from robustbench_rs.plugins import Registry

Asked = Literal["auto", "all"] | Choice[Solver]

STRENGTH: Sequence[Guarantee] = ("proved", "searched", "estimated")
"""Labels, strongest first. They are never mixed in one choice."""
CLOSED = 1e-9
"""Relative distance of a proved radius from its upper value at which no other solver is asked."""


@dataclass(frozen=True)
class Solved:
    """Radii (m,) in one norm. ``asked``: as the spec names it; ``used``: the solver behind each radius.

    ``upper`` (m,): the smallest value known not to be exceeded by the truth, infinite where nothing is known.
    """

    asked: str
    radius: np.ndarray
    guarantee: Guarantee
    used: Sequence[str]
    upper: np.ndarray
    details: dict[str, object] = field(default_factory=dict)
    condition: str = ""
    """What the noise presupposes of all its certificates."""

    @property
    def label(self) -> str:
        """The guarantee with its condition, for people and files."""
        return conditioned(self.guarantee, self.condition)


@dataclass(frozen=True)
class Refused:
    """A solver that gives no radius here, and why."""

    asked: str
    reason: str


def solve(
    asked: Asked,
    registry: Registry,
    noise: Noise,
    norm: float,
    p_lower: np.ndarray,
    p_upper: np.ndarray,
    dim: int,
    tables: Tables | None = None,
    *,
    bracket: bool = True,
) -> tuple[list[Solved], list[Refused]]:
    """Radii of the solver asked for: one by name, every one that applies (``all``), or the best (``auto``).

    ``tables``: where solvers keep what was expensive to build; by default it is forgotten after the call. ``bracket``:
    ``auto`` also asks what can only lower the upper value, as a search does beside a proof; without, radii alone count.
    """
    question = Question(noise, norm, dim, p_lower, p_upper)
    solvers = solvers_of(asked, registry)
    for solver in solvers:
        solver.tables = tables or solver.tables
    reasons = {solver.name: solver.refusal(noise, norm, dim) for solver in solvers}
    refused = [Refused(name, reason) for name, reason in reasons.items() if reason is not None]
    if asked == "auto":
        solved, refused = _automatic(question, solvers, refused, bracket)
    else:
        solved = [_run(solver, question) for solver in solvers if reasons[solver.name] is None]
    condition = "" if noise.condition is None else noise.condition.label
    return [replace(each, condition=condition) for each in solved], refused


def solvers_of(asked: Asked, registry: Registry) -> list[Solver]:
    """The solver of that name, or all that are installed, with their default parameters."""
    return [asked.make()] if isinstance(asked, Choice) else [cls(cls.Params()) for cls in _solvers(registry)]


def _automatic(
    question: Question, solvers: Sequence[Solver], refused: Sequence[Refused], bracket: bool
) -> tuple[list[Solved], list[Refused]]:
    """The best of what applies, asking strong and cheap solvers first, and none that could change nothing any more."""
    solved: list[Solved] = []
    for implied, solver in sorted(_applicable(question, solvers), key=lambda pair: _order(*pair)):
        label = implied.question.label(solver)
        if (implied.other and label != "proved") or _settled(solved, label, bracket):
            continue
        answer = _run(solver, implied.question)
        if answer.guarantee == "proved" or not implied.other:
            solved.append(_translated(implied, answer))
    if not solved:
        reason = "; ".join(f"{item.asked}: {item.reason}" for item in refused) or "no solver is installed"
        return [], [Refused("auto", reason)]
    return [best_of(solved)], []


def _applicable(question: Question, solvers: Sequence[Solver]) -> Iterator[tuple[Implied, Solver]]:
    for implied in implications(question):
        for solver in solvers:
            if implied.question.refusal(solver) is None:
                yield implied, solver


def _order(implied: Implied, solver: Solver) -> tuple[int, int, bool, str]:
    label = STRENGTH.index(implied.question.label(solver))
    return label, solver.effort, implied.other, solver.name


def _settled(solved: Sequence[Solved], label: Guarantee, bracket: bool) -> bool:
    """Nothing with this label can change the choice: a stronger label is there, or the radius meets its upper value."""
    if not solved:
        return False
    best = best_of(solved)
    if best.guarantee == "proved" and np.all(best.upper <= best.radius * (1 + CLOSED)):
        return True
    return STRENGTH.index(best.guarantee) < STRENGTH.index(label) and (label == "estimated" or not bracket)


def _translated(implied: Implied, solved: Solved) -> Solved:
    """What radii in another norm say about the norm asked for."""
    if not implied.other:
        return solved
    used = [f"{name} (l{norm_name(implied.question.norm)})" for name in solved.used]
    radius, upper = implied.lower(solved.radius), implied.upper(solved.upper)
    return Solved(
        f"{solved.asked} (l{norm_name(implied.question.norm)})", radius, "proved", used, upper, solved.details
    )


def best_of(solved: Sequence[Solved]) -> Solved:
    """The largest proved radius of each input; without one, the smallest searched value, else the smallest estimate."""
    label = min((item.guarantee for item in solved), key=STRENGTH.index)
    group = [item for item in solved if item.guarantee == label]
    radii = np.stack([item.radius for item in group])
    chosen = radii.argmax(axis=0) if label == "proved" else radii.argmin(axis=0)
    names = [item.used[0] if item.used else item.asked for item in group]
    return Solved(
        "auto",
        np.take_along_axis(radii, chosen[None], axis=0)[0],
        label,
        [names[i] for i in chosen],
        np.min([item.upper for item in solved], axis=0),
        {item.asked: item.details for item in group},
    )


def _solvers(registry: Registry) -> list[type[Solver]]:
    return [component for component in registry.components(Solver.kind) if issubclass(component, Solver)]


def _run(solver: Solver, question: Question) -> Solved:
    """The solver's answer, checked. Raises :class:`RunError` when the plugin fails."""
    noise, norm = question.noise, question.norm
    try:
        found = solver.radii(noise, norm, question.dim, question.p_lower, question.p_upper)
    except RobustbenchError:
        raise
    except Exception as error:
        raise RunError(f"solver {solver.name!r} failed on {noise.name} noise, norm {norm:g}: {error!r}") from error
    radius = _checked(solver, found, question.p_lower, question.p_upper)
    upper = np.full(radius.shape, math.inf) if found.upper is None else np.asarray(found.upper, dtype=np.float64)
    return Solved(solver.name, radius, found.guarantee, [solver.name] * len(radius), upper, dict(found.details))


def _checked(solver: Solver, found: Radii, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
    """A plugin's radii are refused when they cannot be radii, and cut to 0 where nothing can be certified."""
    radius = np.asarray(found.radius, dtype=np.float64)
    if radius.shape != p_lower.shape or np.isnan(radius).any():
        raise RunError(f"solver {solver.name!r} returned radii of shape {radius.shape} (NaN or wrong shape)")
    return np.where(p_lower > p_upper, np.maximum(radius, 0.0), 0.0)
