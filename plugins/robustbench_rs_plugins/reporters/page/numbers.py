"""Numbers as text: radii down, limits outward, p-values up, accuracies to three digits."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, Context, Decimal

from robustbench_rs.api.report import round_down

MISSING = "\u2013"
_ELL = "\u2113"
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def norm_label(norm: str) -> str:
    """``ℓ₂``, ``ℓ∞``, ... for the norm names ``2``, ``inf``, ..."""
    return _ELL + ("∞" if norm == "inf" else norm.translate(_SUBSCRIPTS))


def fraction(value: float | None) -> str:
    """Three digits, to nearest; a dash where it was not measured."""
    return MISSING if value is None else f"{value:.3f}"


def interval(lower: float, upper: float, digits: int = 3) -> str:
    """``[lower, upper]``, rounded outward so that the interval shown holds the interval meant."""
    return f"[{round_down(lower, digits)}, {round_up(upper, digits)}]"


def round_up(value: float, digits: int = 3) -> str:
    """Decimal text of ``value`` with ``digits`` places, never below it."""
    return str(Decimal(value).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_CEILING))


def radius_digits(largest: float) -> int:
    """Decimal places that leave three significant digits to ``largest``: three, more for small radii (l-inf)."""
    if not math.isfinite(largest) or largest <= 0:
        return 3
    return min(12, max(3, 2 - math.floor(math.log10(largest))))


def radius(value: float | None, digits: int | None = None) -> str:
    """A radius (input units), rounded down; with enough places for three significant digits unless told otherwise."""
    if value is None:
        return MISSING
    if not math.isfinite(value):
        return str(value)
    return round_down(value, radius_digits(value) if digits is None else digits)


def threshold(value: float) -> str:
    """A radius that was asked for, short, and never above the one that was used."""
    short = f"{value:.12g}"
    return short if float(short) <= value else repr(value)


def p_value(value: float) -> str:
    """Three significant digits, rounded up: never more significant than it is."""
    if value <= 0:
        return "0"
    rounded = Context(prec=3, rounding=ROUND_CEILING).create_decimal(Decimal(value))
    return f"{rounded:f}" if rounded >= Decimal("0.0001") else f"{rounded:.2e}"


def count(value: int | None) -> str:
    """Digits in groups of three."""
    return MISSING if value is None else f"{value:,}"


def seconds(value: float | None) -> str:
    """Seconds up to two minutes, then minutes, then hours."""
    if value is None:
        return MISSING
    if value < 120:
        return f"{value:.1f} s"
    return f"{value / 60:.1f} min" if value < 7200 else f"{value / 3600:.1f} h"
