"""Noise optimisation of one task: C-OPT (one parameter vector) and I-OPT (one per input) of UniCR, on draws of its own.

Every candidate has a random stream of its own, named by its parameters; nothing that tunes ever certifies. Counts are
stored as they come and the search is replayed on them, so a killed run goes on with the same candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from robustbench_rs.api import Choice, Images, Noise
from robustbench_rs.errors import InputError
from robustbench_rs.evaluation.data import Chosen, choose_inputs
from robustbench_rs.evaluation.objective import Judge, counts_for
from robustbench_rs.evaluation.plan import TUNING, Task, canonical_json
from robustbench_rs.evaluation.search import Point, Space, propose
from robustbench_rs.evaluation.session import Session, Work, draw, still_missing
from robustbench_rs.spec import Optimize, Spec, with_parameters
from robustbench_rs.spec.optimize import C_OPT
from robustbench_rs.store import WHOLE_DATA_SET, CandidateRow

if TYPE_CHECKING:
    from robustbench_rs.evaluation.models import Prepared
    from robustbench_rs.sampling import Laws

CLASSES = f"{TUNING} classes"
"""Stage in which I-OPT chooses the class of an input, at the starting noise: it must not know the label."""


@dataclass(frozen=True)
class Unit:
    """What gets one parameter vector: ``key`` WHOLE_DATA_SET or an input's index. ``classes`` (m,) should win."""

    key: int
    indices: np.ndarray
    classes: np.ndarray


@dataclass(frozen=True)
class Trial:
    """An evaluated candidate of a unit."""

    point: Point
    value: float
    guarantee: str


@dataclass(frozen=True)
class Tuning:
    """One task's optimisation: the counts of ``task`` in the session's store are all the state it has."""

    task: str
    label: str
    start: Choice[Noise]
    optimize: Optimize
    images: Images
    prepared: Prepared
    session: Session

    @cached_property
    def space(self) -> Space:
        return Space(self.optimize.over)

    @cached_property
    def origin(self) -> Point:
        """The spec's own parameters: the first candidate."""
        return tuple(float(getattr(self.start.params, name)) for name in self.space.names)

    @cached_property
    def judge(self) -> Judge:
        spec = self.session.spec
        certification = spec.certification
        return Judge(
            objective=self.optimize.objective,
            solver=self.optimize.solver,
            norm=self.optimize.norm_of(certification.norms),
            bound=certification.bound.make(),
            level=self.optimize.tuning_alpha(certification.alpha) / self.optimize.evaluations,
            registry=self.session.registry,
            dim=int(np.prod(self.images.shape)),
            tables=self.session.tables,
        )

    def noise(self, point: Point) -> Noise:
        """The noise of a candidate. Raises :class:`InputError` when the family refuses its parameters."""
        params = self.space.named(point)
        try:
            return with_parameters(self.start, params).make()
        except ValueError as error:
            raise InputError(f"optimize: {self.start.name} noise refuses {params}: {error}") from error

    def search(self, units: Sequence[Unit]) -> dict[int, list[Trial]]:
        """The candidates of every unit, in order: one round evaluates the next candidate of each."""
        trials: dict[int, list[Trial]] = {unit.key: [] for unit in units}
        going = [(unit, self.origin) for unit in units]
        while going:
            number = len(trials[going[0][0].key]) + 1
            self._draw(going, f"{self.label}: candidate {number} of {self.optimize.evaluations}")
            for unit, trial in self._judged(going):
                trials[unit.key].append(trial)
            asked = [(unit, self._next(trials[unit.key])) for unit, _ in going]
            going = [(unit, point) for unit, point in asked if point is not None]
        return trials

    def chosen(self, trials: Sequence[Trial]) -> int:
        """Position of the best trial, the first of equals."""
        scores = list(_scores(trials).values())
        return scores.index(max(scores))

    def top_classes(self, indices: np.ndarray) -> np.ndarray:
        """The most frequent class (m,) of each input, in draws that serve nothing else."""
        laws = dict.fromkeys(((index, CLASSES) for index in indices.tolist()), self.noise(self.origin))
        self._complete(laws, f"{self.label}: classes")
        counts = self.session.store.counts(self.task, CLASSES)
        return np.array([counts[index].argmax() for index in indices.tolist()], dtype=np.int64)

    def _next(self, trials: Sequence[Trial]) -> Point | None:
        return propose(self.space, self.origin, _scores(trials), self.optimize.evaluations)

    def _draw(self, going: Sequence[tuple[Unit, Point]], label: str) -> None:
        made = {point: self.noise(point) for _, point in going}
        laws = {(index, self._stage(point)): made[point] for unit, point in going for index in unit.indices.tolist()}
        self._complete(laws, label)

    def _complete(self, laws: Laws, label: str) -> None:
        """Make the draws of these inputs and stages that are not stored yet."""
        from robustbench_rs.sampling import StageRequest

        requests = [StageRequest(index, stage, 0, self.optimize.n) for index, stage in laws]
        missing = still_missing(requests, self.task, self.session)
        if missing:
            total = len(requests) * self.optimize.n
            work = Work(label, self.images, missing, self.start.make(), total, laws)
            draw(work, self.task, self.prepared, self.session)

    def _stage(self, point: Point) -> str:
        return f"{TUNING} {canonical_json(self.space.named(point))}"

    def _judged(self, going: Sequence[tuple[Unit, Point]]) -> list[tuple[Unit, Trial]]:
        """Units that try the same point are judged together: their radii come from one table."""
        by_point: dict[Point, list[Unit]] = {}
        for unit, point in going:
            by_point.setdefault(point, []).append(unit)
        judged: list[tuple[Unit, Trial]] = []
        for point, units in by_point.items():
            stored = self.session.store.counts(self.task, self._stage(point))
            counts = np.stack([stored[index] for unit in units for index in unit.indices.tolist()])
            gains, guarantee = self.judge.gains(
                self.noise(point), counts, np.concatenate([unit.classes for unit in units])
            )
            parts = np.split(gains, np.cumsum([len(unit.indices) for unit in units])[:-1])
            judged += [
                (unit, Trial(point, float(part.mean()), guarantee)) for unit, part in zip(units, parts, strict=True)
            ]
        return judged


