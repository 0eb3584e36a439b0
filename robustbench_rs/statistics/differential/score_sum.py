"""E(S - tau)_+ for the sum S of d independent scores, from above: a lattice law, exponential tilts and the FFT.

1. The score is replaced by a law on the lattice {j h} that is larger in convex order: its mean excess at j h is an
   upper bound of the score's. Then the sum is larger in convex order, too. Scores beyond the lattice count in full.
2. Under the tilt exp(theta s) the sum's law near tau is computed by a power of the Fourier transform, so that the
   rounding error is small against the masses *there*; E(S - tau)_+ = M^d E_tilted[exp(-theta S) (S - tau)_+].
3. The circular convolution wraps. What wraps into the window has a positive weight, and so is on the safe side; what
   leaves it at the top is bounded by Chernoff's bound and added.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.optimize import brentq, isotonic_regression

from robustbench_rs.statistics.differential.score_law import ScoreLaw
from robustbench_rs.statistics.differential.stop_loss import enclosed, stop_loss

STEP = 0.01
"""h, relative to the root of the Fisher information: radii lose h^2 / 12 of themselves."""
LONGEST = 1 << 15
CUT = 1e-22
"""Scores are cut where their mean excess, d times, has fallen to this share of the root of d I (or at LONGEST h)."""
TILTS = (0.4, 1.5, 2.7, 4.0, 5.5, 7.0, 8.5)
"""Standard deviations of S that the tilts move it by."""
WINDOW = 11.0
"""Half of the window, in standard deviations of the tilted sum; whatever it is, what lies above is added."""
LINES = 500
"""Number of tau per tilt."""
FFT_ERROR = 2.0**-50
"""Per doubling of the length: error of an FFT in the l2 norm, relative (Higham 2002, section 24.1: below 7 u each)."""
MULTIPLICATION = 2.0**-51
"""Relative error of a complex multiplication."""
FLAT = 1e-9
"""Scores whose mean is below this share of ``loose`` are not worth a convolution."""
EACH = 2.0**-44
"""Relative error of a mass after tilting: its logarithm is below 200 in size."""
UP = 1.0 + 1e-9
"""More than the rounding of a double sum over two million bins."""


@dataclass(frozen=True)
class Lattice:
    """Masses (2 n + 1,) at the multiples -n h, ..., n h; symmetric, of sum 1 or slightly more."""

    step: float
    mass: np.ndarray

    @property
    def end(self) -> float:
        """The largest point that has mass."""
        return float(np.max(self.points[self.mass > 0]))

    @property
    def points(self) -> np.ndarray:
        n = len(self.mass) // 2
        return self.step * np.arange(-n, n + 1)


@dataclass(frozen=True)
class Tilted:
    """The lattice law times exp(theta s - ``log_moment``): its masses have the sum 1, ``mean`` and ``deviation``."""

    theta: float
    log_moment: float
    mass: np.ndarray
    mean: float
    deviation: float


def sum_excess(law: ScoreLaw, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Slopes tau (K,), ascending, and upper bounds of E(S - tau)_+ there, S without what ``loose`` accounts for."""
    at_zero = dim * _upper(law, 0.0)
    if at_zero <= FLAT * dim * law.loose:
        return np.zeros(1), np.array([at_zero]) * UP
    lattice, cut = _lattice(law, dim)
    root = float(np.sqrt(law.information[1] * dim))
    wanted = [level * root / dim for level in TILTS if level * root < 0.999 * dim * lattice.end]
    tilts = [_tilted_to(lattice, mean, 1 / root) for mean in wanted]
    borders = [0.0, *(dim * (a.mean + b.mean) / 2 for a, b in itertools.pairwise(tilts))]
    furthest = dim * lattice.end
    last = dim * tilts[-1].mean + tilts[-1].deviation * np.sqrt(dim)
    borders.append(furthest if furthest < (TILTS[-1] + 1) * root else last)
    found = [_near(lattice, tilt, dim, borders[i], borders[i + 1]) for i, tilt in enumerate(tilts)]
    tau = np.concatenate([[0.0], *(tau for tau, _ in found)])
    excess = np.concatenate([[at_zero], *(excess * (1 + dim * EACH) + cut for _, excess in found)]) * UP
    order = np.lexsort((excess, tau))
    tau, first = np.unique(tau[order], return_index=True)
    return tau, excess[order][first]


def _lattice(law: ScoreLaw, dim: int) -> tuple[Lattice, float]:
    """A law above that of the score in convex order, and d E(psi - end)_+ of what is cut off."""
    score = stop_loss(law)
    information = law.information[1]
    allowed = CUT * (np.sqrt(information * dim) + dim * score.loose)
    end = float(score.t[int(np.argmax(dim * score.upper <= allowed))])
    step = STEP * float(np.sqrt(information))
    count = int(np.ceil(end / step))
    while count > LONGEST and dim * _upper(law, LONGEST * step) > step**2 * np.sqrt(dim / information) / 30:
        step *= 2  # finer than what is cut off deserves
        count = int(np.ceil(end / step))
    count = max(min(count, LONGEST), 1)
    end = min(end, count * step)
    return _spread(law, end / count, count), dim * _upper(law, end)


