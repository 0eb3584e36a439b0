"""As :mod:`bend`, for long shifts of few coordinates: what is far away looks alike at every scale.

With x = r y the shift r v always is the shift v of y; only the scale of the noise changes. Let kappa(r) be linear in r,
rho = kappa(b) / kappa(a) on [a, b]. The second derivative of q(x - r v) - kappa(r) p(x), as densities of y, divided by
kappa p where p pulls it down and by q where q does, is 1/r^2 times

    V = sum of c(z_i) + sum over i != j of w(z_i) w(z_j)                                       under Q, z = x - r v,
    U = sum of [c(x_i) + 2 g_i w(x_i)] + sum over i != j of (w(x_i) + g_i) (w(x_j) + g_j) - g^2 + sum of g_i^2,

with w(z) = 1 - z psi(z), c(z) = z^2 q''/q - 2 z psi(z), and any g_i of sum g = r kappa' / kappa. Where Q is larger than
kappa P, kappa P may be replaced by Q. So H_r(kappa(r)) + M r^2 / 2 is convex on [a, b] with
M = [E(V_-) + sup E_Q(U_+)] / a^2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from robustbench_rs.statistics.coordinate import Coordinate
from robustbench_rs.statistics.tradeoff.account import Group
from robustbench_rs.statistics.tradeoff.bend import NUDGE, ROUNDING

TAILS = np.geomspace(0.1, 1e-60, 900)
MIDDLE = np.concatenate([np.geomspace(1e-9, 0.01, 120), np.linspace(0.01, 0.4, 300)[1:]])
"""Masses beyond, and between 0 and, the edges of cells."""
JUMP = 1e-6
"""Relative change of a score at a point that is taken for a jump."""
FEW = 64
"""Coordinates; for more of them :mod:`bend` is the better one."""
LONGEST = 2.0
"""Largest b / a."""
BEYOND = 1e-18
"""Mass of the noise so far out that it is not looked at."""


class Stretched(NamedTuple):
    """M, and rho = kappa(b) / kappa(a)."""

    bend: float
    ratio: float


UNKNOWN = Stretched(math.inf, 1.0)


@dataclass(frozen=True)
class _Cells:
    """Between ``edges`` (n + 1,) from 0: ranges (n,) of z psi and of z^2 psi'."""

    edges: np.ndarray
    least: np.ndarray
    most: np.ndarray
    slope_least: np.ndarray
    slope_most: np.ndarray

    def curved(self, part: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Ranges of c + 2 ``part`` w = m^2 - 2 (1 + part) m + 2 part - z^2 psi', m = z psi."""
        centre = np.clip(1.0 + part, self.least, self.most)
        ends = [np.square(m) - 2.0 * (1.0 + part) * m for m in (self.least, self.most, centre)]
        least, most = np.minimum.reduce(ends) + 2.0 * part, np.maximum.reduce(ends) + 2.0 * part
        return least - self.slope_most, most - self.slope_least


class _Known(NamedTuple):
    """Cells; E c_- and E w^2, upper bounds."""

    cells: _Cells
    curvature: float
    information: float


class Stretch:
    """The bounds of one law; it must be symmetric, unimodal and without jumps, and state its ``score_slope``."""

    def __init__(self, law: Coordinate) -> None:
        self._law = law

    @cached_property
    def _known(self) -> _Known | None:
        """Made when first asked for: many coordinates, as in l-inf, need none of it."""
        cells = _cells(self._law)
        if cells is None:
            return None
        mass = 2.0 * np.diff(self._law.cdf(cells.edges))
        information = float(mass @ _square(1.0 - cells.most, 1.0 - cells.least))
        return _Known(cells, float(mass @ np.maximum(-cells.curved()[0], 0.0)), information)

    def between(self, shift: Sequence[Group], first: float, last: float) -> Stretched:
        """For shifts of r times ``shift``, ``first`` <= r <= ``last``; M is infinite where no bound is known."""
        count = sum(group.count for group in shift)
        if count > FEW or not 0 < first < last <= LONGEST * first or self._known is None:
            return UNKNOWN
        cells, curvature, information = self._known
        farthest = cells.edges[-1] - max(abs(group.size) for group in shift) * last
        if not self._law.sf(np.array([farthest * first / last]))[0] <= BEYOND:
            return UNKNOWN
        sides = [self._masses(cells.edges, abs(group.size) * first, abs(group.size) * last) for group in shift]
        wanted = [float(mass @ (cells.least + cells.most)) / 2 / float(mass.sum()) - 1.0 for mass in sides]
        growth = math.fsum(group.count * part for group, part in zip(shift, wanted, strict=True))
        ratio = (last / first) ** growth
        # r kappa' / kappa at both ends, monotone in between; each coordinate has its share of it.
        totals = [first * (ratio - 1.0) / (last - first), last * (ratio - 1.0) / (last - first) / ratio]
        shares = [total / growth if growth else 0.0 for total in totals]
        lost = _lost(
            cells, [group.count for group in shift], sides, [[part * share for share in shares] for part in wanted]
        )
        own = count * curvature + math.sqrt(2.0 * (count**2 - count)) / 2 * information
        found = ROUNDING * (own + lost) / first**2
        return Stretched(found, ratio) if math.isfinite(found) else UNKNOWN

    def _masses(self, edges: np.ndarray, first: float, last: float) -> np.ndarray:
        """At least the mass of z + t in each pair of mirrored cells, whatever t in [first, last] (n,)."""
        law, low, high = self._law, edges[:-1], edges[1:]
        at = np.clip((low + high) / 2, first, last)
        return np.asarray(law.cdf(high - at) - law.cdf(low - at) + law.cdf(-low - first) - law.cdf(-high - first))


def _lost(cells: _Cells, counts: Sequence[int], sides: Sequence[np.ndarray], parts: Sequence[Sequence[float]]) -> float:
    """An upper bound of E_Q(U_+) for all g_i between the two of each of ``parts``."""
    squares = [sum(n * part[i] for n, part in zip(counts, parts, strict=True)) ** 2 for i in (0, 1)]
    own = [sum(n * part[i] ** 2 for n, part in zip(counts, parts, strict=True)) for i in (0, 1)]
    offset = max(min(square - each for square, each in zip(squares, own, strict=True)), 0.0) / sum(counts)
    single = mean = means = variance = fourth = 0.0
    for n, mass, ends in zip(counts, sides, parts, strict=True):
        ranges = [(1.0 - cells.most + part, 1.0 - cells.least + part) for part in ends]
        single += n * max(float(mass @ np.maximum(cells.curved(part)[1] - offset, 0.0)) for part in ends)
        size = max(float(mass @ np.maximum(side, 0.0)) for low, high in ranges for side in (high, -low))
        moment = max(float(mass @ _square(low, high)) for low, high in ranges)
        mean, means = mean + n * size, means + n * size**2
        variance, fourth = variance + n * moment, fourth + n * moment**2
    product = mean**2 - means
    spread = 4.0 * mean**2 * variance + 2.0 * (variance**2 - fourth)
    return single + ((product + math.sqrt(product**2 + spread)) / 2 if sum(counts) > 1 else 0.0)


def _cells(law: Coordinate) -> _Cells | None:
    turns = law.score_slope_turns
    if turns is None or law.score_turns is None or not (law.symmetric and law.unimodal and law.continuous):
        return None
    jumps = np.array([turn for turn in law.score_turns if turn > 0])
    with np.errstate(all="ignore"):
        if np.any(np.abs(law.score(jumps * (1 + NUDGE)) - law.score(jumps * (1 - NUDGE))) > JUMP * law.score(jumps)):
            return None
        edges = np.unique(
            np.concatenate([[0.0], law.quantile(0.5 + MIDDLE), -law.quantile(TAILS), jumps, np.abs(turns)])
        )
        edges = edges[np.isfinite(edges) & (edges >= 0)]
        gap = np.diff(edges)
        inside = np.stack([edges[:-1] + NUDGE * gap, edges[1:] - NUDGE * gap])
        score, slope = law.score(inside), law.score_slope(inside)
        squares = np.square(np.stack([edges[:-1], edges[1:]]))
        products = np.stack([x * y for x in squares for y in slope])
        least, most = edges[:-1] * score.min(axis=0), edges[1:] * score.max(axis=0)
        # Next to 0 the score and its slope may have a pole. If the score falls, z psi is at most its integral; if its
        # slope falls in size, z^2 abs(psi') <= 2 z (psi(z/2) - psi(z)), which is at most four times that.
        integral = float(law.log_density(edges[:1])[0] - law.log_density(edges[1:2])[0])
        if score[0, 0] > score[1, 0]:
            most[0] = integral
            if abs(slope[0, 0]) > abs(slope[1, 0]):
                products[:, 0] = np.clip(products[:, 0], -4.0 * integral, 4.0 * integral)
        return _Cells(edges, least, most, products.min(axis=0), products.max(axis=0))


def _square(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The largest square between ``low`` and ``high``."""
    return np.asarray(np.maximum(np.square(low), np.square(high)))
