"""One noise level as the tables see it: who is certified, up to which radius, with which guarantee."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from robustbench_rs.api.report import PER_INPUT, PER_INPUT_NOISE, Setting, norm_name
from robustbench_rs.errors import InputError, RunError
from robustbench_rs.results import Measured, Source

AS_PRINTED = "as printed"
"""Label of radii that a published log states: nothing here proves them, and printing may have rounded them up."""

STRENGTH = ("proved", "searched", "estimated", AS_PRINTED)

NOT_CERTIFIED = -1.0
"""Reach of an input that is wrong or abstained: below every radius of a grid."""


def weakest(labels: Iterable[str]) -> str:
    """The weakest of the guarantee labels, "" when there is none; an unknown label counts as weaker than all known."""
    return max(labels, key=weakness, default="")


def weakness(label: str) -> tuple[int, bool, int]:
    """Sorts labels, strongest first: those of solvers, then printed ones, then unknown ones; in each of these kinds
    those with a condition (in brackets) come last."""
    name, _, condition = label.partition(" (")
    number = STRENGTH.index(name) if name in STRENGTH else len(STRENGTH)
    return max(0, number - STRENGTH.index("estimated")), bool(condition), number


def has_noise_per_input(measured: Measured) -> bool:
    """Whether every input has a noise of its own: such radii are never mixed with those of one smoothed classifier."""
    return states_noise_per_input(measured.noise_params) or any(
        label.endswith(PER_INPUT_NOISE) for label in set(measured.guarantee)
    )


def states_noise_per_input(noise_params: str) -> bool:
    """Whether canonical JSON of noise parameters says so of one of them."""
    return json.dumps(PER_INPUT) in noise_params


@dataclass(frozen=True)
class Level:
    """A :class:`Measured` in its source."""

    source: Source
    measured: Measured

    @cached_property
    def setting(self) -> Setting:
        """What identifies its rows."""
        m = self.measured
        return Setting(
            self.source.name, m.defense, m.dataset, m.noise, m.noise_params, m.sigma, norm_name(m.norm), m.solver
        )

    @property
    def n_inputs(self) -> int:
        """All inputs, certified or not: the denominator of every fraction."""
        return len(self.measured.indices)

    @cached_property
    def reach(self) -> np.ndarray:
        """Radius (m,) where correct and not abstained, else :data:`NOT_CERTIFIED`."""
        return np.where(self.measured.correct, self.measured.radius, NOT_CERTIFIED)

    @cached_property
    def sorted_reach(self) -> np.ndarray:
        """Radii of the certified inputs, ascending."""
        return np.sort(self.reach[self.reach >= 0])

    def counts(self, radii: np.ndarray) -> np.ndarray:
        """How many inputs are correct, not abstained and have R >= radius, for each of ``radii`` (g,)."""
        counts: np.ndarray = len(self.sorted_reach) - np.searchsorted(self.sorted_reach, radii, side="left")
        return counts

    @cached_property
    def _reach_of_label(self) -> dict[str, float]:
        reach: dict[str, float] = {}
        for label, radius in zip(self.measured.guarantee, self.reach.tolist(), strict=True):
            reach[label] = max(radius, reach.get(label, NOT_CERTIFIED))
        return reach

    def guarantee(self, radius: float = 0.0) -> str:
        """Weakest label among the radii counted at ``radius``; where none is counted, among all of the level."""
        counted = [label for label, reach in self._reach_of_label.items() if reach >= radius]
        return weakest(counted or self._reach_of_label)


def levels_of(sources: Sequence[Source]) -> list[Level]:
    """All levels of the sources, in their order, checked.

    Raises ``InputError`` when two sources share a name or a level has no inputs, ``RunError`` when a radius is no
    finite number >= 0.
    """
    names = [source.name for source in sources]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"two sources are named {twice[0]!r}: give each run or log once, under its own name")
    levels = [Level(source, measured) for source in sources for measured in source.measured]
    for level in levels:
        _check(level)
    return levels


def _check(level: Level) -> None:
    where = f"{level.source.name}: {level.setting.label}, norm {level.setting.norm}"
    if not level.n_inputs:
        raise InputError(f"{where}: no inputs, so there is nothing to report; choose a larger subset")
    radius = level.measured.radius
    bad = ~(np.isfinite(radius) & (radius >= 0))
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        index = int(level.measured.indices[first])
        raise RunError(
            f"{where}: the radius of input {index} is {radius[first]}; solver {level.setting.solver!r} erred"
        )
