"""One check and its verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

FALSE_ALARM = 1e-9
"""Of each statistical check: a correct component fails one of a suite's at most ten with probability below 1e-8."""

Subject = TypeVar("Subject")
Check = Callable[[Subject], str | None]
"""Returns None when the claim holds, else what is wrong."""


@dataclass(frozen=True)
class CheckResult:
    """``name``: the claim. ``message``: what is wrong, or a remark."""

    name: str
    passed: bool
    message: str = ""


def run(checks: Mapping[str, Check[Subject]], subject: Subject, label: str) -> list[CheckResult]:
    """Every check on one subject; an exception is a failure that names its type. ``label`` tells the example."""
    return [_verdict(f"{name} [{label}]" if label else name, check, subject) for name, check in checks.items()]


def _verdict(name: str, check: Check[Subject], subject: Subject) -> CheckResult:
    try:
        with np.errstate(all="ignore"):
            wrong = check(subject)
    except Exception as error:
        wrong = f"raises {type(error).__name__}: {error}"
    return CheckResult(name, wrong is None, wrong or "")
