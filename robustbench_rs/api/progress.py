"""How long work tells that it advances; the command line draws a bar, a library caller hears nothing."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """One bar at a time: ``start``, then ``advance`` until ``finish``."""

    def start(self, label: str, total: int, done: int = 0) -> None: ...

    def advance(self, amount: int, note: str = "") -> None: ...

    def finish(self) -> None: ...

    def say(self, message: str) -> None:
        """One line of news, printed above the bar."""
        ...


class SilentProgress:
    """Says nothing."""

    def start(self, label: str, total: int, done: int = 0) -> None:
        pass

    def advance(self, amount: int, note: str = "") -> None:
        pass

    def finish(self) -> None:
        pass

    def say(self, message: str) -> None:
        pass
