"""What a radius in one norm says about another: the inclusions of l_p balls."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from robustbench_rs.api import Guarantee, Noise, Solver
from robustbench_rs.statistics.rounding import down, up

SOURCES = (1.0, 2.0, math.inf)


@dataclass(frozen=True)
class Question:
    """Limits (m,) of class probabilities, and the norm and dimension in which radii are wanted."""

    noise: Noise
    norm: float
    dim: int
    p_lower: np.ndarray
    p_upper: np.ndarray

    def refusal(self, solver: Solver) -> str | None:
        return solver.refusal(self.noise, self.norm, self.dim)

    def label(self, solver: Solver) -> Guarantee:
        return solver.label(self.noise, self.norm, self.dim)


@dataclass(frozen=True)
class Implied:
    """A question in some norm, and what its answer says in the norm asked for: R >= ``below`` R', R <= ``above`` R'."""

    question: Question
    below: float = 1.0
    above: float = 1.0
    other: bool = False

    def lower(self, radius: np.ndarray) -> np.ndarray:
        return down(radius * self.below)

    def upper(self, upper: np.ndarray) -> np.ndarray:
        return up(upper * self.above)


def implications(question: Question) -> Iterator[Implied]:
    """The question itself; for 1 < p < inf also what l1, l2 and l-inf say.

    For p <= q, ||x||_q <= ||x||_p <= d^(1/p - 1/q) ||x||_q: the l_p ball of radius R lies in the l_q ball of radius R,
    which lies in the l_p ball of radius d^(1/p - 1/q) R. So R_q <= R_p <= d^(1/p - 1/q) R_q.
    """
    yield Implied(question)
    p = question.norm
    if not 1 < p < math.inf:
        return
    for q in SOURCES:
        if q == p:
            continue
        ratio = question.dim ** abs((0.0 if math.isinf(q) else 1 / q) - 1 / p)
        below, above = (1.0, ratio) if p < q else (1 / ratio, 1.0)
        yield Implied(replace(question, norm=q), below, above, other=True)
