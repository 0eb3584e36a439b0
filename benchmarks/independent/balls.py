"""What is left of a class after a shift of noise whose density depends on one norm of the vector.

A shift delta, of norm s, is seen in two numbers, a = |z| and b = |z - delta|, or in their mean c and their difference
b - a = s u with u in [-1, 1]. Exchanging a and b turns the noise into the shifted noise and u into -u. So cells of
(c, u) have masses P_ij under the noise and Q_ij = P_i(-j) under the shifted noise. In the order of their likelihood
ratios they make nested regions, which are explicit classifiers, as in :mod:`independent.product`.

- l2: (c, u) are spheroidal coordinates, with an explicit element of volume; Gauss-Legendre quadrature in both.
- l-inf: given a, the point lies on one of 2 d faces, and {b <= a + s u} cuts a box out of each. Quadrature in c, with u
  as constant on a cell: an error of second order in its width.
- l1: no such formula; by simulation (:mod:`independent.simulation`).
- one dimension: a product law.

How far the masses are off was measured by refining the cells: less than ``ERROR`` of the noise's ball (tests/solvers).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import betainc

from independent import product
from independent.product import Region
from independent.radial import Radial

ERROR = {2.0: 1e-5, math.inf: 1e-3}
"""By ball: l2 by quadrature alone, l-inf also by taking u as constant on cells."""
CELLS = 120
JUMP = 1e-7
"""Half the width of the cells of u about values that a whole face has."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(3)


def region(noise: Radial, shift: np.ndarray, *, cells: int = CELLS) -> Region:
    """Nested regions for a ``shift`` (dim,), in units of z, in two dimensions or more; l2 and l-inf only."""
    if noise.flat:
        return _overlap(float(np.linalg.norm(shift)), noise.dim)
    size = float(np.linalg.norm(shift, ord=noise.ball))
    p = _spheroids(noise, size, cells) if noise.ball == 2 else _boxes(noise, np.abs(shift), cells)
    p, q = p.ravel(), p[:, ::-1].ravel()
    with np.errstate(divide="ignore", invalid="ignore"):
        order = np.argsort(np.nan_to_num(np.log(q) - np.log(p), nan=0.0))
    kept_p, kept_q = (np.append(0.0, np.cumsum(mass[order])) for mass in (p, q))
    return Region(kept_p, kept_q, ERROR[noise.ball])


def _means(noise: Radial, size: float, count: int) -> np.ndarray:
    """Edges of the cells of c: those of the law of a, and finer ones where c is about the size of the shift."""
    edges = noise.edges(count)
    close = size * np.array([0.5, 0.501, 0.505, 0.51, 0.52, 0.54, 0.57, 0.6, 0.65, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0])
    every = np.unique(np.concatenate([edges, edges + size / 2, close]))
    return np.asarray(every[every <= edges[-1] + size / 2])


