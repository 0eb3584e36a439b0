"""The largest radius along one ray that was itself found certified."""

from __future__ import annotations

import math
from collections.abc import Callable

MAX_STEPS = 200
LARGEST = 1e60
"""Radii are not looked for beyond (units of z)."""
PATIENCE = 3
"""So many steps may fail to halve the bracket before it is halved plainly."""


class Bracket:
    """``low`` was evaluated and is certified (0: nothing was), ``high`` was evaluated and is not (inf: none was)."""

    def __init__(self, at_zero: float) -> None:
        self.low, self.high = 0.0, math.inf
        self._at_zero = self._at_low = at_zero
        self._at_high = -math.inf
        self._side = 0

    @property
    def gap(self) -> float:
        return self.high - self.low

    def put(self, radius: float, margin: float) -> None:
        """Take in an evaluation. An end that stays for a second time counts half (Illinois), so that it moves too."""
        if margin > 0:
            self._at_high /= 2 if self._side > 0 else 1
            self.low, self._at_low, self._side = radius, margin, 1
        else:
            self._at_low /= 2 if self._side < 0 else 1
            self.high, self._at_high, self._side = radius, margin, -1

    def secant(self, width: float) -> float:
        """Near the root of the secant, a little towards the end that moved less recently."""
        if math.isinf(self.high):
            return self._outward(width)
        drop = self._at_low - self._at_high
        if not (math.isfinite(drop) and drop > 0):
            return self.middle()
        aim = self.low + self.gap * self._at_low / drop + (width / 3 if self._side > 0 else -width / 3)
        return min(max(aim, self.low + self.gap / 64), self.high - self.gap / 64)

    def middle(self) -> float:
        """The geometric middle of a wide bracket."""
        if self.low > 0 and self.high > 4 * self.low:
            return math.sqrt(self.low * self.high)
        return self.low + self.gap / 2

    def _outward(self, width: float) -> float:
        """A line through radius 0 and the last point, which is nearly right for Gaussian-like noise."""
        drop = self._at_zero - self._at_low
        aim = self.low * self._at_zero / drop + width / 3 if drop > 0 else math.inf
        return min(max(aim, self.low + width / 3), 8 * self.low)


def largest(margin: Callable[[float], float], at_zero: float, start: float, width: Callable[[float], float]) -> float:
    """A radius r with ``margin(r)`` positive, while it is not at some radius within ``width(r)`` above.

    ``at_zero``: the margin at radius 0, positive. ``start`` > 0: a guess. 0 where nothing above ``width(0)`` was found
    certified.
    """
    bracket = Bracket(at_zero)
    x, halved, stale = start, math.inf, 0
    for _ in range(MAX_STEPS):
        bracket.put(x, margin(x))
        if bracket.gap <= width(bracket.low) or bracket.low > LARGEST:
            break
        halved, stale = (bracket.gap, 0) if bracket.gap <= halved / 2 else (halved, stale + 1)
        x = bracket.secant(width(bracket.low)) if stale < PATIENCE else bracket.middle()
    return bracket.low
