"""Facts that a product noise vouches for; what it does not claim is not checked, and not used by anybody."""

from __future__ import annotations

import itertools
import math

import numpy as np

from robustbench_rs.api import ProductNoise
from robustbench_rs.statistics.quadrature import gauss, integrate
from robustbench_rs.testing.product_law import TOLERANCE, Product
from robustbench_rs.testing.result import Check

JUMP = 1e-3
"""Share of the mean density between the quartiles that a density may change by between neighbouring floats."""
HALVINGS = 1100
"""From any interval down to neighbouring floats, also next to 0."""
LEVELS, LOCAL = 10, 0.01
"""A score may differ from the derivative on one hundredth of a panel, at a kink or a pole, after ten halvings."""
BETWEEN = 16
"""Points between two of the law's at which the score is looked at."""
CAPS = (1e2, 1e4, 1e6)


def _symmetric(product: Product) -> str | None:
    if not product.noise.symmetric:
        return None
    if product.noise.support[0] != -product.noise.support[1]:
        return f"claimed, but the support is {product.noise.support}"
    z = product.points
    with np.errstate(all="ignore"):
        difference = product.law.density(z) - product.law.density(-z)
    worst = int(np.argmax(np.abs(difference)))
    if abs(difference[worst]) <= TOLERANCE * float(np.max(product.law.density(z))):
        return None
    return f"claimed, but the densities at {z[worst]:.6g} and {-z[worst]:.6g} differ"


def _unimodal(product: Product) -> str | None:
    if not product.noise.unimodal:
        return None
    z = product.points
    density = product.law.density(z)
    mode = int(np.argmax(density))
    steps = np.diff(density)
    wrong = np.concatenate([steps[:mode] < -TOLERANCE * density[mode], steps[mode:] > TOLERANCE * density[mode]])
    return f"claimed, but not near z = {z[int(np.argmax(wrong))]:.6g}" if np.any(wrong) else None


def _log_concave(product: Product) -> str | None:
    if not product.noise.log_concave:
        return None
    z = product.points
    log = product.noise.log_density(z)
    width = np.diff(z)
    slopes = np.diff(log) / width
    noise = 1e-15 * np.max(np.abs(log)) / np.minimum(width[:-1], width[1:])
    wrong = np.diff(slopes) > 1e-7 * np.maximum(np.abs(slopes[:-1]), 1e-3) + noise
    return f"claimed, but not near z = {z[1:][int(np.argmax(wrong))]:.6g}" if np.any(wrong) else None


def _continuous(product: Product) -> str | None:
    """Intervals across which the density changes are halved towards the change: a jump stays, down to two floats."""
    if not product.noise.continuous:
        return None
    z = product.points
    ends = np.array([end for end in product.noise.support if math.isfinite(end)])
    z = np.unique(np.concatenate([z, [0.0], ends, ends - 1e-3, ends + 1e-3]))
    limit = JUMP * 0.5 / float(np.diff(product.law.quantile(np.array([0.25, 0.75])))[0])
    low, high = z[:-1], z[1:]
    below, above = _density(product, low), _density(product, high)
    for _ in range(HALVINGS):
        open_ = ~(np.abs(above - below) <= limit)
        low, high, below, above = low[open_], high[open_], below[open_], above[open_]
        middle = low + (high - low) / 2
        if not len(low):
            return None
        if np.any(stuck := (middle <= low) | (middle >= high)):
            return f"claimed, but the density jumps (or has a pole) at z = {high[stuck][0]:.6g}"
        here = _density(product, middle)
        left = ~(np.abs(here - below) <= np.abs(above - here))
        low, below = np.where(left, low, middle), np.where(left, below, here)
        high, above = np.where(left, middle, high), np.where(left, here, above)
    return f"claimed, but the density has a pole near z = {high[0]:.6g}"


