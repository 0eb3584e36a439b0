"""A law on the lattice that is less informative than a given one: for values that a radius is known not to exceed.

With r = e^L, H(x) = E_P[(x - r)_+] is convex and determines the law. A lattice law has an H that is linear between
lattice points; it is less informative when it lies below. So the values of H at the lattice points are lowered until
all chords lie below H, and the lower convex envelope of what results is the new H. Its kinks are the new masses.

Losses above 0 are treated with the roles of P and Q exchanged (x becomes 1 / x), where nothing cancels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

ROUNDS = 60
ROUNDING = 1e-14
PASSES = 30
"""Over all points at once; what is left then is scanned."""


@dataclass(frozen=True)
class Half:
    """Lattice points from the outermost to L = 0: ``x`` ascending to 1, ``mass`` there, ``inner`` between them.

    ``excess``: how far a chord of H rises above H between two points, at most, as a share of their distance.
    """

    x: np.ndarray
    mass: np.ndarray
    inner: np.ndarray
    excess: np.ndarray

    @property
    def width(self) -> np.ndarray:
        return np.diff(self.x)

    def drops(self) -> np.ndarray:
        """How far H must be lowered at each point.

        What the chord on an interval exceeds H by suffices at both ends. No point is lowered below 0. Where the outer
        end is lowered by less than that, say by d, the inner end must be by d + c w, where w is the width and c the
        mass in the interval (then the chord stays below the tangent at the outer end), or to 0 (as H never falls).
        """
        excess, most = self.excess * self.width, self.inner * self.width
        drop: np.ndarray = np.zeros(len(self.x))
        drop[:-1] = excess
        drop[1:] = np.maximum(drop[1:], excess)
        while True:
            drop = np.minimum(drop, self.height)
            short = drop[:-1] < excess
            inner = np.minimum(np.where(short, drop[:-1] + most, 0.0), self.height[1:])
            if np.all(drop[1:] >= inner):
                return drop
            drop[1:] = np.maximum(drop[1:], inner)

    @cached_property
    def height(self) -> np.ndarray:
        """H at the points, from their masses: nothing lies below the outermost one."""
        before = np.cumsum(self.mass)[:-1]
        return np.concatenate([[0.0], np.cumsum(before * self.width)])

    def envelope(self, drop: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Points of the lower convex envelope of H - ``drop``, their new masses, and the slope of the lowered part at
        L = 0."""
        corners = _lower_hull(self.x, self.height - drop)
        mass = self._moved(corners)
        slope = np.concatenate([[0.0], np.diff(drop[corners]) / np.diff(self.x[corners])])
        mass[:-1] -= np.diff(slope)
        return corners, mass, float(slope[-1])

    def _moved(self, corners: np.ndarray) -> np.ndarray:
        """Mass of points that are no corners, shared by the two corners around, keeping the mean."""
        right = np.searchsorted(corners, np.arange(len(self.x)))
        left = np.where(corners[right] == np.arange(len(self.x)), right, right - 1)
        span = self.x[corners[right]] - self.x[corners[left]]
        up = np.where(span > 0, (self.x - self.x[corners[left]]) / np.where(span > 0, span, 1.0), 0.0)
        size = len(corners)
        moved: np.ndarray = np.bincount(left, self.mass * (1 - up), size) + np.bincount(right, self.mass * up, size)
        return moved


def largest_excess(interval: np.ndarray, place: np.ndarray, mass: np.ndarray, size: int) -> np.ndarray:
    """:attr:`Half.excess` of ``size`` intervals. Their atoms, sorted: the ``interval`` of each, its ``place`` there
    from 0 to 1, its ``mass`` (n,).

    In an interval of width 1 the chord exceeds H at u by (1 - u) sum_{v <= u} m v + u sum_{v > u} m (1 - v): most at
    one of the atoms, and never by more than a quarter of the mass.
    """
    found = np.bincount(interval, mass, size) / 4
    if not len(interval):
        return found
    starts = np.flatnonzero(np.diff(interval, prepend=-1))
    owner = np.cumsum(np.diff(interval, prepend=-1) > 0) - 1
    left, right = mass * place, mass * (1.0 - place)
    before, after = np.cumsum(left), np.cumsum(right)
    before = before - (before - left)[starts][owner]
    after = np.append((after - right)[starts[1:]], after[-1])[owner] - after
    rounding = 4 * len(mass) * 2.0**-53 * float(np.sum(mass))
    most = np.maximum.reduceat((1.0 - place) * before + place * after, starts) + rounding
    found[interval[starts]] = np.minimum(found[interval[starts]], most)
    return found


def garbled(lower: Half, upper: Half) -> tuple[np.ndarray, np.ndarray, float]:
    """New masses at the points of both halves (P-mass below, Q-mass above; at L = 0 both are the same number, given in
    both), and a bound of the mass that rounding made up.

    The mass at L = 0 stands in both halves when it is handed in, too.
    """
    drops = [lower.drops(), upper.drops()]
    centre, most = max(drops[0][-1], drops[1][-1]), min(lower.height[-1], upper.height[-1])
    if centre > most + ROUNDING:  # hardly any finite loss on one side: no law is found, and none is claimed
        return lower.mass, upper.mass, 1.0
    for _ in range(ROUNDS):
        sides = []
        for half, drop in zip((lower, upper), drops, strict=True):
            drop[-1] = centre
            sides.append(half.envelope(drop))
        moved = sum(mass[-1] for _, mass, _ in sides) - lower.mass[-1]
        kink = moved - (centre - sides[0][2] - sides[1][2])
        if kink >= 0:
            break
        gaps = [half.x[-1] - half.x[corners[-2]] for half, (corners, _, _) in zip((lower, upper), sides, strict=True)]
        centre = min(centre - 1.01 * kink / (1 / gaps[0] + 1 / gaps[1] - 1), most)
    made_up = max(-kink, 0.0)
    found = []
    for half, (corners, mass, _) in zip((lower, upper), sides, strict=True):
        new = np.zeros(len(half.x))
        made_up += math.fsum(np.maximum(-mass[:-1], 0.0))
        new[corners[:-1]] = np.maximum(mass[:-1], 0.0)
        new[-1] = max(kink, 0.0)
        found.append(new)
    return found[0], found[1], made_up


def _lower_hull(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Indices of the corners of the lower convex hull of points with ascending ``x``, first and last included."""
    kept = np.arange(len(x))
    for _ in range(PASSES):  # a point on or above the line through its neighbours is none, whether they are or not
        rise, run = np.diff(y[kept]), np.diff(x[kept])
        corner = rise[:-1] * run[1:] < rise[1:] * run[:-1]
        if np.all(corner):
            return kept
        kept = kept[np.concatenate([[True], corner, [True]])]
    return kept[_scanned(x[kept].tolist(), y[kept].tolist())]


def _scanned(xs: list[float], ys: list[float]) -> list[int]:
    """The same, point by point."""
    hull = [0]
    for i in range(1, len(xs)):
        while len(hull) > 1:
            a, b = hull[-2], hull[-1]
            if (ys[b] - ys[a]) * (xs[i] - xs[b]) < (ys[i] - ys[b]) * (xs[b] - xs[a]):
                break
            hull.pop()
        hull.append(i)
    return hull
