"""From a spec to tasks: one defense at one sweep point is one task."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustbench_rs.api import Choice, Component
from robustbench_rs.api.report import norm_name
from robustbench_rs.plugins import Registry
from robustbench_rs.spec import Defense, Optimize, Spec
from robustbench_rs.spec.optimize import C_OPT, I_OPT

CLEAN, SELECTION, ESTIMATION, PREDICTION = "clean", "selection", "estimation", "prediction"
"""Stages of sampling. They never share draws: each has streams of its own. ``clean`` is one pass without noise."""
ENUMERATION = "enumeration"
"""The stage of noise whose draws are all tried: it takes the place of all others but ``clean``."""
TUNING = "tuning"
"""First word of the stages that choose noise parameters: every candidate has a stage, and so streams, of its own."""

UNIDENTIFYING_KEYS = ("every", "offset", "limit", "title")
"""Parameters of a data set that change no input's counts."""


@dataclass(frozen=True)
class Task:
    """One defense at one sweep point. ``config`` is what the spec says about it that determines its counts."""

    position: int
    defense: Defense
    config: Mapping[str, Any]

    @property
    def outcomes(self) -> int | None:
        """How many draws its noise has in all, where all of them are tried."""
        return None if self.defense.noise is None else self.defense.noise.make().outcomes

    def draws(self, spec: Spec) -> dict[str, int]:
        """Stage -> draws per input."""
        return task_draws(stage_draws(spec), self.outcomes, certified=self.defense.noise is not None)

    @property
    def label(self) -> str:
        """Name for people: the defense and where in its sweep."""
        point = ", ".join(f"{key.rsplit('.', 1)[-1]}={value}" for key, value in self.defense.point.items())
        return f"{self.defense.name} ({point})" if point else self.defense.name


def plan(spec: Spec, registry: Registry) -> list[Task]:
    """All tasks of a spec, in its order."""
    return [Task(position, defense, _config(spec, defense, registry)) for position, defense in enumerate(spec.defenses)]


def stage_draws(spec: Spec) -> dict[str, int]:
    """Stage -> draws per input of noise that is random, in the order in which they are sampled."""
    draws = {CLEAN: 1, SELECTION: spec.certification.n0, ESTIMATION: spec.certification.n}
    return draws if spec.prediction is None else {**draws, PREDICTION: spec.prediction.n}


def task_draws(draws: Mapping[str, int], outcomes: int | None, *, certified: bool) -> dict[str, int]:
    """The same for one task, of the run's ``draws``: all ``outcomes`` where its noise has so many draws in all."""
    if not certified:
        return {CLEAN: draws[CLEAN]} if CLEAN in draws else {}
    return dict(draws) if outcomes is None else {CLEAN: 1, ENUMERATION: outcomes}


def describe_plan(spec: Spec, registry: Registry) -> str:
    """What a run would do, for ``--dry-run``: tasks, draws per input, and the inputs as the spec chooses them."""
    lines = [f"{spec.name}: seed {spec.seed}", f"data set: {canonical_json(spec.dataset.canonical())}"]
    for task in plan(spec, registry):
        draws = task.draws(spec)
        lines.append(f"task {task.position + 1}: {task.label}")
        lines.append(f"  model: {canonical_json(task.defense.model.canonical())}")
        if task.defense.noise is not None:
            lines.append(f"  noise: {canonical_json(task.defense.noise.canonical())}")
        lines.append("  draws per input: " + ", ".join(f"{stage} {n}" for stage, n in draws.items()))
        if ENUMERATION in draws:
            lines.append("  these are all draws that the noise can make: nothing is left to chance, no alpha is spent")
        if spec.optimize is not None:
            lines.append(f"  {_tuning_plan(spec.optimize)}")
    if spec.optimize is not None:
        lines.append(f"optimize: {canonical_json(spec.optimize.model_dump(mode='json', exclude_none=True))}")
    return "\n".join(lines)


def _tuning_plan(optimize: Optimize) -> str:
    inputs = f"{optimize.limit} inputs, spread over the data" if optimize.limit else "every input"
    what = "one for all inputs" if optimize.mode == C_OPT else "one for each input"
    draws = f"before that: {TUNING} up to {optimize.evaluations} x {optimize.n} for {inputs}"
    return f"{draws}, to choose {', '.join(sorted(optimize.over))}: {what}"


def derive_seed(seed: int, purpose: str) -> int:
    """A 63-bit seed of its own for each purpose, from the spec's seed."""
    digest = hashlib.blake2b(f"{seed}|{purpose}".encode(), digest_size=8, person=b"robustbench_rs").digest()
    return int.from_bytes(digest, "little") >> 1


def _config(spec: Spec, defense: Defense, registry: Registry) -> dict[str, Any]:
    dataset = _identity(spec.dataset, registry)
    return {
        "seed": spec.seed,
        "dataset": {key: value for key, value in dataset.items() if key not in UNIDENTIFYING_KEYS},
        "model": _identity(defense.model, registry),
        "noise": None if defense.noise is None else _identity(defense.noise, registry),
        **({} if spec.optimize is None else {"optimize": _tuning_config(spec, spec.optimize, registry)}),
    }


def _tuning_config(spec: Spec, optimize: Optimize, registry: Registry) -> dict[str, Any]:
    """Everything that decides which noise parameters are chosen: they decide the counts that follow."""
    certification = spec.certification
    fields = optimize.model_dump(mode="json", include={"mode", "over", "objective", "n", "evaluations", "alpha_share"})
    for_data_set: dict[str, Any] = {} if optimize.mode == I_OPT else {"limit": optimize.limit}
    if optimize.dataset is not None:
        for_data_set["dataset"] = _identity(optimize.dataset, registry)
    return {
        **fields,
        **for_data_set,
        "norm": norm_name(optimize.norm_of(certification.norms)),
        "solver": optimize.solver if isinstance(optimize.solver, str) else _identity(optimize.solver, registry),
        "bound": _identity(certification.bound, registry),
        "alpha": certification.alpha,
    }


def _identity(choice: Choice[Component], registry: Registry) -> dict[str, Any]:
    """Name, parameters and provider of a component and of those nested in it; paths left out, since digests of what
    they hold stand in a task's identity instead."""
    fields = {key: _value(value, registry) for key, value in choice.params if value is not None}
    kept = {key: value for key, value in fields.items() if not isinstance(value, Path)}
    return {"name": choice.name, "provider": registry.owner(choice.component).identity, **kept}


def _value(value: Any, registry: Registry) -> Any:
    if isinstance(value, Choice):
        return _identity(value, registry)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_none=True)
    return list(value) if isinstance(value, tuple) else value


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def fingerprint(value: Any) -> str:
    """SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
