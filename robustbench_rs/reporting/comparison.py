"""What may be compared with what: same data set, same inputs, same n and alpha, same norm. The rest is flagged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from robustbench_rs.api import Condition
from robustbench_rs.api.report import Flag, norm_name
from robustbench_rs.reporting.levels import Level, has_noise_per_input
from robustbench_rs.results import Measured, Source

NOT_COMPARABLE = "not comparable"
PUBLISHED = "as published"
"""The solver of a log: whatever its authors' code did. It goes with any solver of a run."""

Group = list[Level]


def differences(level: Level, reference: Level) -> list[str]:
    """Why two levels of the same data set and norm cannot be compared, for people; empty when they can."""
    mine, other = level.measured, reference.measured
    found = []
    if has_noise_per_input(mine) != has_noise_per_input(other):
        kinds = ("a noise for each input", "one noise for all inputs")
        found.append("{} instead of {}".format(*(kinds if has_noise_per_input(mine) else kinds[::-1])))
    if mine.condition != other.condition:
        found.append(_condition_difference(mine.condition, other.condition))
    if mine.alpha != other.alpha:
        found.append(f"alpha {_stated(mine.alpha)} instead of {_stated(other.alpha)}")
    if mine.n != other.n and not (mine.is_certain and other.is_certain):
        found.append(f"n {_stated(mine.n)} instead of {_stated(other.n)}")
    if mine.data_digest and other.data_digest and mine.data_digest != other.data_digest:
        found.append("a data set of the same name with other content")
    return found + _subset_differences(mine, other)


def _condition_difference(mine: Condition | None, other: Condition | None) -> str:
    if mine is not None and other is not None and mine.label == other.label:
        return f"another condition {mine.label}: {mine.meaning}; instead of: {other.meaning}"
    names = ["without a stated condition" if each is None else each.label for each in (mine, other)]
    return "certificates {} instead of {}".format(*names)


def _stated(value: float | None) -> str:
    return "unknown" if value is None else str(value)


def _subset_differences(mine: Measured, other: Measured) -> list[str]:
    if np.array_equal(mine.indices, other.indices) and np.array_equal(mine.labels, other.labels):
        return []
    common, at_mine, at_other = np.intersect1d(mine.indices, other.indices, return_indices=True)
    found = []
    if not len(common) == len(mine.indices) == len(other.indices):
        found.append(
            f"another subset ({len(mine.indices)} inputs, of which {len(common)} are among the other's "
            f"{len(other.indices)})"
        )
    unlike = int(np.count_nonzero(mine.labels[at_mine] != other.labels[at_other]))
    if unlike:
        found.append(f"other labels at {unlike} of {len(common)} common indices, so the inputs are not the same")
    return found


def input_order(level: Level) -> np.ndarray:
    """Positions (m,) that sort a level's rows by input index, so that comparable levels line up."""
    order: np.ndarray = np.argsort(level.measured.indices, kind="stable")
    return order


def same_solver(first: Level, second: Level) -> bool:
    """Whether their radii were asked for in the same way; a log's own solver goes with any."""
    return len({first.setting.solver, second.setting.solver} - {PUBLISHED}) <= 1


def compare(sources: Sequence[Source], levels: Sequence[Level]) -> tuple[list[Group], list[Flag]]:
    """Comparable levels per data set and norm, and one flag for each source and reason that keeps it out.

    Of a data set and norm the largest set of levels that agree is kept, the first one of equally large.
    """
    groups: list[Group] = []
    flags = _missing(sources, "data set", lambda m: m.dataset) + _missing(sources, "norm", lambda m: norm_name(m.norm))
    for candidates in _by_dataset_and_norm(levels):
        kept = max(_clusters(candidates), key=len)
        groups.append(kept)
        flags += [_flag(level, kept) for level in candidates if level not in kept]
    return groups, list(dict.fromkeys(flags))


def _by_dataset_and_norm(levels: Sequence[Level]) -> list[Group]:
    groups: dict[tuple[str, str], Group] = {}
    for level in levels:
        groups.setdefault((level.setting.dataset, level.setting.norm), []).append(level)
    return list(groups.values())


def _clusters(levels: Sequence[Level]) -> list[Group]:
    """Each level joins the first cluster with all of whose members it agrees (an unknown digest agrees with any)."""
    clusters: list[Group] = []
    for level in levels:
        home = next((c for c in clusters if not any(differences(level, member) for member in c)), None)
        if home is None:
            clusters.append([level])
        else:
            home.append(level)
    return clusters


def _flag(level: Level, kept: Group) -> Flag:
    reference = next(member for member in kept if differences(level, member))
    return Flag(
        level.source.name,
        NOT_COMPARABLE,
        f"{level.setting.dataset}, norm {level.setting.norm}, against {reference.source.name}: "
        f"{'; '.join(differences(level, reference))}. Left out of paired tests and of the best-of envelope.",
    )


def _missing(sources: Sequence[Source], what: str, key: Callable[[Measured], str]) -> list[Flag]:
    """Flags of sources that have nothing of the data set (or norm) that most sources have."""
    values = {source.name: list(dict.fromkeys(map(key, source.measured))) for source in sources if source.measured}
    frequency = Counter(value for names in values.values() for value in names)
    if not frequency:
        return []
    usual = max(frequency, key=lambda value: frequency[value])
    return [
        Flag(
            name,
            NOT_COMPARABLE,
            f"{what} {', '.join(mine)}, where most sources have {usual}: no paired test or common envelope with them.",
        )
        for name, mine in values.items()
        if usual not in mine
    ]
