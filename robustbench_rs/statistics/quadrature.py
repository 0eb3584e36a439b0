"""Integrals of a density that is known only as a function: adaptive Gauss-Legendre panels with an error estimate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Density = Callable[[np.ndarray], np.ndarray]

RELATIVE = 1e-13
"""A panel is done when 16 nodes and twice 16 nodes agree to this share of its own mass ..."""
NEGLIGIBLE = 1e-22
"""... or to this share of the whole mass ..."""
NOISE = 1e-8
"""... or to this share of its own mass when halving no longer helps (a jump, or rounding noise in the density)."""
MAX_PANELS = 20_000

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


@dataclass(frozen=True)
class Panels:
    """Adjacent intervals: ``edges`` (K + 1,) ascending, ``mass`` (K,), ``error`` (K,) a bound of the mass's error."""

    edges: np.ndarray
    mass: np.ndarray
    error: np.ndarray


def gauss(f: Density, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Integrals of ``f`` from ``a`` to ``b``, (m,) each, by 16-point Gauss-Legendre."""
    half = (b - a) / 2
    values: np.ndarray = f(((a + b) / 2)[..., np.newaxis] + half[..., np.newaxis] * _NODES) @ _WEIGHTS * half
    return values


def integrate(f: Density, edges: np.ndarray) -> Panels:
    """Panels over [edges[0], edges[-1]], refined until each is done.

    The stored error is the difference of two resolutions; the mass is that of the finer one, whose own error is much
    smaller wherever ``f`` is smooth. Raises ``ValueError`` when ``f`` changes too quickly to be integrated.
    """
    a, b = edges[:-1], edges[1:]
    coarse, before, total = gauss(f, a, b), np.full(len(a), math.inf), 0.0
    done: list[np.ndarray] = []
    while len(a):
        if len(a) > MAX_PANELS:
            raise ValueError(
                f"the density cannot be integrated numerically: it changes too quickly near z = {a[0]:.6g}"
            )
        middle = (a + b) / 2
        left, right = gauss(f, a, middle), gauss(f, middle, b)
        fine = left + right
        if not np.all(np.isfinite(fine)):
            raise ValueError(
                f"the density cannot be normalised: it is too large near z = {a[~np.isfinite(fine)][0]:.6g}"
            )
        error = np.abs(fine - coarse)
        whole = total + math.fsum(fine)
        stuck = (error > before / 3) & (error <= NOISE * fine) | (middle <= a) | (middle >= b)
        ready = (error <= RELATIVE * fine) | (error <= NEGLIGIBLE * whole) | stuck
        done.append(np.stack([a[ready], b[ready], fine[ready], error[ready]]))
        total += math.fsum(fine[ready])
        more = ~ready
        a, b = np.concatenate([a[more], middle[more]]), np.concatenate([middle[more], b[more]])
        coarse, before = np.concatenate([left[more], right[more]]), np.tile(error[more], 2)
    table = np.concatenate(done, axis=1)
    table = table[:, np.argsort(table[0], kind="stable")]
    return Panels(np.append(table[0], table[1, -1]), table[2], table[3])
