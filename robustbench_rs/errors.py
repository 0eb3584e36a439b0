"""Errors for people: what is wrong, where, and what to do about it.

Every error that a user can cause derives from :class:`RobustbenchError`; the command line prints its text, without a
traceback, and ends with its ``exit_code``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_PROBLEMS_SHOWN = 20
MAX_VALUE_LENGTH = 80


class RobustbenchError(Exception):
    """Base of all expected errors."""

    exit_code = 1


class InputError(RobustbenchError):
    """Something that the user gave is wrong: a file, a flag, a spec."""

    exit_code = 2


class RunError(RobustbenchError):
    """A run that began could not go on: a model that returns NaN, a full disk, a plugin that raises."""


class PluginError(InputError):
    """A plugin is missing, broken, or clashes with another one."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a spec: where it stands and what to do."""

    message: str
    key_path: str = ""
    file: Path | None = None
    line: int | None = None

    def __str__(self) -> str:
        where = str(self.file) if self.file is not None else ""
        if where and self.line is not None:
            where += f":{self.line}"
        return ": ".join(part for part in (where, self.key_path, self.message) if part)


class SpecError(InputError):
    """All problems of a spec at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        shown = [str(problem) for problem in self.problems[:MAX_PROBLEMS_SHOWN]]
        hidden = len(self.problems) - len(shown)
        if hidden:
            shown.append(f"and {hidden} more")
        super().__init__("\n".join(shown))


def shorten(value: object, length: int = MAX_VALUE_LENGTH) -> str:
    """``repr`` of a value from outside, cut to ``length`` characters, safe to print."""
    text = repr(value)
    return text if len(text) <= length else text[: length - 3] + "..."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint such as ``; did you mean 'sigma'?``, or what there is when nothing is close."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""
