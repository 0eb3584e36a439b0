"""From a stored run to a source of reports: all tasks together, with flags, pictures, cost and protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from robustbench_rs.api.report import Cost, Flag, GalleryItem, PredictionRow, Setting, Share, norm_name
from robustbench_rs.evaluation.candidates import candidate_rows, tuning_budget, tuning_flags, tuning_protocol
from robustbench_rs.evaluation.enumeration import CERTAIN
from robustbench_rs.evaluation.gallery import pictured
from robustbench_rs.evaluation.plan import ESTIMATION, SELECTION, canonical_json
from robustbench_rs.evaluation.solving import solvers_of
from robustbench_rs.evaluation.task_results import Stored, TaskCounts, TaskResults, predicted
from robustbench_rs.results import Measured, Source, Uncertified
from robustbench_rs.store import RunStore, TaskRow


def read_source(store: RunStore, stored: Stored, tasks: Sequence[TaskResults]) -> Source:
    """All results of a run: ``tasks`` as :func:`read_tasks` derives them, with what else the store knows."""
    found = [task.counts for task in tasks]
    return Source(
        name=stored.name,
        kind="run",
        measured=[measured for task in tasks for measured in task.measured],
        uncertified=[found for task in tasks for found in _uncertified(task.counts, stored)],
        predictions=[row for task in tasks for row in _predictions(task.counts, stored)],
        flags=[
            *_looks(store, stored),
            *(flag for task in tasks for flag in _flags(task, stored)),
            *tuning_flags(store, found, stored),
        ],
        gallery=[item for task in tasks for item in _gallery(store, task, stored)],
        costs=_costs(store, found, stored),
        budget=[Share(stored.name, purpose, alpha) for purpose, alpha in _budget(found, stored).items()],
        candidates=[each for counts in found for each in candidate_rows(store, counts, stored)],
        protocol=[*_protocol(store, found, stored), *tuning_protocol(store, stored)],
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
                limits = (float(one.p_lower[i]), float(one.p_upper[i]), one.n, one.bound, one.level)
                names = (norm_name(one.norm), one.solver, one.solver_used[i], one.guarantee[i])
                yield (task.counts.row.id, index, *names, *verdict, *limits)


def _uncertified(counts: TaskCounts, stored: Stored) -> list[Uncertified]:
    if counts.noise is not None or not len(counts.indices):
        return []
    return [Uncertified(counts.row.defense, stored.dataset["label"], counts.clean_correct)]


def _looks(store: RunStore, stored: Stored) -> list[Flag]:
    """A fixed-n bound holds for an n fixed beforehand: raising it after a look at the results must be told."""
    looks = store.meta("looks") or []
    if len(looks) < 2:
        return []
    seen = ", ".join(f"n = {n}" for n in looks)
    text = f"results were made at {seen}; the level 1 - alpha holds only if earlier ones did not decide on the last n"
    return [Flag(stored.name, "extended", text)]


def _flags(task: TaskResults, stored: Stored) -> list[Flag]:
    label, missing = _label(task.counts.row), task.counts.missing
    flags = [Flag(stored.name, "no radius", f"{label}: {reason}") for reason in task.refusals]
    if missing:
        total = missing + len(task.counts.indices)
        flags.append(Flag(stored.name, "incomplete", f"{label}: {missing} of {total} inputs are not done"))
    return flags


def _predictions(counts: TaskCounts, stored: Stored) -> list[PredictionRow]:
    found = predicted(counts, stored)
    if found is None or counts.noise is None or stored.prediction is None:
        return []
    params, correct = counts.chosen.params_json, found.correct(counts.labels)
    return [
        PredictionRow(
            source=stored.name,
            defense=counts.row.defense,
            noise=counts.noise.name,
            noise_params=params,
            index=int(counts.indices[i]),
            label=int(counts.labels[i]),
            prediction=None if found.abstained[i] else int(found.predictions[i]),
            abstained=bool(found.abstained[i]),
            correct=bool(correct[i]),
            p_value=float(found.p_value[i]),
            n=counts.row.outcomes or stored.prediction.n,
            alpha=CERTAIN if counts.row.outcomes else stored.prediction.alpha,
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


def _costs(store: RunStore, counts: Sequence[TaskCounts], stored: Stored) -> list[Cost]:
    rows = {each.row.id: each.row for each in counts}
    params = {each.row.id: each.chosen.params_json for each in counts}
    return [
        Cost(
            source=stored.name,
            defense=rows[cost.task].defense,
            noise=(rows[cost.task].details["noise"] or {"name": ""})["name"],
            noise_params=params[cost.task],
            stage=cost.stage,
            samples=cost.samples,
            seconds=cost.seconds,
            device=cost.device,
        )
        for cost in store.costs()
    ]


def _budget(tasks: Sequence[TaskCounts], stored: Stored) -> dict[str, float]:
    alpha, optimize = stored.certification.alpha, stored.optimize
    left = alpha if optimize is None else optimize.certificate_alpha(alpha)
    budget: dict[str, float] = {}
    if any(counts.row.outcomes for counts in tasks):
        budget["enumeration: nothing, all draws of the noise were tried"] = CERTAIN
    if all(counts.row.outcomes for counts in tasks if counts.noise is not None) and budget:
        return budget
    budget |= dict(stored.bound.budget(left)) | tuning_budget(tasks, stored)
    for asked in stored.certification.solvers:
        for solver in solvers_of(asked, stored.registry):
            budget |= {name: max(spent, budget.get(name, 0.0)) for name, spent in solver.budget().items()}
    if stored.prediction is not None:
        budget["prediction (PREDICT, a statement of its own)"] = stored.prediction.alpha
    return budget


def _protocol(store: RunStore, tasks: Sequence[TaskCounts], stored: Stored) -> list[tuple[str, str]]:
    pairs = [
        ("data set", f"{stored.dataset['label']}, {len(store.inputs().indices)} inputs"),
        ("data digest", stored.dataset["digest"][:16]),
        *_draws(store, tasks, stored),
        ("seed", str(store.meta("seed"))),
    ]
    if store.meta("shard") is not None:
        pairs.append(("shard", "{} of {}".format(*store.meta("shard"))))
    return pairs


def _draws(store: RunStore, tasks: Sequence[TaskCounts], stored: Stored) -> Iterator[tuple[str, str]]:
    """How many draws there are, and what bounds the class probabilities; nothing does where all draws are tried."""
    certification, draws = stored.certification, store.meta("draws") or {}
    enumerated = [counts for counts in tasks if counts.row.outcomes is not None]
    if not enumerated or any(counts.row.is_random for counts in tasks):
        yield "selection draws n0", str(draws.get(SELECTION, ""))
        yield "estimation draws n", str(draws.get(ESTIMATION, ""))
        yield "alpha", repr(certification.alpha)
        yield "bound", canonical_json(certification.bound.canonical())
    for counts in enumerated:
        name = f"draws of {_label(counts.row)}"
        yield name, f"all {counts.row.outcomes} that there are: exact shares, no alpha, certain"


def _label(row: TaskRow) -> str:
    point = ", ".join(f"{key}={value}" for key, value in row.point.items())
    return f"{row.defense} ({point})" if point else row.defense
