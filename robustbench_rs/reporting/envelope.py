"""The best-of envelope: at each radius the best comparable noise level. Post hoc, for it chooses after looking."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from robustbench_rs.api.report import ENVELOPE, Setting
from robustbench_rs.reporting.comparison import PUBLISHED, Group, differences
from robustbench_rs.reporting.levels import Level, weakest

ALL_SOURCES = "all sources"


@dataclass(frozen=True)
class Envelope:
    """Best of ``members``, which saw the same inputs; ``defense`` is the one they share, None for several."""

    members: Sequence[Level]
    solver: str

    @property
    def defense(self) -> str | None:
        """The defense whose levels these are; None when there are several, or several sources."""
        owners = {(m.setting.source, m.setting.defense) for m in self.members}
        return self.members[0].setting.defense if len(owners) == 1 else None

    @cached_property
    def setting(self) -> Setting:
        """``defense`` is "envelope"; ``noise_params`` names the one whose levels it is taken over, if it is one."""
        first = self.members[0].setting
        sources = {m.setting.source for m in self.members}
        noises = {m.setting.noise for m in self.members}
        return Setting(
            source=first.source if len(sources) == 1 else ALL_SOURCES,
            defense=ENVELOPE,
            dataset=first.dataset,
            noise=first.noise if len(noises) == 1 else "",
            noise_params=json.dumps({} if self.defense is None else {"defense": self.defense}, separators=(",", ":")),
            sigma=None,
            norm=first.norm,
            solver=self.solver,
        )

    @property
    def n_inputs(self) -> int:
        """Inputs of each member."""
        return self.members[0].n_inputs

    @cached_property
    def sorted_reach(self) -> np.ndarray:
        """All radii at which it may step down, ascending."""
        reach: np.ndarray = np.unique(np.concatenate([member.sorted_reach for member in self.members]))
        return reach

    def counts(self, radii: np.ndarray) -> np.ndarray:
        """Inputs certified by the best member at each of ``radii`` (g,)."""
        counts: np.ndarray = np.max([member.counts(radii) for member in self.members], axis=0)
        return counts

    def guarantee(self, radius: float = 0.0) -> str:
        """Label of the member that is best at ``radius``: of several that tie, the weakest."""
        counts = [int(member.counts(np.array([radius]))[0]) for member in self.members]
        return weakest(
            m.guarantee(radius) for m, count in zip(self.members, counts, strict=True) if count == max(counts)
        )

    @cached_property
    def area(self) -> float:
        """Robustness score of UniCR: the integral over r of the best certified accuracy at r."""
        steps = np.diff(self.sorted_reach, prepend=0.0)
        return float(steps @ self.counts(self.sorted_reach)) / self.n_inputs


def envelopes_of(levels: Sequence[Level], groups: Sequence[Group]) -> list[Envelope]:
    """One over each defense of several levels, and one over each comparable group of several defenses; per solver.

    A source that cannot be compared with the others keeps its own: its levels are comparable with each other.
    """
    found = [Envelope(own, own[0].setting.solver) for own in _by_defense(levels) if len(own) > 1]
    for group in groups:
        for solver in _solvers(group):
            members = [level for level in group if level.setting.solver in (solver, PUBLISHED)]
            if len({(m.setting.source, m.setting.defense) for m in members}) > 1:
                found.append(Envelope(members, solver))
    return found


def _by_defense(levels: Sequence[Level]) -> list[Group]:
    """The levels of each defense in one data set and norm, by one solver, as far as they go with the first of them."""
    found: dict[tuple[str, ...], Group] = {}
    for level in levels:
        s = level.setting
        own = found.setdefault((s.source, s.defense, s.dataset, s.norm, s.solver), [])
        if not own or not differences(level, own[0]):
            own.append(level)
    return list(found.values())


def _solvers(group: Group) -> list[str]:
    asked = list(dict.fromkeys(level.setting.solver for level in group))
    return [solver for solver in asked if solver != PUBLISHED] or asked
