"""Which noise every input of a task has: the spec's own, the one chosen for the data set, or one per input."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from robustbench_rs.api import Choice, Noise
from robustbench_rs.api.report import PER_INPUT
from robustbench_rs.spec import with_parameters
from robustbench_rs.store import WHOLE_DATA_SET, RunStore


@dataclass(frozen=True)
class ChosenNoise:
    """``noise``: of all inputs; None: uncertified. ``per_input``: index -> its own noise, empty where they share one.

    ``waiting``: names of the parameters that an input has none of yet unless it is in ``per_input``.
    """

    noise: Choice[Noise] | None
    per_input: Mapping[int, Choice[Noise]] = field(default_factory=dict)
    waiting: tuple[str, ...] = ()

    def known(self, index: int) -> bool:
        """Whether the noise of this input is settled."""
        return index in self.per_input or not self.waiting

    def of(self, index: int) -> Choice[Noise] | None:
        """The noise of this input."""
        return self.per_input.get(index, self.noise)

    def laws(self, stages: Iterable[str]) -> dict[tuple[int, str], Noise]:
        """(index, stage) -> noise, of the inputs with a noise of their own; equal parameters share one object."""
        wanted, made = list(stages), dict[str, Noise]()
        for choice in self.per_input.values():
            if noise_params(choice) not in made:
                made[noise_params(choice)] = choice.make()
        return {(index, stage): made[noise_params(c)] for index, c in self.per_input.items() for stage in wanted}

    @property
    def params_json(self) -> str:
        """Canonical JSON of the parameters; those that every input has its own of say so."""
        fields = {} if self.noise is None else self.noise.canonical()
        return params_json({**fields, **dict.fromkeys(self.waiting, PER_INPUT)})

    def sigma(self, dim: int) -> float | None:
        """Standard deviation per coordinate; None where it does not exist or differs between inputs."""
        stated = list(self.per_input.values()) or ([] if self.noise is None else [self.noise])
        different = {noise_params(choice): choice for choice in stated}
        found = {choice.make().sigma_in(dim) for choice in different.values()}
        return found.pop() if len(found) == 1 else None


def chosen_noise(
    store: RunStore, task: str, start: Choice[Noise] | None, optimize: Mapping[str, Any] | None
) -> ChosenNoise:
    """The noise of a task's inputs. ``start``: as the spec has it; ``optimize``: what the task's identity says of it.

    Until the search is over, nothing is known.
    """
    if start is None or optimize is None:
        return ChosenNoise(start)
    rows = [row for row in store.candidates(task) if row.chosen]
    for row in rows:
        if row.index == WHOLE_DATA_SET:
            return ChosenNoise(with_parameters(start, row.params))
    different = {params_json(row.params): row.params for row in rows}
    made = {text: with_parameters(start, params) for text, params in different.items()}
    return ChosenNoise(
        start, {row.index: made[params_json(row.params)] for row in rows}, tuple(sorted(optimize["over"]))
    )


def certificate_alpha(alpha: float, optimize: Mapping[str, Any] | None) -> float:
    """What a task's certificates have of ``alpha``: what its optimisation, as its identity has it, left of it."""
    return alpha if optimize is None else alpha - alpha * float(optimize["alpha_share"])


def noise_params(choice: Choice[Noise]) -> str:
    """Canonical JSON of a noise's parameters."""
    return params_json(choice.canonical())


def params_json(fields: Mapping[str, Any]) -> str:
    """Canonical JSON of the fields of a noise, but for its name."""
    return json.dumps({key: value for key, value in fields.items() if key != "name"}, sort_keys=True)
