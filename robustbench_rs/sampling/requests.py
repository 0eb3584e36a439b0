"""What is to be drawn, and how it is cut into segments that fill batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CLEAN = "clean"
"""The stage whose draws are the inputs themselves, without noise."""
ENUMERATION = "enumeration"
"""The stage whose draws are those of ``Noise.outcome``, one after the other: nothing in it is random."""


@dataclass(frozen=True)
class StageRequest:
    """Draws ``start`` <= i < ``stop`` of one input in one stage ("clean", "selection", "estimation", ...)."""

    index: int
    stage: str
    start: int
    stop: int

    @property
    def draws(self) -> int:
        return max(0, self.stop - self.start)


@dataclass(frozen=True)
class Cursor:
    """The next draw: number ``draw`` of request number ``request``."""

    request: int
    draw: int


@dataclass(frozen=True)
class Segment:
    """Draws ``start`` <= i < ``stop`` of request number ``request``; all in one block unless they have no noise."""

    request: int
    start: int
    stop: int

    @property
    def draws(self) -> int:
        return self.stop - self.start


def first(requests: Sequence[StageRequest]) -> Cursor:
    """Where a run begins."""
    return Cursor(0, requests[0].start)


def fill(requests: Sequence[StageRequest], cursor: Cursor, size: int, rows: int) -> tuple[list[Segment], Cursor]:
    """The segments of the next batch of at most ``size`` draws, and where the batch after it begins.

    Batches fill across inputs and stages; ``rows``: draws per block. A cursor past the last request means the end.
    """
    segments: list[Segment] = []
    number, draw = cursor.request, cursor.draw
    while size and number < len(requests):
        stop = min(requests[number].stop, draw + size, (draw // rows + 1) * rows)
        if stop > draw:
            segments.append(Segment(number, draw, stop))
            size -= stop - draw
            draw = stop
        if draw >= requests[number].stop:
            number += 1
            draw = requests[number].start if number < len(requests) else 0
    return segments, Cursor(number, draw)
