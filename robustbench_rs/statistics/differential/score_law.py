"""The law of one coordinate's score, enclosed: what all differential bounds of product noise start from.

For a density q = exp(-V) the score is psi = V'. On a cell [a, b] on which V is convex or concave, with slopes between
``low`` and ``high``, V lies within D = (b - a) (s - low) (high - s) / (high - low) of its chord of slope s; so the
mass of the cell is known up to a factor exp(D). The integral of psi q over it is q(a) - q(b), exactly.

What the cells leave out (the tails, a jump at the end of the support, a pole of the score at 0) counts with the largest
share that it can have in E[psi; U], which is a difference of densities again: ``loose``. Nothing is cut off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from robustbench_rs.statistics.coordinate import Coordinate
from robustbench_rs.statistics.differential.score_edges import LEVEL, ROUNDING, Chords, minus_log, refined

CONTRADICTION = 1e-6
"""Share of the mass on which a claim may look wrong (rounding far out in the tails)."""


@dataclass(frozen=True)
class Piece:
    """Cells (m,) of z > 0 in which the score is monotone, from the highest score to the lowest.

    The score lies in [``low``, ``high``], the mass of a cell (of the whole law's 1) in [``mass_low``, ``mass_high``],
    E[score; cell] in [``flux_low``, ``flux_high``].
    """

    low: np.ndarray
    high: np.ndarray
    mass_low: np.ndarray
    mass_high: np.ndarray
    flux_low: np.ndarray
    flux_high: np.ndarray


@dataclass(frozen=True)
class ScoreLaw:
    """The upper half of the law of the score of a symmetric unimodal density, in units of 1 / z.

    ``loose``: an upper bound of E[score; U] over all U in z > 0 outside the cells, jumps of the density included.
    """

    pieces: tuple[Piece, ...]
    loose: float

    @property
    def largest(self) -> float:
        """No score in a cell is larger."""
        return max(float(piece.high[0]) for piece in self.pieces)

    @property
    def information(self) -> tuple[float, float]:
        """Lower and upper bound of E[score^2] in the cells of both sides."""
        low = sum(float(np.sum(p.flux_low**2 / p.mass_high)) for p in self.pieces)
        high = sum(float(np.sum((p.low + p.high) * p.flux_high - p.low * p.high * p.mass_low)) for p in self.pieces)
        return 2 * low * (1 - 1e-10), 2 * high * (1 + 1e-10)


def score_refusal(law: Coordinate) -> str | None:
    """Why nothing can be proved of the score of this law, for people; None when it can."""
    if not law.symmetric:
        return "it does not claim to be symmetric"
    if law.log_concave:
        return None
    if not (law.unimodal and law.continuous and law.score_turns is not None):
        return "it claims neither log_concave, nor all of unimodal, continuous and score_turns"
    if float(minus_log(law, np.zeros(1))[0]) == -math.inf:
        return "its density has a pole at 0"
    return None


def score_law(law: Coordinate) -> ScoreLaw:
    """Enclose the score of a law that :func:`score_refusal` does not refuse.

    Raises ``ValueError`` when ``log_density`` contradicts ``log_concave`` or ``score``.
    """
    chords = refined(law)
    bounded = np.isfinite(chords.high)
    v, mass_low, mass_high = _masses(chords)
    _check(chords, mass_low)
    near, far = _beside(law, chords, v)
    total_low, total_high = math.fsum(mass_low), (math.fsum(mass_high) + near) / (1 - far)
    flux_low, flux_high = _fluxes(chords, v, mass_low, mass_high)
    scaled = [mass_low / total_high, mass_high / total_low, flux_low / total_high, flux_high / total_low]
    columns = [chords.low, chords.high, *(column / 2 for column in scaled)]
    pieces = [_piece([column[bounded & (chords.piece == k)] for column in columns]) for k in np.unique(chords.piece)]
    return ScoreLaw(tuple(pieces), _loose(law, chords, v, bounded) / (2 * total_low))


def _masses(chords: Chords) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """V with its smallest value at 0, and bounds of the integral of exp(-V) over every cell."""
    v = chords.v - np.min(chords.v)
    rise, width = np.diff(v), chords.width
    slope = rise / width
    safe = np.where(np.abs(rise) > 1e-8, rise, 1.0)
    mean = np.where(np.abs(rise) > 1e-8, -np.expm1(-safe) / safe, 1.0 - rise / 2)
    chord = width * np.exp(-v[:-1]) * mean
    span = chords.high - chords.low
    with np.errstate(all="ignore"):
        product = np.clip(slope - chords.low, 0.0, None) * np.clip(chords.high - slope, 0.0, None)
        bend = np.where(np.isfinite(span) & (span > 0), width * np.minimum(product / span, span / 4), 0.0)
    open_end = ~np.isfinite(chords.high)  # V is convex there: above the line through the cells before it
    bend = np.where(open_end, width * np.clip(slope - chords.low, 0.0, None), bend)
    convex, rounding = _convex(chords), np.maximum(chords.error[:-1], chords.error[1:]) + 1e-15
    low, high = np.where(convex, 0.0, -bend) - rounding, np.where(convex, bend, 0.0) + rounding
    most = width * np.exp(-v[:-1] + rounding)  # the density does not rise
    return v, chord * np.exp(low), np.minimum(chord * np.exp(np.minimum(high, LEVEL + 1)), most)


def _convex(chords: Chords) -> np.ndarray:
    """Whether V is convex in a cell: its score rises through the cell's piece."""
    start = np.searchsorted(chords.piece, chords.piece, side="left")
    stop = np.searchsorted(chords.piece, chords.piece, side="right") - 1
    return np.asarray(chords.high[stop] >= chords.high[start])


def _check(chords: Chords, mass: np.ndarray) -> None:
    """The slope of every chord is a mean of the score, and nearly all cells have bounds of their scores."""
    slope, error = np.diff(chords.v) / chords.width, chords.error[1:] + chords.error[:-1]
    slack = 1e-6 * np.abs(slope) + 8 * error / chords.width
    wrong = (slope < chords.low - slack) | (slope > chords.high + slack) | ~np.isfinite(chords.high)
    if np.sum(mass[wrong]) > CONTRADICTION * np.sum(mass):
        z = chords.edges[:-1][wrong][0]
        raise ValueError(f"log_density near z = {z:.6g} contradicts the claim log_concave, or the score that is stated")


def _beside(law: Coordinate, chords: Chords, v: np.ndarray) -> tuple[float, float]:
    """Mass that the cells leave out: next to 0 (like exp(-V)), and beyond them (share of the half law's)."""
    near = float(chords.edges[0]) * math.exp(chords.v[0] - float(minus_log(law, np.zeros(1))[0]) - v[0])
    if not law.log_concave:
        return near, 4.0 * float(law.sf(chords.edges[-1:])[0]) + 2.0 * law.quantile_error
    end, last = law.support[1], chords.edges[-1]
    width = min(end - last, 1.0 / max(float(chords.low[-1]), 1e-300))
    return near + math.exp(-v[-1]) * width, 0.0


def _fluxes(
    chords: Chords, v: np.ndarray, mass_low: np.ndarray, mass_high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of exp(-V(a)) - exp(-V(b)), the integral of the score times exp(-V)."""
    error = chords.error[:-1] + chords.error[1:] + 1e-15 * np.abs(np.diff(v))
    at = np.exp(-v[:-1])
    low = -np.expm1(-np.maximum(np.diff(v) - error, 0.0)) * at * (1 - 1e-14)
    high = -np.expm1(-np.maximum(np.diff(v) + error, 0.0)) * at * (1 + 1e-14)
    with np.errstate(invalid="ignore"):
        bounded = np.where(np.isfinite(chords.high), chords.high * mass_high, math.inf)
    return np.maximum(low, chords.low * mass_low), np.minimum(high, bounded)


def _piece(columns: list[np.ndarray]) -> Piece:
    """Cells from the highest score down; bounds of the score are widened until they fall."""
    low, high = columns[:2]
    if high[-1] > high[0]:
        columns = [column[::-1] for column in columns]
        low, high = columns[:2]
    columns[:2] = [np.minimum.accumulate(low), np.maximum.accumulate(high[::-1])[::-1]]
    return Piece(*columns)


def _loose(law: Coordinate, chords: Chords, v: np.ndarray, bounded: np.ndarray) -> float:
    """exp(-V) at the end of the bounded cells, and what it falls by between 0 and the first."""
    last = int(np.flatnonzero(bounded)[-1]) + 1
    end = math.exp(-v[last] + chords.error[last])
    if chords.edges[0] == 0:
        return end
    at_zero = float(minus_log(law, np.zeros(1))[0])
    fall = chords.v[0] - at_zero + chords.error[0] + ROUNDING * (1 + abs(at_zero))
    return end + math.exp(-v[0] + fall) * -math.expm1(-fall)