def _upper(law: ScoreLaw, t: float) -> float:
    return float(enclosed(law, np.array([t]))[0][0])


def _spread(law: ScoreLaw, step: float, count: int) -> Lattice:
    """Masses from the second differences of C, as large as any convex function below its upper bounds can be.

    C itself is convex, so that the largest convex function below them (isotonic regression of the slopes) is an upper
    bound, too; the last lines make up for rounding in the differences.
    """
    upper, lower = enclosed(law, step * np.arange(count + 1))
    target = np.append((upper - lower[-1])[:-1], 0.0)
    slopes = np.minimum(isotonic_regression(np.diff(target) / step).x, 0.0)
    side = np.diff(slopes, append=0.0)
    hull = step * np.cumsum(-slopes[::-1])[::-1]
    reached = step * np.cumsum(np.cumsum(side[::-1]))[::-1]
    short = np.max(np.divide(hull, reached, out=np.ones(count), where=hull > 0))
    side *= max(float(short), 1.0) * (1 + 1e-11)
    return Lattice(step, np.concatenate([side[::-1], [max(1.0 - 2.0 * float(np.sum(side)), 0.0)], side]))


def _tilted_to(lattice: Lattice, mean: float, start: float) -> Tilted:
    """The tilt that moves the mean of one score to about ``mean``; ``start``: a first guess of theta."""
    high = start
    while _tilted(lattice, high).mean < mean:
        high *= 2
    return _tilted(lattice, brentq(lambda theta: _tilted(lattice, theta).mean - mean, 0.0, high, rtol=1e-3))


def _tilted(lattice: Lattice, theta: float) -> Tilted:
    points = lattice.points
    with np.errstate(divide="ignore"):
        log = np.log(lattice.mass) + theta * points
    log_moment = _log_moment(log)
    mass = np.exp(log - log_moment)
    mean = float(mass @ points)
    return Tilted(theta, log_moment, mass, mean, float(np.sqrt(mass @ np.square(points - mean))))


def _log_moment(log: np.ndarray) -> float:
    top = float(np.max(log))
    return top + float(np.log(np.sum(np.exp(log - top))))


def _near(lattice: Lattice, tilt: Tilted, dim: int, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Lattice points tau between ``low`` and ``high``, and upper bounds of E(S - tau)_+ from one tilt."""
    step, reach = lattice.step, dim * (len(lattice.mass) // 2)
    centre = round(dim * tilt.mean / step)
    half = int(np.ceil(WINDOW * tilt.deviation * np.sqrt(dim) / step)) + len(lattice.mass) // 2
    half = min(half, reach + abs(centre) + 1)
    size = fft.next_fast_len(2 * half + 1, real=True)
    bins, error = _power(tilt.mass, dim, size)
    start = centre - half
    index = start + np.arange(size)
    weighted = bins[index % size] * np.exp(-tilt.theta * step * (index - centre))
    twice = np.cumsum(np.cumsum(weighted[::-1]))[::-1]
    first, last = np.clip(np.ceil(np.array([low, high]) / step).astype(np.int64), max(start, 0), start + size - 2)
    k = np.unique(np.linspace(first, max(min(last, reach), first), LINES).astype(np.int64))
    x = np.exp(-2 * tilt.theta * step)
    noise = error * np.exp(-tilt.theta * step * (k - centre)) * np.sqrt(x * (1 + x) / (1 - x) ** 3)
    scale = np.exp(dim * tilt.log_moment - tilt.theta * step * centre) * step
    above = _beyond(lattice, tilt, dim, start + size) if start + size <= reach else 0.0
    return k * step, scale * (twice[k - start + 1] + noise) + above


def _power(mass: np.ndarray, dim: int, size: int) -> tuple[np.ndarray, float]:
    """The dim-fold circular convolution, bin i for the lattice points i modulo ``size``; its error in the l2 norm."""
    n = len(mass) // 2
    folded = np.bincount(np.arange(-n, n + 1) % size, mass, size)
    base = fft.rfft(folded)
    spectrum, rest = np.ones_like(base), dim
    while rest:
        if rest & 1:
            spectrum *= base
        rest >>= 1
        if rest:
            base *= base
    bins = np.maximum(fft.irfft(spectrum, size), 0.0)
    relative = (dim + 1) * FFT_ERROR * np.log2(2 * size) + 2 * dim * MULTIPLICATION
    return bins, float(2 * relative * (np.linalg.norm(folded) + np.linalg.norm(bins)))


def _beyond(lattice: Lattice, tilt: Tilted, dim: int, top: int) -> float:
    """E[S; S >= top h] <= top h exp(d ln M(theta) - theta top h) for every theta >= 1 / (top h).

    The best theta moves the mean of S to ``top`` h.
    """
    end = lattice.step * top
    best = _tilted_to(lattice, min(end / dim, 0.999 * lattice.end), tilt.theta)
    if best.theta * end < 1:
        best = _tilted(lattice, 1 / end)
    return float(end * np.exp(dim * best.log_moment - best.theta * end))