def _nodes(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, nodes) in each cell, and their weights."""
    half = np.diff(edges)[:, None] / 2
    return edges[:-1, None] + half + half * _NODES, half * _WEIGHTS


def _spheroids(noise: Radial, size: float, cells: int) -> np.ndarray:
    """c = s/2 cosh(v), u = cos(t): a volume of (cosh^2 v - cos^2 t) (sinh(v) sin(t))^(d-2) dv dt, up to a constant."""
    means = _means(noise, size, cells)
    v, dv = _nodes(np.arccosh(np.maximum(means[means >= size / 2] * 2 / size, 1.0)))
    angles = np.append(np.geomspace(1e-9, math.pi / cells, cells // 3), np.linspace(0.0, math.pi / 2, cells // 2 + 1))
    t, dt = _nodes(np.unique(np.append(angles, math.pi - angles)))
    cosh, cos = np.cosh(v).ravel()[:, None], np.cos(t).ravel()
    with np.errstate(divide="ignore"):
        log = np.log(np.sinh(v).ravel()[:, None] * np.sin(t).ravel()) * (noise.dim - 2) + np.log(cosh**2 - cos**2)
    log += noise.log_density(size / 2 * (cosh - cos))
    mass = np.exp(log - log.max()).reshape(*v.shape, *t.shape)
    found = np.einsum("injm,in,jm->ij", mass, dv, dt, optimize=True)
    return np.asarray(found / found.sum())


def _boxes(noise: Radial, shift: np.ndarray, cells: int) -> np.ndarray:
    """Cells of (c, u), and below them one row for each coordinate that moves, in which c is half its move."""
    size, moves = float(shift.max()), shift[shift > 0]
    c, dc = _nodes(np.union1d(_means(noise, size, cells), moves / 2))
    jumps = np.unique(shift) / size
    u = np.append(np.linspace(0.0, 1.0, cells // 4 + 1), 1.0 - np.geomspace(2 * JUMP, 4.0 / cells, cells // 5))
    u = np.concatenate([u[np.abs(u[:, None] - jumps).min(axis=1) > JUMP], jumps - JUMP, jumps + JUMP])
    u = np.unique(np.concatenate([-u, u]))
    a = c.ravel()[:, None] - size / 4 * (u[:-1] + u[1:])
    part = _inside(a, c.ravel(), size * u[1:], shift) - _inside(a, c.ravel(), size * u[:-1], shift)
    part = np.maximum(part, 0.0) * _sphere(noise, a)
    found = np.einsum("inj,in->ij", part.reshape(*c.shape, -1), dc)
    rows = [_between(noise, shift, i, len(u)) for i in np.flatnonzero(shift).tolist()]
    found = np.concatenate([found, *rows])
    return np.asarray(found / found.sum())


def _sphere(noise: Radial, a: np.ndarray) -> np.ndarray:
    """Density of a, up to the same constant for all."""
    centre = float(noise.edges(3)[1])
    with np.errstate(all="ignore"):
        log = noise.log_density(a) - noise.log_density(np.array(centre)) + (noise.dim - 1) * np.log(a / centre)
    return np.where(a > 0, np.exp(log), 0.0)


def _inside(a: np.ndarray, c: np.ndarray, further: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """P(b <= a + ``further`` given a), without its jumps in :func:`_between`; ``a`` is (n, m), the others 1-d.


    A uniform point on the faces of a cube of radius a: the face of a coordinate that moves by s belongs to it from
    b = a - s on where a >= s, the opposite one from a + s on; else the nearer one from b = s - a on, that is c = s / 2.
    """
    b = a + further
    total = np.zeros(b.shape)
    for i, s in enumerate(shift):
        near = np.where(a >= s, -s <= further, 2 * c[:, None] >= s)
        total += (near * 1.0 + (s <= further)) * _other_sides(a, b, shift, i)
    return total / (2 * len(shift))


def _other_sides(a: np.ndarray, b: np.ndarray, shift: np.ndarray, i: int) -> np.ndarray:
    """Share of a face of coordinate ``i`` that lies in the cube of radius b about the shift."""
    share = np.ones(a.shape)
    with np.errstate(all="ignore"):
        for s in np.delete(shift, i):
            share *= np.clip((np.minimum(a, s + b) - np.maximum(-a, s - b)) / (2 * a), 0.0, 1.0)
    return np.where(a > 0, share, 0.0)


def _between(noise: Radial, shift: np.ndarray, i: int, edges: int) -> np.ndarray:
    """Masses (1, edges - 1) of the points with a = z_i and b = shift_i - z_i, cells of u in ascending order."""
    s = float(shift[i])
    a, da = _nodes(s / 2 * (1.0 + np.cos(np.linspace(math.pi, 0.0, edges))))
    share = _other_sides(a, s - a, shift, i) * _sphere(noise, a) / (2 * len(shift))
    return np.asarray((share * da).sum(axis=1)[None, ::-1])


def _overlap(size: float, dim: int) -> Region:
    """The uniform law: what of the ball is left after the shift has ratio 1; what is lost comes first."""
    lost = float(betainc(0.5, (dim + 1) / 2, min((size / 2) ** 2, 1.0)))
    return Region(np.array([0.0, lost, 1.0]), np.array([0.0, 0.0, 1.0 - lost]), product.ERROR)
