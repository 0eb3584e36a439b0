"""Nested regions with confidence limits for their masses, for noise that can only be drawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import betaincinv

from independent.product import Region

LEVEL = 1e-13
"""Of each limit: 1e6 limits hold together with probability 1 - 1e-7."""
DRAWS = 200_000
THRESHOLDS = 300


def region(
    draw: Callable[[int], np.ndarray], loss: Callable[[np.ndarray], np.ndarray], shift: np.ndarray, draws: int = DRAWS
) -> Region:
    """Regions {loss <= t}, t from a pilot sample. ``draw``: noise (n, d); ``loss``: log ratio of vectors (n, d).

    Masses are limits of Clopper and Pearson: under the noise from below, under the shifted noise from above.
    """
    pilot = np.quantile(loss(draw(draws // 4)), np.linspace(0.0, 1.0, THRESHOLDS))
    pilot = np.unique(
        np.concatenate([pilot, np.quantile(loss(draw(draws // 4) + shift), np.linspace(0, 1, THRESHOLDS))])
    )
    under_p, under_q = (np.sort(loss(draw(draws) + move)) for move in (0.0, shift))
    count_p, count_q = (np.searchsorted(under, pilot, side="right") for under in (under_p, under_q))
    low = np.where(count_p > 0, betaincinv(np.maximum(count_p, 1), draws - count_p + 1, LEVEL), 0.0)
    high = np.where(count_q < draws, betaincinv(count_q + 1, np.maximum(draws - count_q, 1), 1 - LEVEL), 1.0)
    return Region(np.concatenate([[0.0], low, [1.0]]), np.concatenate([[0.0], high, [1.0]]), 0.0)