def tune(task: Task, row: str, optimize: Optimize, prepared: Prepared, session: Session) -> None:
    """Choose the noise parameters that the task with the stored id ``row`` still lacks, and store all candidates.

    Raises :class:`InputError` when the starting noise has no radius in the norm asked for, or a candidate is refused.
    """
    assert task.defense.noise is not None
    inputs = session.tuning or session.chosen
    tuning = Tuning(row, f"tuning {task.label}", task.defense.noise, optimize, inputs.images, prepared, session)
    tuning.judge.label(tuning.noise(tuning.origin))
    settled = {each.index for each in session.store.candidates(row)}
    units = _data_set(inputs, settled) if optimize.mode == C_OPT else _each_input(tuning, inputs, settled)
    if not units:
        return
    found = tuning.search(units)
    session.store.add_candidates(row, (each for unit in units for each in _rows(tuning, unit.key, found[unit.key])))


def tuning_inputs(spec: Spec, chosen: Chosen) -> Chosen | None:
    """What C-OPT tunes on, the same for every shard of the inputs; None where each input tunes by itself.

    Raises :class:`InputError` when ``optimize.dataset`` has other inputs or classes than the evaluated one.
    """
    optimize = spec.optimize
    if optimize is None or optimize.mode != C_OPT:
        return None
    if optimize.dataset is None:
        images, indices = chosen.images, spec.dataset.params.indices(len(chosen.images))  # type: ignore[attr-defined]
    else:
        other = choose_inputs(optimize.dataset)
        images, indices = other.images, other.indices
        _check_alike(images, chosen.images)
    wanted = min(optimize.limit or len(indices), len(indices))
    return Chosen(images, indices[np.arange(wanted) * len(indices) // wanted])


def _check_alike(images: Images, evaluated: Images) -> None:
    if images.shape != evaluated.shape or tuple(images.class_names) != tuple(evaluated.class_names):
        raise InputError(
            f"optimize.dataset: its inputs have shape {tuple(images.shape)} and {images.num_classes} classes, the "
            f"evaluated ones {tuple(evaluated.shape)} and {evaluated.num_classes}; shapes and class names must be equal"
        )


def _data_set(inputs: Chosen, settled: set[int]) -> list[Unit]:
    """One unit, whose classes are the labels: accuracy is what is tuned."""
    return [] if WHOLE_DATA_SET in settled else [Unit(WHOLE_DATA_SET, inputs.indices, inputs.labels)]


def _each_input(tuning: Tuning, inputs: Chosen, settled: set[int]) -> list[Unit]:
    indices = np.array([index for index in inputs.indices.tolist() if index not in settled], dtype=np.int64)
    if not len(indices):
        return []
    classes = tuning.top_classes(indices)
    return [Unit(index, indices[i : i + 1], classes[i : i + 1]) for i, index in enumerate(indices.tolist())]


def _rows(tuning: Tuning, key: int, trials: Sequence[Trial]) -> list[CandidateRow]:
    best = tuning.chosen(trials)
    return [
        CandidateRow(key, i + 1, tuning.space.named(trial.point), trial.value, trial.guarantee, i == best)
        for i, trial in enumerate(trials)
    ]


def _scores(trials: Sequence[Trial]) -> dict[Point, float]:
    """What the optimiser sees of the candidates, in order; those with too weak a label count 0."""
    return {trial.point: trial.value if counts_for(trial.guarantee, trials[0].guarantee) else 0.0 for trial in trials}
