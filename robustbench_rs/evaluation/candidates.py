"""What a report says of a run's noise optimisation: the candidates, the budget, the settings, the caveat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from robustbench_rs.api.report import Candidate, Flag, per_input_noise
from robustbench_rs.evaluation.chosen import params_json
from robustbench_rs.evaluation.plan import TUNING, canonical_json
from robustbench_rs.evaluation.task_results import Stored, TaskCounts
from robustbench_rs.spec import Objective, Optimize
from robustbench_rs.spec.optimize import C_OPT
from robustbench_rs.store import WHOLE_DATA_SET, RunStore

TUNED = "tuned noise"


def candidate_rows(store: RunStore, counts: TaskCounts, stored: Stored) -> Iterator[Candidate]:
    """Every candidate of one task, as its search judged it."""
    config = counts.optimize
    if config is None or counts.noise is None:
        return
    for row in store.candidates(counts.row.id):
        yield Candidate(
            source=stored.name,
            defense=counts.row.defense,
            noise=counts.noise.name,
            noise_params=params_json(counts.row.details["noise"]),
            mode=config["mode"],
            index=None if row.index == WHOLE_DATA_SET else row.index,
            number=row.number,
            params=canonical_json(row.params),
            objective=Objective.model_validate(config["objective"]).label,
            norm=config["norm"],
            value=row.value,
            guarantee=row.guarantee
            if row.index == WHOLE_DATA_SET or not row.guarantee
            else per_input_noise(row.guarantee),
            alpha=config["alpha"] * config["alpha_share"],
            chosen=row.chosen,
        )


def tuning_budget(tasks: Sequence[TaskCounts], stored: Stored) -> dict[str, float]:
    """What the candidates spend per input, beside the certificate; what was chosen at another alpha keeps its level."""
    spent: dict[str, float] = {}
    for config in (counts.optimize for counts in tasks if counts.optimize is not None):
        own = (
            ""
            if config["alpha"] == stored.certification.alpha
            else f" (at alpha = {config['alpha']!r}, as it was made)"
        )
        purpose = f"{TUNING}: the radii of all {config['evaluations']} candidates, jointly{own}"
        spent[purpose] = config["alpha"] * config["alpha_share"]
    return spent


def tuning_protocol(store: RunStore, stored: Stored) -> list[tuple[str, str]]:
    """The section, and what it chose for all inputs of each task."""
    if stored.optimize is None:
        return []
    pairs = [("noise optimisation", canonical_json(stored.optimize.model_dump(mode="json", exclude_none=True)))]
    for row in store.tasks():
        point = ", ".join(f"{key}={value}" for key, value in row.point.items())
        name = f"chosen noise of {row.defense}" + (f" ({point})" if point else "")
        pairs += [
            (name, canonical_json(each.params))
            for each in store.candidates(row.id)
            if each.chosen and each.index == WHOLE_DATA_SET
        ]
    return pairs


def tuning_flags(store: RunStore, tasks: Sequence[TaskCounts], stored: Stored) -> list[Flag]:
    """Averages over inputs on which the noise was chosen are too good; certificates are not."""
    optimize = stored.optimize
    if optimize is None or optimize.mode != C_OPT:
        return []
    evaluated = set(store.inputs().indices.tolist())
    for counts in tasks:
        if counts.row.identity.get("optimize", {}).get("data") == stored.dataset["digest"]:
            tuned = {index for index, stage in store.drawn(counts.row.id) if stage.startswith(TUNING)}
            if both := len(tuned & evaluated):
                return [Flag(stored.name, TUNED, _optimistic(optimize, both))]
    return []


def _optimistic(optimize: Optimize, inputs: int) -> str:
    return (
        f"{', '.join(sorted(optimize.over))} chosen on {inputs} of the evaluated inputs, to maximise the "
        f"{optimize.objective.label}. Each certificate holds at its level, for it comes from draws made after the "
        "choice; averages over these inputs are optimistic by the choice ('optimize.dataset' tunes on others)."
    )
