"""C(t) = E(psi - t)_+ of one coordinate's score psi, t >= 0, enclosed: all that the differential bounds need of it.

C is convex. A law with a larger C is larger in convex order, and so is every independent weighted sum of such laws
(Shaked and Shanthikumar, "Stochastic orders", section 3.A): upper bounds of C are upper bounds of Phi.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robustbench_rs.statistics.differential.score_law import Piece, ScoreLaw

NEAR, FAR = 6000, 2000
"""Points up to SPREAD times the root of the Fisher information, and beyond."""
SPREAD = 9.0


@dataclass(frozen=True)
class StopLoss:
    """Bounds of C at ``t`` (K,), ascending from 0 to the largest score; ``upper`` is 0 at the last one only.

    ``loose``: what U can gain outside the cells of :class:`ScoreLaw`, to be added for every coordinate.
    """

    t: np.ndarray
    upper: np.ndarray
    lower: np.ndarray
    loose: float


def stop_loss(law: ScoreLaw) -> StopLoss:
    """On a grid fine enough for chords of C to be second-order accurate."""
    largest = law.largest
    near = min(largest, SPREAD * float(np.sqrt(law.information[1])))
    t = np.linspace(0.0, near, NEAR)
    if near < largest:
        t = np.append(t, np.geomspace(near, largest, FAR)[1:])
    upper, lower = enclosed(law, t)
    last = int(np.argmax(upper == 0)) + 1 if np.any(upper == 0) else len(t)
    upper[last - 1] = 0.0  # no score is above the last point
    return StopLoss(t[:last], upper[:last], lower[:last], law.loose)


def enclosed(law: ScoreLaw, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Upper and lower bounds of C at ``t`` (K,) >= 0."""
    bounds = [_of_piece(piece, t) for piece in law.pieces]
    return np.sum([upper for upper, _ in bounds], axis=0), np.sum([lower for _, lower in bounds], axis=0)


def _of_piece(piece: Piece, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cells with scores above t throughout count with flux - t mass; those that straddle t with their largest score."""
    rounding = len(piece.low) * 2.0**-52
    sums = [np.append(0.0, np.cumsum(column)) for column in (piece.flux_low, piece.flux_high)]
    flux_low, flux_high = sums[0] * (1 - rounding), sums[1] * (1 + rounding)
    mass_low = np.append(0.0, np.cumsum(piece.mass_low)) * (1 - rounding)
    mass_high = np.append(0.0, np.cumsum(piece.mass_high)) * (1 + rounding)
    above = np.searchsorted(-piece.low, -t, side="right")
    touched = np.maximum(np.searchsorted(-piece.high, -t, side="left"), above)
    top = np.append(piece.high, 0.0)[above]
    straddling = mass_high[touched] - mass_low[above]
    upper = np.maximum(flux_high[above] - t * mass_low[above], 0.0)
    upper += np.where(touched > above, np.maximum(top - t, 0.0) * straddling, 0.0)
    return upper * (1 + 1e-14), np.maximum(flux_low[above] - t * mass_high[above], 0.0) * (1 - 1e-14)
