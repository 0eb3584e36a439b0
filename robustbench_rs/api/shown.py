"""Radii as short text with significant digits, rounded to their safe side: small radii stay apart, none is raised."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

from robustbench_rs.api.report import round_down

DIGITS = 5
MISSING = "\u2013"
EQUAL = "1"
"""Text of a ratio that differs from 1 by rounding only."""
SMALL = Decimal("1e-6")
"""Below it the text has an exponent."""
SAME = 1e-9


def shown_down(value: float | None, digits: int = DIGITS) -> str:
    """``value`` with ``digits`` significant digits, never above it; a dash for None."""
    return _shown(value, digits, ROUND_FLOOR)


def shown_up(value: float | None, digits: int = DIGITS) -> str:
    """``value`` with ``digits`` significant digits, never below it; a dash for None."""
    return _shown(value, digits, ROUND_CEILING)


def shown_ratio(value: float | None) -> str:
    """Four places, down; :data:`EQUAL` for what differs from 1 by less than 1e-9; a dash for None."""
    if value is None:
        return MISSING
    return EQUAL if abs(value - 1) < SAME else round_down(value, 4)


def _shown(value: float | None, digits: int, rounding: str) -> str:
    if value is None:
        return MISSING
    if not math.isfinite(value):
        return str(value)
    rounded = Context(prec=digits, rounding=rounding).create_decimal(Decimal(value))
    if not rounded:
        return "0"
    return f"{rounded:f}" if abs(rounded) >= SMALL else f"{rounded.normalize():e}"
