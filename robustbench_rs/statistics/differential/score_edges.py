"""Where the half-line z > 0 of a symmetric unimodal law is cut, and what is known of -log density and score there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from robustbench_rs.statistics.coordinate import Coordinate

ROUNDING = 2.0**-49
"""Error that is allowed for in ``log_density``, relative to 1 + its size."""
LEVEL = 110.0
"""Cells end where the density has fallen by exp(-LEVEL) = 2e-48."""
TOLERANCE = 2e-8
"""Wanted product of a cell's width and the range of its score: four times the relative error of its mass."""
NEGLIGIBLE, RELAXED = 1e-9, 1e4
"""Where less mass than this lies further out, cells may be wider, up to this factor in the tolerance."""
PARTS, ROUNDS, MAX_CELLS = 8, 40, 400_000
SHARP, SMOOTH = 41, 17
"""Halvings of the distance to the end: of a support, or of what is resolved of a tail."""
TURN, MARGIN = 2.0**-40, 1e-10
"""Scores are taken this far inside the cell, relative to its width, as an edge may be a turn; they are widened by that
share of themselves, which covers the difference."""


@dataclass(frozen=True)
class Chords:
    """Cells [edges[i], edges[i + 1]] (m,), ascending, on each of which V = -log density is convex or concave.

    ``v`` (m + 1,): V at the edges; ``error`` (m + 1,): its rounding. ``low``, ``high`` (m,): bounds of the score V'.
    ``piece`` (m,): number of the piece of z > 0, in which the score is monotone, that the cell belongs to.
    """

    edges: np.ndarray
    v: np.ndarray
    error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    piece: np.ndarray

    @property
    def width(self) -> np.ndarray:
        return np.diff(self.edges)


def refined(law: Coordinate) -> Chords:
    """Cells narrow enough for :data:`TOLERANCE`, from ``log_density`` alone if it is log-concave, else with ``score``.

    The law must be symmetric and unimodal. The last cells of a log-concave law, at least one, have no upper bound of
    their scores.
    """
    edges = _first_edges(law)
    for _ in range(ROUNDS):
        chords = _chords(law, edges)
        parts = _parts(chords)
        if len(edges) + int(np.sum(parts - 1)) > MAX_CELLS or np.all(parts == 1):
            return chords
        edges = _split(edges, parts)
    return _chords(law, edges)


def _chords(law: Coordinate, edges: np.ndarray) -> Chords:
    v = minus_log(law, edges)
    error = ROUNDING * (1.0 + np.abs(v))
    if law.log_concave:
        low, high = _from_convexity(np.diff(v) / np.diff(edges), (error[:-1] + error[1:]) / np.diff(edges))
        return Chords(edges, v, error, low, high, np.zeros(len(low), dtype=np.int64))
    inside = TURN * np.diff(edges)
    with np.errstate(all="ignore"):
        ends = np.stack([law.score(edges[:-1] + inside), law.score(edges[1:] - inside)])
    middles = (edges[:-1] + edges[1:]) / 2
    low, high = np.min(ends, axis=0), np.max(ends, axis=0)
    low, high = np.maximum(low - MARGIN * high, 0.0), high * (1 + MARGIN)
    return Chords(edges, v, error, low, high, np.searchsorted(_turns(law), middles))


def _from_convexity(slope: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """V' in a cell lies between the slopes of all chords before and of all chords behind, if V is convex.

    From where rounding in V exceeds what is allowed for, so that slopes fall, nothing is known but that V' rises.
    """
    falls = np.append((slope + error)[1:] < (slope - error)[:-1], True)
    known = int(np.argmax(falls))
    low = np.maximum(np.append(0.0, np.maximum.accumulate((slope - error)[:-1])), 0.0)
    low[known:] = low[known]
    high = np.full(len(slope), math.inf)
    high[:known] = np.minimum.accumulate((slope + error)[known:0:-1])[::-1]
    return np.minimum(low, high), np.maximum(low, high)


def _parts(chords: Chords) -> np.ndarray:
    """Into how many equal parts each cell is to be split."""
    width = chords.width
    mass = width * np.exp(np.min(chords.v) - chords.v[:-1])
    beyond = np.cumsum(mass[::-1])[::-1] / np.sum(mass)
    with np.errstate(divide="ignore"):
        allowed = TOLERANCE * np.clip(np.sqrt(NEGLIGIBLE / beyond), 1.0, RELAXED)
    spread = width * (chords.high - chords.low)
    wanted = np.ceil(np.sqrt(np.where(np.isfinite(spread), spread, 0.0) / allowed))
    narrow = width <= 64 * np.spacing(chords.edges[1:])
    return np.where(narrow, 1, np.clip(wanted, 1, PARTS)).astype(np.int64)


def _split(edges: np.ndarray, parts: np.ndarray) -> np.ndarray:
    cell = np.repeat(np.arange(len(parts)), parts)
    step = np.arange(len(cell)) - np.repeat(np.cumsum(parts) - parts, parts)
    return np.append(edges[cell] + (step / parts[cell]) * (edges[cell + 1] - edges[cell]), edges[-1])


def _first_edges(law: Coordinate) -> np.ndarray:
    """Octaves from 0 (or nearly 0, where the score may be infinite) to the end, denser towards a sharp end."""
    end, sharp = _end(law)
    first = 0.0 if law.log_concave else _nearest(law)
    octaves = np.ldexp(1.0, np.arange(-40 if law.log_concave else -1000, 1024))
    towards = end * (1.0 - np.ldexp(1.0, -np.arange(1, SHARP if sharp else SMOOTH)))
    points = np.unique(np.concatenate([[first], octaves, towards, _turns(law), [end]]))
    return points[(points >= first) & (points <= end)]


def _nearest(law: Coordinate) -> float:
    """The last octave in which -log density does not yet rise visibly."""
    octaves = np.ldexp(1.0, np.arange(-1000, 0))
    rise = minus_log(law, octaves) - minus_log(law, np.zeros(1))
    return float(octaves[max(int(np.argmin(rise <= 2.0**-52)) - 1, 0)])


def _end(law: Coordinate) -> tuple[float, bool]:
    """The largest z with a density above exp(-LEVEL) of that near 0, and whether it vanishes just beyond."""
    points = np.ldexp(1.0, np.arange(-40, 1024))
    last = law.support[1]
    points = np.append(points[points < last], last) if math.isfinite(last) else points
    bottom = float(minus_log(law, points[:1])[0]) + LEVEL
    good = minus_log(law, points) <= bottom
    if np.all(good):
        return float(points[-1]), math.isfinite(last)
    first_bad = int(np.argmin(good))
    low, high = float(points[first_bad - 1]), float(points[first_bad])
    while (middle := low + (high - low) / 2) not in (low, high):
        low, high = (middle, high) if float(minus_log(law, np.array([middle]))[0]) <= bottom else (low, middle)
    return low, float(minus_log(law, np.array([high]))[0]) == math.inf


def _turns(law: Coordinate) -> np.ndarray:
    """Where on z > 0 the score may turn or jump, ascending."""
    return np.array([] if law.log_concave else sorted(turn for turn in law.score_turns or () if turn > 0))


def minus_log(law: Coordinate, z: np.ndarray) -> np.ndarray:
    """V = -log density, up to its constant; +inf outside the support."""
    with np.errstate(all="ignore"):
        v = -np.asarray(law.log_density(z), dtype=np.float64)
    return np.where((z >= law.support[0]) & (z <= law.support[1]), v, math.inf)
