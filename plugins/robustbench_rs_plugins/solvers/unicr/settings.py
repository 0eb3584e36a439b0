"""Parameters of the solver ``unicr``."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from robustbench_rs.api import Params


class UnicrParams(Params):
    """Defaults of the swarm are those of Hong et al. 2022 for the binary setting."""

    draws: int = Field(default=5000, ge=100, le=10_000_000)
    """Noise draws that measure a shift."""
    pilot: int = Field(default=1000, ge=50, le=10_000_000)
    """Noise draws that the search of directions uses; never the ones that measure."""
    particles: int = Field(default=4, ge=1)
    iterations: int = Field(default=3, ge=1)
    inertia: float = Field(default=0.9, ge=0)
    c1: float = Field(default=0.5, ge=0)
    c2: float = Field(default=0.3, ge=0)
    levels: tuple[Annotated[float, Field(gt=0.5, lt=1)], ...] = Field(default=(0.6, 0.9, 0.99), min_length=1)
    """Values of pA that directions are searched for: one swarm each. Fixed, not those of the inputs, so that no
    input's radius depends on which others are certified with it."""
    tolerance: float = Field(default=2e-3, ge=1e-6, le=0.1)
    """Relative width of the bisection's last interval; the radius is its lower end."""
    seed: int = Field(default=0, ge=0)
    sound: bool = False
    """Confirm each tried direction by a Monte-Carlo bound on fresh draws, instead of an estimate."""
    alpha: float = Field(default=1e-4, gt=0, lt=0.5)
    """Failure probability of that bound per input, on top of the one of (pA, pB)."""

    @property
    def steps(self) -> int:
        """Lattice points per octave, a power of two, of a spacing of at most ``tolerance``."""
        return int(max(8, 2 ** math.ceil(math.log2(math.log(2.0) / math.log1p(self.tolerance)))))
