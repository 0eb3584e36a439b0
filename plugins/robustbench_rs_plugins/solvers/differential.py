"""The differential method of Yang et al. 2020, for i.i.d. noise in l1 and l-inf and for norm-radial noise."""

from __future__ import annotations

import math

import numpy as np

from robustbench_rs.api import Noise, ProductNoise, RadialNoise, Radii, Solver, hookimpl
from robustbench_rs.api.solver import not_added
from robustbench_rs.statistics.differential.fingerprint import fingerprint
from robustbench_rs.statistics.differential.half_space import half_space_upper
from robustbench_rs.statistics.differential.product import l1_bound, linf_bound
from robustbench_rs.statistics.differential.radial import radial_radii, radial_refusal
from robustbench_rs.statistics.differential.score_law import score_law, score_refusal
from robustbench_rs.statistics.differential.tangents import TangentBound
from robustbench_rs.statistics.rounding import certified, down, up

SOURCE = "differential method (Yang et al. 2020)"


class DifferentialSolver(Solver):
    """R = integral of dp / Phi(p) from 1 - pA to 1/2: covers all directions at once; a lower bound, rarely tight."""

    name = "differential"

    def refusal(self, noise: Noise, norm: float, dim: int) -> str | None:
        if isinstance(noise, RadialNoise):
            return radial_refusal(noise, norm, dim)
        if (reason := not_added(noise)) is not None:
            return f"{reason}, and the method is about shifts of its density"
        if not isinstance(noise, ProductNoise):
            return f"it needs independent coordinates or a norm-radial law, and {noise.name} noise has neither"
        if norm not in (1, math.inf):
            return "for independent coordinates it is about l1 and l-inf; see l2-differential for l2"
        if (problem := noise.problem(dim)) is not None:
            return problem
        reason = score_refusal(noise)
        return None if reason is None else f"nothing can be proved of the score of {noise.name} noise: {reason}"

    def radii(self, noise: Noise, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> Radii:
        """Raises ``ValueError`` with the text of :meth:`refusal`, or when the noise contradicts its own claims."""
        reason = self.refusal(noise, norm, dim)
        if reason is not None:
            raise ValueError(reason)
        limit = np.minimum(p_upper, 1.0 - p_lower)
        if isinstance(noise, RadialNoise):
            radius = radial_radii(noise, norm, dim, p_lower, limit)
            return Radii(certified(radius, p_lower, p_upper), "proved", None, {"source": SOURCE})
        if not isinstance(noise, ProductNoise):
            raise ValueError(f"no radius for {noise.name} noise")
        radius = down(noise.scale * self._bound(noise, norm, dim).radii(p_lower, limit))
        upper = up(noise.scale * half_space_upper(noise, p_lower, p_upper))
        return Radii(certified(radius, p_lower, p_upper), "proved", upper, {"source": SOURCE})

    def _bound(self, noise: ProductNoise, norm: float, dim: int) -> TangentBound:
        """The bound of Phi for the standard variable; in l1 the same for every dimension."""
        coordinates = 1 if norm == 1 else dim
        key = f"differential-{coordinates}-{fingerprint(noise)}"
        saved = self.tables.load(key)
        if saved is not None:
            return TangentBound(saved["slopes"], saved["heights"])
        law = score_law(noise)
        bound = l1_bound(law) if coordinates == 1 else linf_bound(law, dim)
        self.tables.save(key, {"slopes": bound.slopes, "heights": bound.heights})
        return bound


@hookimpl
def robustbench_rs_solvers() -> list[type[Solver]]:
    return [DifferentialSolver]
