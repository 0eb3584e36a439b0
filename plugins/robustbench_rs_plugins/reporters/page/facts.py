"""What is stated per source, told once: flags, failure budget, protocol, environment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from robustbench_rs.api import Report
from robustbench_rs.api.report import ENVELOPE

LONG = 200
"""Characters of a remark that are shown at once."""


@dataclass(frozen=True)
class Value:
    """``sources``: whose value it is; empty when all sources share it."""

    text: str
    sources: list[str]


@dataclass(frozen=True)
class Fact:
    name: str
    values: list[Value]


def merged(stated: Mapping[str, Sequence[tuple[str, str]]]) -> list[Fact]:
    """(name, value) pairs per source -> one fact per name, equal values told once."""
    found: dict[str, dict[str, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
    for source, pairs in stated.items():
        for name, text in pairs:
            found[name][text][source] = None
    return [
        Fact(
            name, [Value(text, [] if len(sources) == len(stated) else list(sources)) for text, sources in texts.items()]
        )
        for name, texts in found.items()
    ]


def budget(report: Report) -> list[Fact]:
    """Purpose -> failure probability per input."""
    stated: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for share in report.budget:
        stated[share.source].append((share.purpose, f"{share.alpha:.6g}"))
    return merged(stated)


@dataclass(frozen=True)
class Remark:
    """One thing that a reader must know, and of which sources. ``rest``: what a long message may fold away."""

    message: str
    rest: str
    sources: list[str]


@dataclass(frozen=True)
class Remarks:
    """All remarks of one kind; ``n_sources`` counts the sources concerned."""

    kind: str
    n_sources: int
    remarks: list[Remark]


def remarks(report: Report) -> list[Remarks]:
    """The flags by kind, equal messages told once with all their sources."""
    everywhere = {row.setting.source for row in report.summary if row.setting.defense != ENVELOPE}
    kinds: dict[str, dict[str, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
    for flag in report.flags:
        kinds[flag.kind][flag.message][flag.source] = None
    return [
        Remarks(
            kind,
            len(set(_chain(messages.values()))),
            [Remark(*fold(message), _named(sources, everywhere)) for message, sources in messages.items()],
        )
        for kind, messages in kinds.items()
    ]


def fold(message: str) -> tuple[str, str]:
    """A message in two parts, the first short; cut after a sentence, else between words, and never when short."""
    if len(message) <= LONG:
        return message, ""
    head = message[: LONG * 2 // 3]
    end = head.rfind(". ") + 1 or head.rfind(" ")
    return (message[:end], message[end:].strip()) if end > 0 else (message, "")


def _named(sources: Iterable[str], everywhere: set[str]) -> list[str]:
    """The sources by name, or in two words when they are all that there are."""
    named = [source for source in sources if source]
    return ["all sources"] if len(named) > 1 and set(named) == everywhere else named


def _chain(groups: Iterable[Iterable[str]]) -> Iterable[str]:
    return (each for group in groups for each in group if each)
