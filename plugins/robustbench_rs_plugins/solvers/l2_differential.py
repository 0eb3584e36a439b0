"""Proved l2 radii of i.i.d. noise, free of the dimension: the differential method with four bounds of Phi."""

from __future__ import annotations

import math

import numpy as np

from robustbench_rs.api import Noise, ProductNoise, Radii, Solver, hookimpl
from robustbench_rs.api.solver import not_added
from robustbench_rs.statistics.differential.fingerprint import fingerprint
from robustbench_rs.statistics.differential.half_space import half_space_upper
from robustbench_rs.statistics.differential.l2 import L2Constants, l2_bound, l2_constants
from robustbench_rs.statistics.differential.score_law import score_law, score_refusal
from robustbench_rs.statistics.rounding import certified, down, up


class L2DifferentialSolver(Solver):
    """Independent symmetric coordinates in l2, any dimension: Cauchy-Schwarz, convex orders, and clipped scores.

    Yang et al. 2020's method, R = integral of dp / B(p) from 1 - pA to 1/2, with B(p) the smallest of four proved upper
    bounds of their Phi(p). Exact for Gaussian noise only.
    """

    name = "l2-differential"

    def refusal(self, noise: Noise, norm: float, dim: int) -> str | None:
        if (reason := not_added(noise)) is not None:
            return f"{reason}, and the method is about shifts of its density"
        if not isinstance(noise, ProductNoise):
            return f"it needs independent coordinates, which {noise.name} noise has not"
        if norm != 2:
            return "it is about l2 only; what that implies for other norms, `auto` works out"
        if (problem := noise.problem(dim)) is not None:
            return problem
        if (reason := score_refusal(noise)) is not None:
            return f"nothing can be proved of the score of {noise.name} noise: {reason}"
        if not noise.log_concave and noise.fisher_information == math.inf:
            return f"the Fisher information of {noise.name} noise is infinite: no bound in l2 is known"
        return None

    def radii(self, noise: Noise, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> Radii:
        """Raises ``ValueError`` with the text of :meth:`refusal`, or when the noise contradicts its own claims."""
        reason = self.refusal(noise, norm, dim)
        if reason is not None or not isinstance(noise, ProductNoise):
            raise ValueError(reason)
        constants = self._constants(noise)
        limit = np.minimum(p_upper, 1.0 - p_lower)
        radius = down(noise.scale * l2_bound(constants, dim).radii(p_lower, limit))
        details: dict[str, object] = {
            "source": "differential method (Yang et al. 2020) with proved bounds of Phi",
            "fisher_information": constants.information,
            "gaussian_order": float(constants.clips[-1]),
            "third_order": constants.third,
            "jump": constants.loose,
        }
        upper = up(noise.scale * half_space_upper(noise, p_lower, p_upper))
        return Radii(certified(radius, p_lower, p_upper), "proved", upper, details)

    def _constants(self, noise: ProductNoise) -> L2Constants:
        """Of the standard variable; the same for every scale and dimension."""
        key = f"l2-differential-{fingerprint(noise)}"
        saved = self.tables.load(key)
        if saved is None:
            made = l2_constants(score_law(noise))
            third = math.nan if made.third is None else made.third
            saved = {"clips": made.clips, "remainders": made.remainders}
            saved["numbers"] = np.array([made.information, third, made.loose])
            self.tables.save(key, saved)
        information, third, loose = saved["numbers"].tolist()
        return L2Constants(
            information, saved["clips"], saved["remainders"], None if math.isnan(third) else third, loose
        )


@hookimpl
def robustbench_rs_solvers() -> list[type[Solver]]:
    return [L2DifferentialSolver]
