"""Parameters of the solver ``unicr``."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from robustbench_rs.api import Params


class UnicrParams(Params):
    """Defaults of the swarm are those of Hong et al. 2022 for the binary setting.

    ``levels`` are fixed, not those of the inputs, so that no input's radius depends on which others are certified with
    it.
    """

    draws: int = Field(default=5000, ge=100, le=10_000_000, description="noise draws that measure a shift")
    pilot: int = Field(default=1000, ge=50, le=10_000_000, description="other draws, for the search of directions")
    particles: int = Field(default=4, ge=1, description="of each swarm")
    iterations: int = Field(default=3, ge=1, description="of each swarm")
    inertia: float = Field(default=0.9, ge=0, description="of the swarm's velocities")
    c1: float = Field(default=0.5, ge=0, description="pull towards a particle's own best")
    c2: float = Field(default=0.3, ge=0, description="pull towards the swarm's best")
    levels: tuple[Annotated[float, Field(gt=0.5, lt=1)], ...] = Field(
        default=(0.6, 0.9, 0.99), min_length=1, description="values of pA that a swarm each searches for"
    )
    tolerance: float = Field(
        default=2e-3, ge=1e-6, le=0.1, description="relative width of the last interval; the radius is its lower end"
    )
    seed: int = Field(default=0, ge=0, description="of all draws and of the swarms")
    sound: bool = Field(default=False, description="confirm each tried direction by a bound on fresh draws")
    alpha: float = Field(
        default=1e-4, gt=0, lt=0.5, description="failure probability of that bound per input, besides that of (pA, pB)"
    )

    @property
    def steps(self) -> int:
        """Lattice points per octave, a power of two, of a spacing of at most ``tolerance``."""
        return int(max(8, 2 ** math.ceil(math.log2(math.log(2.0) / math.log1p(self.tolerance)))))
