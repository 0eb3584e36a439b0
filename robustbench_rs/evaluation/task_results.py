"""What the counts of one task say: certificates in every norm, by every solver asked for. No model, no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import numpy as np
from pydantic import TypeAdapter

from robustbench_rs.api import Bound, Choice, ChoiceOf, MemoryTables, Noise, Tables
from robustbench_rs.api.report import norm_name
from robustbench_rs.errors import InputError
from robustbench_rs.evaluation.certify import Bounded, Evidence, Predicted, certified_radii, predict
from robustbench_rs.evaluation.chosen import ChosenNoise, certificate_alpha, chosen_noise
from robustbench_rs.evaluation.enumeration import CERTAIN, Enumeration, predict_exactly
from robustbench_rs.evaluation.input_radii import InputRadii, Solve, input_radii
from robustbench_rs.evaluation.plan import CLEAN, ENUMERATION, ESTIMATION, PREDICTION, SELECTION, task_draws
from robustbench_rs.plugins import Registry
from robustbench_rs.results import Measured
from robustbench_rs.spec import Certification, Optimize, Prediction
from robustbench_rs.store import RunStore, TaskRow

NOISE = TypeAdapter(Annotated[Choice[Noise], ChoiceOf("noise")])


@dataclass(frozen=True)
class Stored:
    """What a store says of its whole run."""

    name: str
    dataset: Mapping[str, Any]
    certification: Certification
    prediction: Prediction | None
    registry: Registry
    tables: Tables = field(default_factory=MemoryTables)
    optimize: Optimize | None = None

    @property
    def dim(self) -> int:
        return math.prod(self.dataset["shape"])

    @property
    def bound(self) -> Bound:
        return self.certification.bound.make()


@dataclass(frozen=True)
class TaskCounts:
    """Counts of the inputs of one task whose draws are complete: indices and labels (m,), stage -> counts (m, K).

    ``chosen``: the noise that they were drawn with, of all or of each.
    """

    row: TaskRow
    chosen: ChosenNoise
    indices: np.ndarray
    labels: np.ndarray
    stages: Mapping[str, np.ndarray]
    missing: int

    @property
    def optimize(self) -> Mapping[str, Any] | None:
        """How the noise was chosen, as the task's identity has it; None: the spec states it."""
        found: Mapping[str, Any] | None = self.row.identity["config"].get("optimize")
        return found

    @property
    def noise(self) -> Choice[Noise] | None:
        """The noise of all inputs; where each has its own, that from which their search started."""
        return self.chosen.noise

    def law(self, index: int) -> Noise:
        """The noise of one input of a defense that has noise."""
        choice = self.chosen.of(index)
        assert choice is not None
        return choice.make()

    @property
    def clean_correct(self) -> np.ndarray:
        correct: np.ndarray = self.stages[CLEAN].argmax(axis=1) == self.labels
        return correct


@dataclass(frozen=True)
class TaskResults:
    """A task with what its counts say: one :class:`Measured` per norm and solver, and why others gave no radius."""

    counts: TaskCounts
    measured: Sequence[Measured]
    refusals: Sequence[str]


def read_tasks(store: RunStore, stored: Stored) -> list[TaskResults]:
    """Results of every task that has at least one complete input."""
    tasks = [read_counts(store, row, stored) for row in store.tasks()]
    return [TaskResults(counts, *_measure(store, counts, stored)) for counts in tasks]


def read_counts(store: RunStore, row: TaskRow, stored: Stored) -> TaskCounts:
    """The task's counts, restricted to the inputs for which every stage has all its draws."""
    choice = row.details["noise"]
    noise = None if choice is None else _noise(choice, stored.registry)
    needed = task_draws(store.meta("draws") or {}, row.outcomes, certified=noise is not None)
    by_stage = {stage: store.counts(row.id, stage) for stage in needed}
    inputs = store.inputs()
    chosen = chosen_noise(store, row.id, noise, row.identity["config"].get("optimize"))
    done = [
        chosen.known(i) and all(i in by_stage[stage] and by_stage[stage][i].sum() == n for stage, n in needed.items())
        for i in inputs.indices.tolist()
    ]
    indices = inputs.indices[done]
    stages = {stage: _stack([counts[i] for i in indices.tolist()]) for stage, counts in by_stage.items()}
    return TaskCounts(row, chosen, indices, inputs.labels[done], stages, len(done) - int(np.sum(done)))


