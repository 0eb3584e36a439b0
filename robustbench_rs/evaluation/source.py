"""From a stored run to results: counts in, certificates out. No model, no data set, no torch."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from pydantic import TypeAdapter

from robustbench_rs.api import Bound, Choice, ChoiceOf, Noise
from robustbench_rs.api.report import Cost, Flag, GalleryItem, PredictionRow, Setting, Share, norm_name
from robustbench_rs.errors import InputError
from robustbench_rs.evaluation.certify import Bounded, bound_counts, certified_radii, largest_attainable, predict
from robustbench_rs.evaluation.gallery import pictured
from robustbench_rs.evaluation.plan import CLEAN, ESTIMATION, PREDICTION, SELECTION, canonical_json
from robustbench_rs.evaluation.solving import Solved
from robustbench_rs.plugins import Registry
from robustbench_rs.results import Measured, Source, Uncertified
from robustbench_rs.spec import Certification, Prediction
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

    @property
    def dim(self) -> int:
        return math.prod(self.dataset["shape"])

    @property
    def bound(self) -> Bound:
        return self.certification.bound.make()


@dataclass(frozen=True)
class TaskCounts:
    """Counts of the inputs of one task whose draws are complete: indices and labels (m,), stage -> counts (m, K)."""

    row: TaskRow
    noise: Choice[Noise] | None
    indices: np.ndarray
    labels: np.ndarray
    stages: Mapping[str, np.ndarray]
    missing: int

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


def read_source(store: RunStore, stored: Stored) -> Source:
    """All results of a run, derived from its counts under ``stored.certification``."""
    tasks = read_tasks(store, stored)
    return Source(
        name=stored.name,
        kind="run",
        measured=[measured for task in tasks for measured in task.measured],
        uncertified=[found for task in tasks for found in _uncertified(task.counts, stored)],
        predictions=[row for task in tasks for row in _predictions(task.counts, stored)],
        flags=[flag for task in tasks for flag in _flags(task, stored)],
        gallery=[item for task in tasks for item in _gallery(store, task, stored)],
        costs=_costs(store, stored),
        budget=[Share(stored.name, purpose, alpha) for purpose, alpha in _budget(stored).items()],
        protocol=_protocol(store, stored),
        environment=[(name, value) for name, value in store.meta("environment") or []],
    )


def certificate_rows(tasks: Sequence[TaskResults]) -> Iterator[tuple[Any, ...]]:
    """Rows of the store's table ``certificates``, in the order of its columns."""
    for task in tasks:
        for one in task.measured:
            assert one.p_lower is not None
            assert one.p_upper is not None
            for i, index in enumerate(one.indices.tolist()):
                prediction = None if one.abstained[i] else int(one.predictions[i])
                verdict = (prediction, int(one.abstained[i]), int(one.correct[i]), float(one.radius[i]))
                limits = (float(one.p_lower[i]), float(one.p_upper[i]), one.n, one.bound, one.alpha)
                names = (norm_name(one.norm), one.solver, one.solver_used[i], one.guarantee[i])
                yield (task.counts.row.id, index, *names, *verdict, *limits)


def _uncertified(counts: TaskCounts, stored: Stored) -> list[Uncertified]:
    if counts.noise is not None or not len(counts.indices):
        return []
    return [Uncertified(counts.row.defense, stored.dataset["label"], counts.clean_correct)]


def _flags(task: TaskResults, stored: Stored) -> list[Flag]:
    label, missing = _label(task.counts.row), task.counts.missing
    flags = [Flag(stored.name, "no radius", f"{label}: {reason}") for reason in task.refusals]
    if missing:
        total = missing + len(task.counts.indices)
        flags.append(Flag(stored.name, "incomplete", f"{label}: {missing} of {total} inputs are not done"))
    return flags


