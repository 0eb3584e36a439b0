"""Radius grids."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from robustbench_rs.errors import InputError, shorten
from robustbench_rs.results import Source

MAX_GRID_POINTS = 10_000
DEFAULT_POINTS = 10


def parse_grid(text: str) -> tuple[float, ...]:
    """``start:stop:step`` as radii, exact decimal multiples (0.3, not 0.1 * 3); ``stop`` belongs to it when it is hit.

    Raises ``InputError`` on anything else than 0 <= start <= stop and step > 0, or more than 10,000 radii.
    """
    try:
        start, stop, step = (Decimal(part.strip()) for part in text.split(":"))
    except (ValueError, InvalidOperation):
        raise InputError(f"--radii {shorten(text)}: write start:stop:step, three numbers, such as 0:1.5:0.25") from None
    if not all(number.is_finite() for number in (start, stop, step)):
        raise InputError(f"--radii {shorten(text)}: start, stop and step must be finite numbers")
    if start < 0 or stop < start or step <= 0:
        raise InputError(f"--radii {shorten(text)}: needs 0 <= start <= stop and step > 0")
    if (stop - start) / step >= MAX_GRID_POINTS:
        raise InputError(f"--radii {shorten(text)}: more than {MAX_GRID_POINTS:,} radii; take a larger step")
    return tuple(float(start + i * step) for i in range(int((stop - start) / step) + 1))


def default_grid(sources: Sequence[Source]) -> tuple[float, ...]:
    """At most ten round radii from 0 up to the largest certified one of the sources."""
    radii = (m.radius[m.correct] for source in sources for m in source.measured)
    largest = max((float(radius.max()) for radius in radii if radius.size), default=0.0)
    if largest <= 0:
        return (0.0,)
    power = Decimal(1).scaleb(math.floor(math.log10(largest)) - 1)
    steps = (power * factor for factor in (Decimal(1), Decimal("2.5"), Decimal(5), Decimal(10)))
    step = next(step for step in steps if Decimal(largest) / step < DEFAULT_POINTS or step == power * 10)
    return tuple(float(i * step) for i in range(int(Decimal(largest) / step) + 1))