def _measure(store: RunStore, counts: TaskCounts, stored: Stored) -> tuple[list[Measured], list[str]]:
    if counts.noise is None or not len(counts.indices):
        return [], []
    evidence = _evidence(counts, stored)
    bounded, limit = evidence.bounded(), evidence.largest_attainable()
    costs = [cost for cost in store.costs() if cost.task == counts.row.id and cost.stage != PREDICTION]
    found: list[Measured] = []
    refusals: list[str] = []
    for norm in stored.certification.norms:
        solved, refused = input_radii(bounded, limit, counts.chosen, counts.indices, _solve_in(norm, stored))
        refusals += [f"norm {norm_name(norm)}, solver {item.asked}: {item.reason}" for item in refused]
        for radii in solved:
            one = _measured(counts, evidence, bounded, radii, norm, stored)
            found.append(_with_cost(one, radii.largest, sum(c.samples for c in costs), sum(c.seconds for c in costs)))
    return found, refusals


def _evidence(counts: TaskCounts, stored: Stored) -> Evidence:
    """What the certificates of a task stand on; all draws there are choose the class and give its exact share."""
    if counts.row.outcomes is not None:
        every = counts.stages[ENUMERATION]
        return Evidence(every, every, Enumeration(), CERTAIN, CERTAIN, 0)
    selection, alpha = counts.stages[SELECTION], stored.certification.alpha
    level = certificate_alpha(alpha, counts.optimize)
    return Evidence(selection, counts.stages[ESTIMATION], stored.bound, alpha, level, int(selection[0].sum()))


def _solve_in(norm: float, stored: Stored) -> Solve:
    solvers, registry, dim, tables = stored.certification.solvers, stored.registry, stored.dim, stored.tables
    return lambda bounded, noise: certified_radii(bounded, solvers, registry, noise, norm, dim, tables)


def _measured(
    counts: TaskCounts, evidence: Evidence, bounded: Bounded, radii: InputRadii, norm: float, stored: Stored
) -> Measured:
    assert counts.noise is not None
    return Measured(
        defense=counts.row.defense,
        dataset=stored.dataset["label"],
        data_digest=stored.dataset["digest"],
        noise=counts.noise.name,
        noise_params=counts.chosen.params_json,
        sigma=counts.chosen.sigma(stored.dim),
        norm=norm,
        solver=radii.asked,
        n0=evidence.n0,
        n=evidence.n,
        alpha=evidence.alpha,
        level=evidence.level,
        bound=evidence.bound.name,
        indices=counts.indices,
        labels=counts.labels,
        predictions=bounded.predictions,
        abstained=bounded.abstained,
        radius=np.where(bounded.abstained, 0.0, radii.radius),
        guarantee=radii.guarantee,
        solver_used=radii.used,
        p_lower=bounded.p_lower,
        p_upper=bounded.p_upper,
        clean_correct=counts.clean_correct,
        smoothed_accuracy=_smoothed_accuracy(counts, stored),
        condition=counts.noise.make().condition,
    )


def _with_cost(measured: Measured, max_radius: float, samples: int, seconds: float) -> Measured:
    per_input = np.full(len(measured.indices), seconds / len(measured.indices))
    return replace(measured, max_radius=max_radius, samples=samples, seconds=seconds, seconds_per_input=per_input)


def predicted(counts: TaskCounts, stored: Stored) -> Predicted | None:
    """PREDICT on every complete input; None when the spec did not ask for it."""
    if stored.prediction is None or not len(counts.indices):
        return None
    if ENUMERATION in counts.stages:
        return predict_exactly(counts.stages[ENUMERATION])
    if PREDICTION not in counts.stages:
        return None
    return predict(counts.stages[PREDICTION], stored.prediction.alpha)


def _smoothed_accuracy(counts: TaskCounts, stored: Stored) -> float | None:
    found = predicted(counts, stored)
    return None if found is None else float(np.mean(found.correct(counts.labels)))


def _noise(canonical: Mapping[str, Any], registry: Registry) -> Choice[Noise]:
    try:
        return NOISE.validate_python(dict(canonical), context={"directory": registry})
    except ValueError as error:
        raise InputError(
            f"the run's noise {canonical['name']!r} cannot be made here (give its file with -p?): {error}"
        ) from error


def _stack(rows: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack(rows) if rows else np.zeros((0, 0), dtype=np.int64)