def _density(product: Product, z: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        values = np.exp(product.noise.log_density(z) - product.law.log_normaliser)
    return np.where((z >= product.noise.support[0]) & (z <= product.noise.support[1]), values, 0.0)


def _states_score(noise: ProductNoise) -> bool:
    return type(noise).score is not ProductNoise.score


def _score(product: Product) -> str | None:
    """Its integral between any two points is the fall of the log density."""
    noise = product.noise
    if not _states_score(noise):
        needed = noise.score_turns is not None or noise.fisher_information is not None
        return "score_turns or fisher_information is stated, but no score" if needed and not noise.log_concave else None
    z = np.unique(np.concatenate([product.points, noise.score_turns or (), [0.0]]))
    z = z[(z > noise.support[0]) & (z < noise.support[1])]
    low, high = z[:-1], z[1:]
    parent = np.arange(len(low))
    share = np.zeros(len(low))
    for level in range(LEVELS + 1):
        bad = ~_falls(noise, low, high)
        low, high, parent = low[bad], high[bad], parent[bad]
        if level == LEVELS:
            np.add.at(share, parent, 2.0**-LEVELS)
        middle = low + (high - low) / 2
        low, high, parent = np.append(low, middle), np.append(middle, high), np.append(parent, parent)
    worst = int(np.argmax(share))
    if share[worst] <= LOCAL:
        return None
    return f"score is not the derivative of -log_density between z = {z[worst]:.6g} and {z[worst + 1]:.6g}"


def _falls(noise: ProductNoise, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The integral of the score from ``low`` to ``high`` (m,) is the fall of the log density."""
    first, last = noise.log_density(low), noise.log_density(high)
    size = gauss(lambda z: np.abs(noise.score(z)), low, high)
    rounding = 1e-13 * (1 + np.maximum(np.abs(first), np.abs(last)))
    return np.asarray(np.abs(gauss(noise.score, low, high) - (first - last)) <= 1e-7 * size + rounding)


def _dense(points: np.ndarray) -> np.ndarray:
    """``BETWEEN`` steps from each of ascending points to the next one."""
    return np.asarray(np.interp(np.arange(0, len(points) - 1, 1 / BETWEEN), np.arange(len(points)), points))


def _turns(product: Product) -> str | None:
    """The score rises everywhere (log-concave), or is monotone between its turns."""
    noise = product.noise
    if not _states_score(noise) or (noise.score_turns is None and not noise.log_concave):
        return None
    turns = noise.score_turns or ()
    if list(turns) != sorted(set(turns)):
        return f"score_turns = {turns} do not ascend"
    dense = _dense(product.points)
    inner = dense[(dense > noise.support[0]) & (dense < noise.support[1])]
    for low, high in itertools.pairwise((-math.inf, *turns, math.inf)):
        z = inner[(inner > low) & (inner < high)]
        steps = np.diff(noise.score(z))
        slack = 1e-9 * np.abs(noise.score(z[1:]))
        rises, falls = bool(np.all(steps >= -slack)), bool(np.all(steps <= slack))
        if not (rises or falls):
            return f"the score is not monotone between {low:.6g} and {high:.6g}, which score_turns say are neighbours"
        if noise.log_concave and not rises:
            return "the score of a log-concave density must rise"
    return None


def _fisher(product: Product) -> str | None:
    noise, stated = product.noise, product.noise.fisher_information
    if stated is None or (math.isinf(stated) and not noise.continuous):
        return None
    if not noise.continuous:
        return f"is stated as {stated:.6g}, but `continuous` is not claimed: a jump in the density makes it infinite"
    if math.isinf(stated):
        first, second, third = (_mean_square(product, cap) for cap in CAPS)
        grows = third - second >= 0.5 * (second - first) and third - second >= 1e-3 * first
        return None if grows else f"is stated as infinite, but E[score^2] converges to {third:.9g}"
    truth = _mean_square(product, math.inf)
    return None if abs(stated - truth) <= 1e-6 * truth else f"is {stated:.12g} where E[score^2] is {truth:.12g}"


def _mean_square(product: Product, cap: float) -> float:
    """E[min(abs(score), cap)^2] of the law that follows from the density."""
    low, high = product.noise.support
    octaves = np.ldexp(1.0, np.arange(-60, 61))
    points = np.concatenate([-octaves, [0.0], octaves, product.noise.score_turns or (), product.points, *product.tails])
    ends = [end for end in (low, high) if math.isfinite(end)]
    edges = np.unique(np.concatenate([points[(points > low) & (points < high)], ends]))

    def integrand(z: np.ndarray) -> np.ndarray:
        density = product.law.density(z)
        size = np.minimum(np.abs(product.noise.score(z)), cap)
        return np.asarray(np.where(density > 0, np.square(size) * density, 0.0))

    return math.fsum(integrate(integrand, edges).mass)


def _slopes(product: Product) -> str | None:
    """Differences of the density's slope between neighbouring points add up to no more than its variation."""
    noise, stated = product.noise, product.noise.slope_variation
    if stated is None:
        return None
    if not noise.continuous:
        return f"is stated as {stated:.6g}, but `continuous` is not claimed: a jump in the density makes it infinite"
    if not _states_score(noise):
        return "is stated, but no score"
    points = np.unique(np.concatenate([product.points, noise.score_turns or (), [0.0]]))
    inner = points[(points > noise.support[0]) & (points < noise.support[1])]
    dense = _dense(inner)
    beside = [np.nextafter(dense, -math.inf), np.nextafter(dense, math.inf)]  # slopes may jump at a point
    z = np.sort(np.concatenate([dense, *beside]))
    slope = np.concatenate([[0.0], noise.score(z) * product.law.density(z), [0.0]])
    found = float(np.abs(np.diff(slope)).sum())
    if found <= stated * (1 + 1e-6):
        return None
    return f"is {stated:.9g}, but the slope of the density varies by {found:.9g}"


def _score_slope(product: Product) -> str | None:
    """Its integral is the score's change, and it is monotone, between any two of its turns and the score's."""
    noise, turns = product.noise, product.noise.score_slope_turns
    if turns is None:
        return None
    if not _states_score(noise) or type(noise).score_slope is ProductNoise.score_slope:
        return "score_slope_turns is stated, but no score, or no score_slope"
    if list(turns) != sorted(set(turns)):
        return f"score_slope_turns = {turns} do not ascend"
    points = product.points[(product.points > noise.support[0]) & (product.points < noise.support[1])]
    dense = _dense(points)
    for low, high in itertools.pairwise(sorted({-math.inf, *turns, *(noise.score_turns or ()), math.inf})):
        z = dense[(dense > low) & (dense < high)]
        slope = noise.score_slope(z)
        change, found = np.diff(noise.score(z)), gauss(noise.score_slope, z[:-1], z[1:])
        bad = np.abs(found - change) > 1e-7 * gauss(lambda x: np.abs(noise.score_slope(x)), z[:-1], z[1:]) + 1e-12
        # Gauss's rule does not follow a pole: where the slope more than doubles between neighbours, it is not asked.
        sizes = np.abs(np.stack([slope[:-1], slope[1:]]))
        bad &= sizes.max(axis=0) <= 2 * sizes.min(axis=0)
        if np.any(bad):
            return f"is not the derivative of the score near z = {z[int(np.argmax(bad))]:.6g}"
        steps, slack = np.diff(slope), 1e-9 * np.abs(slope[1:]) + 1e-15
        if not (np.all(steps >= -slack) or np.all(steps <= slack)):
            return f"is not monotone between {low:.6g} and {high:.6g}, which score_slope_turns say are neighbours"
    return None


CHECKS: dict[str, Check[Product]] = {
    "symmetric": _symmetric,
    "unimodal": _unimodal,
    "log-concave": _log_concave,
    "continuous": _continuous,
    "score is the derivative of the log density": _score,
    "score is monotone between its turns": _turns,
    "fisher_information": _fisher,
    "slope_variation": _slopes,
    "score_slope": _score_slope,
}
