"""W = v . grad |u|_q for a point u of the cone measure: how fast a shift along v changes a norm-radial density.

Only its mean excess K(t) = E(W - t)_+ is needed, t >= 0. It is convex, so that the chords between exact values are an
upper bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc

from robustbench_rs.statistics.radial.sphere import artanh_from_tail, mean_excess

UP = 1.0 + 1e-12
"""What the special functions below err by less than, relative."""
POINTS = 4000
DEEPEST = 1e-30
SATURATED = 19.0
"""tanh is 1 in float64 from here on."""
SPREAD = 15.0


@dataclass(frozen=True, eq=False)
class Cosine:
    """``points`` (m,) ascending from 0 to the largest value of W, ``excess`` (m,) upper bounds of K there, the last 0.

    ``kinks``: where K is not smooth, as far as these are few.
    """

    points: np.ndarray
    excess: np.ndarray
    kinks: np.ndarray

    def __call__(self, t: np.ndarray) -> np.ndarray:
        """An upper bound of K(t), any shape, t >= 0."""
        return np.asarray(np.interp(t, self.points, self.excess))


def vertex(ball: float, norm: float, dim: int) -> Cosine | None:
    """W for the vertex v of the l_norm unit ball that is worst for a density in |x|_ball; None where none is known.

    The supremum over v is that of a convex function, so that it is reached at an extreme point, and all of these are
    alike: e_1 in l1, (1, ..., 1) in l-inf, any unit vector in l2 when the density is rotationally invariant.
    ball = inf: grad is sign(x_i) e_i at the largest coordinate; ball = 1: the signs; ball = 2: u itself, and the l2
    length of v is at most dim^(1/2 - 1/norm).
    """
    if dim == 1:
        return _coin(0.5)
    if ball == 2:
        return _sphere(dim, dim ** (0.5 - (0.0 if math.isinf(norm) else 1.0 / norm)) if norm > 2 else 1.0)
    if math.isinf(ball) and norm == 1:
        return _coin(0.5 / dim)
    if ball == 1 and math.isinf(norm):
        return _signs(dim)
    return _coin(0.5) if norm in (1, math.inf) else None


def _coin(share: float) -> Cosine:
    """W = 1 and W = -1 with probability ``share`` each, else 0."""
    return Cosine(np.array([0.0, 1.0]), np.array([share * UP, 0.0]), np.array([1.0]))


def _sphere(dim: int, length: float) -> Cosine:
    """``length`` times a coordinate of a uniform point on the unit sphere, tabulated."""
    v = np.linspace(0.0, min(float(artanh_from_tail(np.array(DEEPEST), dim)), SATURATED), POINTS)
    exact = mean_excess(v, dim) * UP
    t = np.tanh(v) * (1.0 + 1e-15)  # never below the point at which K was computed: K falls
    keep = np.append(np.diff(t) > 0, True) & (t < 1.0)
    return Cosine(length * np.append(t[keep], 1.0), length * np.append(exact[keep], 0.0), np.array([]))


def _signs(dim: int) -> Cosine:
    """The sum of ``dim`` random signs. K is linear between its values w = dim, dim - 2, ..., with slope -P(W > w).

    Beyond 15 standard deviations by the chord to w = dim, where K is 0.
    """
    last = min(dim, dim % 2 + 2 * math.ceil(SPREAD * math.sqrt(dim) / 2))
    w = np.arange(dim % 2, last + 1, 2, dtype=np.float64)
    above = betainc((dim + w) / 2, (dim - w) / 2 + 1, 0.5)  # P(W >= w)
    rest = (dim - last) * above[-1]
    excess = rest + np.append(np.cumsum((2 * above[1:])[::-1])[::-1], 0.0)
    if dim % 2:
        w, excess = np.append(0.0, w), np.append(excess[0] + above[0], excess)
    if last < dim:
        w, excess = np.append(w, dim), np.append(excess, 0.0)
    return Cosine(w, excess * UP, w[1:] if dim <= 16 else np.array([]))