def read_counts(store: RunStore, row: TaskRow, stored: Stored) -> TaskCounts:
    """The task's counts, restricted to the inputs for which every stage has all its draws."""
    choice = row.details["noise"]
    noise = None if choice is None else _noise(choice, stored.registry)
    needed: dict[str, int] = {
        key: n for key, n in (store.meta("draws") or {}).items() if noise is not None or key == CLEAN
    }
    by_stage = {stage: store.counts(row.id, stage) for stage in needed}
    inputs = store.inputs()
    done = [
        all(i in by_stage[stage] and by_stage[stage][i].sum() == n for stage, n in needed.items())
        for i in inputs.indices.tolist()
    ]
    indices = inputs.indices[done]
    stages = {stage: _stack([counts[i] for i in indices.tolist()]) for stage, counts in by_stage.items()}
    return TaskCounts(row, noise, indices, inputs.labels[done], stages, len(done) - int(np.sum(done)))


def _measure(store: RunStore, counts: TaskCounts, stored: Stored) -> tuple[list[Measured], list[str]]:
    if counts.noise is None or not len(counts.indices):
        return [], []
    certification = stored.certification
    noise, bound, alpha = counts.noise.make(), stored.bound, certification.alpha
    bounded = bound_counts(counts.stages[SELECTION], counts.stages[ESTIMATION], bound, alpha)
    n, num_classes = int(counts.stages[ESTIMATION][0].sum()), counts.stages[ESTIMATION].shape[1]
    limit = largest_attainable(n, bound, alpha, num_classes)
    costs = [cost for cost in store.costs() if cost.task == counts.row.id and cost.stage != PREDICTION]
    found: list[Measured] = []
    refusals: list[str] = []
    for norm in certification.norms:
        solved, refused = certified_radii(bounded, certification.solvers, stored.registry, noise, norm, stored.dim)
        limits, _ = certified_radii(limit, certification.solvers, stored.registry, noise, norm, stored.dim)
        refusals += [f"norm {norm_name(norm)}, solver {item.asked}: {item.reason}" for item in refused]
        for radii, largest in zip(solved, limits, strict=True):
            one = _measured(counts, bounded, radii, norm, stored)
            found.append(
                _with_cost(one, float(largest.radius[0]), sum(c.samples for c in costs), sum(c.seconds for c in costs))
            )
    return found, refusals


def _measured(counts: TaskCounts, bounded: Bounded, radii: Solved, norm: float, stored: Stored) -> Measured:
    assert counts.noise is not None
    return Measured(
        defense=counts.row.defense,
        dataset=stored.dataset["label"],
        data_digest=stored.dataset["digest"],
        noise=counts.noise.name,
        noise_params=_noise_params(counts.noise),
        sigma=counts.noise.make().sigma,
        norm=norm,
        solver=radii.asked,
        n0=int(counts.stages[SELECTION][0].sum()),
        n=int(counts.stages[ESTIMATION][0].sum()),
        alpha=stored.certification.alpha,
        bound=stored.certification.bound.name,
        indices=counts.indices,
        labels=counts.labels,
        predictions=bounded.predictions,
        abstained=bounded.abstained,
        radius=np.where(bounded.abstained, 0.0, radii.radius),
        guarantee=[radii.guarantee] * len(counts.indices),
        solver_used=radii.used,
        p_lower=bounded.p_lower,
        p_upper=bounded.p_upper,
        clean_correct=counts.clean_correct,
        smoothed_accuracy=_smoothed_accuracy(counts, stored),
    )


def _with_cost(measured: Measured, max_radius: float, samples: int, seconds: float) -> Measured:
    per_input = np.full(len(measured.indices), seconds / len(measured.indices))
    return replace(measured, max_radius=max_radius, samples=samples, seconds=seconds, seconds_per_input=per_input)


def _smoothed_accuracy(counts: TaskCounts, stored: Stored) -> float | None:
    if stored.prediction is None or PREDICTION not in counts.stages or not len(counts.indices):
        return None
    predicted = predict(counts.stages[PREDICTION], stored.prediction.alpha)
    return float(np.mean(~predicted.abstained & (predicted.predictions == counts.labels)))


