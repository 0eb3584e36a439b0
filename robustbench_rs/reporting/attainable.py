"""Radii that the stated n, alpha and sigma cannot give.

With Gaussian noise in l2 (Cohen et al. 2019, Algorithm CERTIFY) k of n draws give the radius
sigma Phi^-1(L(k, n, alpha)), L the one-sided Clopper-Pearson limit. So only n values are possible, and a log with
others was measured with something else than it says. The maximum alone does not show it: a log may stay below it and
still miss the lattice.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from scipy.special import bdtrik, betaincinv, ndtr, ndtri

from robustbench_rs.api.report import Flag
from robustbench_rs.results import Measured, Source
from robustbench_rs.statistics.binomial import largest_limit
from robustbench_rs.statistics.normal import normal_quantile_down

IMPOSSIBLE = "impossible radii"
USUAL_ALPHAS = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 5e-4, 1e-4, 1e-5)
PRINTED_DIGITS = 3
"""What ``{:.3}`` of the published code prints; it drops trailing zeros, so a shorter number has three as well."""
MAX_NAMED = 200
NEIGHBOURS = np.arange(-2, 3)
RELATIVE_ROOM, ABSOLUTE_ROOM = 1e-9, 1e-11
"""For the arithmetic of Phi^-1 (relative) and of the beta quantile (per sigma), here and there."""


def largest_radius(noise: str, norm: float, sigma: float | None, n: int | None, alpha: float | None) -> float | None:
    """Largest radius that n draws can give: sigma Phi^-1(alpha^(1/n)) for Gaussian noise in l1 or l2, else None."""
    if noise != "gaussian" or norm > 2 or sigma is None or n is None or alpha is None:
        return None
    limit = largest_limit(n, alpha)
    return sigma * float(normal_quantile_down(limit)) if limit > 0.5 else 0.0


def attainable(radius: np.ndarray, sigma: float, n: int, alpha: float) -> np.ndarray:
    """Whether some count k gives each positive printed radius (m,), up to its print rounding: bool (m,).

    A number of more than three significant digits may also have been rounded down, by up to a unit of its last digit.
    """
    # Only the neighbourhood of k comes from here; whether a radius is possible is decided on the lattice itself.
    guess = np.nan_to_num(np.ceil(bdtrik(1 - alpha, n, ndtr(radius / sigma))), nan=n)
    k = np.clip(guess.astype(np.int64)[:, None] + NEIGHBOURS, 0, n)
    counts, where = np.unique(k, return_inverse=True)
    excess = _possible(counts, sigma, n, alpha)[where.reshape(k.shape)] - radius[:, None]
    below, above = _print_room(radius)
    room = RELATIVE_ROOM * radius + ABSOLUTE_ROOM * sigma
    fits: np.ndarray = (excess >= -(below + room)[:, None]) & (excess <= (above + room)[:, None])
    return np.asarray(fits.any(axis=1))


def _possible(k: np.ndarray, sigma: float, n: int, alpha: float) -> np.ndarray:
    """Radius of each count in ``k``; infinite where it would be an abstention.

    These are compared with printed numbers and certify nothing, so scipy's functions are precise enough.
    """
    limit = np.where(k > 0, betaincinv(np.maximum(k, 1), n - k + 1, alpha), 0.0)
    radius: np.ndarray = np.where(limit > 0.5, sigma * ndtri(limit), np.inf)
    return radius


def _print_room(radius: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far the number before printing may lie below and above each printed one, both (m,)."""
    numbers = [Decimal(repr(value)).normalize() for value in radius.tolist()]
    digits = np.array([len(number.as_tuple().digits) for number in numbers])
    places = np.maximum(digits, PRINTED_DIGITS) - 1 - np.array([number.adjusted() for number in numbers])
    unit = 10.0 ** -places.astype(np.float64)
    # Just below a power of ten the last printed digit is worth a tenth: 0.996 is not printed as 1.0.
    power_of_ten = np.array([number.as_tuple().digits == (1,) for number in numbers])
    return np.where(power_of_ten, unit / 20, unit / 2), np.where(digits > PRINTED_DIGITS, unit, unit / 2)


def impossible_flags(sources: Sequence[Source]) -> list[Flag]:
    """One flag for each log with radii outside its attainable set, naming them and an alpha that would fit."""
    found = [(s, _impossible(m)) for s in sources if s.kind == "log" for m in s.measured]
    return [Flag(source.name, IMPOSSIBLE, message) for source, message in found if message]


def _impossible(m: Measured) -> str:
    if m.sigma is None or m.n is None or m.alpha is None or m.noise != "gaussian" or m.norm > 2:
        return ""
    stated = ~m.abstained & (m.radius > 0)
    values, where = np.unique(m.radius[stated], return_inverse=True)
    possible = attainable(values, m.sigma, m.n, m.alpha)
    bad = ~possible[where]
    if not bad.any():
        return ""
    named = _named(m.radius[stated][bad], m.indices[stated][bad])
    protocol = f"n = {m.n}, alpha = {m.alpha}, sigma = {m.sigma}"
    fits = _what_fits(values, values[~possible], m.sigma, m.n)
    return f"{int(bad.sum())} of {len(bad)} radii cannot come from {protocol}. {fits} They are {named}."


def _named(radius: np.ndarray, indices: np.ndarray) -> str:
    at: dict[float, list[int]] = {}
    for value, index in zip(radius.tolist()[:MAX_NAMED], indices.tolist()[:MAX_NAMED], strict=True):
        at.setdefault(value, []).append(index)
    parts = [f"{value!r} (index {', '.join(map(str, at[value]))})" for value in sorted(at, reverse=True)]
    hidden = len(radius) - MAX_NAMED
    return ", ".join(parts) + (f", and {hidden} more" if hidden > 0 else "")


def _what_fits(radius: np.ndarray, impossible: np.ndarray, sigma: float, n: int) -> str:
    """The usual values of alpha that give all radii; the impossible ones are tried first, for they rule out most."""
    fitting = [
        f"{alpha:g}"
        for alpha in USUAL_ALPHAS
        if attainable(impossible, sigma, n, alpha).all() and attainable(radius, sigma, n, alpha).all()
    ]
    if not fitting:
        return "None of the usual values of alpha fits all radii either; n or sigma may be another."
    return f"All radii fit alpha = {' or '.join(fitting)}."
