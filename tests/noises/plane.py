"""Brute force in two dimensions: the exact certificate of a shift, from a density on a fine grid.

Every cell is one atom, its masses the density at its midpoint times its area, so that the value errs by the square of
the cell's width; nothing here knows a closed form or a trade-off function.
"""

from __future__ import annotations

import numpy as np
from neyman_pearson import Atoms

from robustbench_rs.api import RadialNoise


def atoms(noise: RadialNoise, shift: np.ndarray, extent: float, cells: int = 300) -> Atoms:
    """Masses under the noise and under the shifted noise on the square [-extent, extent]^2 about both centres."""
    edges = np.linspace(-extent, extent, cells + 1)
    x = (edges[:-1] + edges[1:]) / 2
    points = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    with np.errstate(divide="ignore"):
        p, q = (np.exp(noise.joint_log_density(points + side * shift / 2)) for side in (1, -1))
    return Atoms(*(np.where(mass < 1e-200, 0.0, mass / mass.sum()) for mass in (p, q)))