def _predictions(counts: TaskCounts, stored: Stored) -> list[PredictionRow]:
    if stored.prediction is None or PREDICTION not in counts.stages or not len(counts.indices):
        return []
    assert counts.noise is not None
    predicted = predict(counts.stages[PREDICTION], stored.prediction.alpha)
    params = _noise_params(counts.noise)
    return [
        PredictionRow(
            source=stored.name,
            defense=counts.row.defense,
            noise=counts.noise.name,
            noise_params=params,
            index=int(counts.indices[i]),
            label=int(counts.labels[i]),
            prediction=None if predicted.abstained[i] else int(predicted.predictions[i]),
            abstained=bool(predicted.abstained[i]),
            correct=bool(not predicted.abstained[i] and predicted.predictions[i] == counts.labels[i]),
            p_value=float(predicted.p_value[i]),
            n=int(counts.stages[PREDICTION][i].sum()),
            alpha=stored.prediction.alpha,
        )
        for i in range(len(counts.indices))
    ]


def _gallery(store: RunStore, task: TaskResults, stored: Stored) -> list[GalleryItem]:
    if not task.measured:
        return []
    first, names = pictured(task.measured), stored.dataset["class_names"]
    place = {int(index): i for i, index in enumerate(first.indices)}
    setting = setting_of(first, stored.name)
    return [
        GalleryItem(
            setting=setting,
            rank=rank,
            index=index,
            label=names[first.labels[place[index]]],
            prediction=None if first.abstained[place[index]] else names[first.predictions[place[index]]],
            correct=bool(first.correct[place[index]]),
            radius=float(first.radius[place[index]]),
            clean_png=clean,
            noisy_png=noisy,
        )
        for rank, index, clean, noisy in store.gallery(task.counts.row.id)
        if index in place
    ]


def setting_of(measured: Measured, source: str) -> Setting:
    """The key of a measured curve."""
    return Setting(
        source=source,
        defense=measured.defense,
        dataset=measured.dataset,
        noise=measured.noise,
        noise_params=measured.noise_params,
        sigma=measured.sigma,
        norm=norm_name(measured.norm),
        solver=measured.solver,
    )


def _costs(store: RunStore, stored: Stored) -> list[Cost]:
    rows = {row.id: row for row in store.tasks()}
    return [
        Cost(
            source=stored.name,
            defense=rows[cost.task].defense,
            noise=(rows[cost.task].details["noise"] or {"name": ""})["name"],
            noise_params=_params_json(rows[cost.task].details["noise"] or {}),
            stage=cost.stage,
            samples=cost.samples,
            seconds=cost.seconds,
            device=cost.device,
        )
        for cost in store.costs()
    ]


def _budget(stored: Stored) -> dict[str, float]:
    budget = dict(stored.bound.budget(stored.certification.alpha))
    if stored.prediction is not None:
        budget["prediction (PREDICT, a statement of its own)"] = stored.prediction.alpha
    return budget


def _protocol(store: RunStore, stored: Stored) -> list[tuple[str, str]]:
    certification, draws = stored.certification, store.meta("draws") or {}
    pairs = [
        ("data set", f"{stored.dataset['label']}, {len(store.inputs().indices)} inputs"),
        ("data digest", stored.dataset["digest"][:16]),
        ("selection draws n0", str(draws.get(SELECTION, ""))),
        ("estimation draws n", str(draws.get(ESTIMATION, ""))),
        ("alpha", repr(certification.alpha)),
        ("bound", canonical_json(certification.bound.canonical())),
        ("seed", str(store.meta("seed"))),
    ]
    if store.meta("shard") is not None:
        pairs.append(("shard", "{} of {}".format(*store.meta("shard"))))
    return pairs


def _noise(canonical: Mapping[str, Any], registry: Registry) -> Choice[Noise]:
    try:
        return NOISE.validate_python(dict(canonical), context={"directory": registry})
    except ValueError as error:
        raise InputError(
            f"the run's noise {canonical['name']!r} cannot be made here (give its file with -p?): {error}"
        ) from error


def _noise_params(noise: Choice[Noise]) -> str:
    return _params_json(noise.canonical())


def _params_json(canonical: Mapping[str, Any]) -> str:
    return json.dumps({key: value for key, value in canonical.items() if key != "name"}, sort_keys=True)


def _stack(rows: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack(rows) if rows else np.zeros((0, 0), dtype=np.int64)


def _label(row: TaskRow) -> str:
    point = ", ".join(f"{key}={value}" for key, value in row.point.items())
    return f"{row.defense} ({point})" if point else row.defense
