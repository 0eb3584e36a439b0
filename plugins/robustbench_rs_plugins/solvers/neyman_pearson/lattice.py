"""The radii of a table: 0, 1, 2, ... units, the unit doubling with every octave."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Lattice:
    """``base`` (a power of two), ``levels``: [0, base) and each octave [base 2^k, base 2^(k + 1)) have 2^levels radii.

    All are exact in floating point; two are at most 2^-levels times the larger of ``base`` and the radius apart.
    """

    base: float
    levels: int

    @classmethod
    def fine(cls, base: float, share: float) -> Lattice:
        """With steps of at most ``share`` of the radius."""
        return cls(base, max(math.ceil(-math.log2(share)), 2))

    @property
    def smallest(self) -> float:
        return math.ldexp(self.base, -self.levels)

    def index(self, radius: float) -> int:
        """The place of a lattice radius."""
        octave = max(math.floor(math.log2(radius / self.base)) + 1, 0) if radius > 0 else 0
        return round(radius / self.unit(octave)) + (octave - 1 if octave else 0) * (1 << self.levels)

    def unit(self, octave: int) -> float:
        """Step in octave 0, [0, base), or k, [base 2^(k - 1), base 2^k)."""
        return math.ldexp(self.smallest, max(octave - 1, 0))

    def unit_above(self, radius: float) -> float:
        """Step between ``radius`` and the next one."""
        return self.unit(max(math.floor(math.log2(radius / self.base)) + 1, 0) if radius >= self.base else 0)

    def radius(self, index: np.ndarray) -> np.ndarray:
        """Radii at places (m,)."""
        octave, place = np.divmod(index, 1 << self.levels)
        whole = np.where(octave > 0, (1 << self.levels) + place, place)
        return np.asarray(np.ldexp(self.smallest, np.maximum(octave - 1, 0)) * whole)
