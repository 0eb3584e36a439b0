"""The solver ``unicr``."""

from __future__ import annotations

from typing import ClassVar, cast

import numpy as np

from robustbench_rs.api import Noise, ProductNoise, Radii, Solver
from robustbench_rs.api.solver import Guarantee, not_added
from robustbench_rs.statistics.rounding import certified, down
from robustbench_rs_plugins.solvers.unicr.measuring import Ball
from robustbench_rs_plugins.solvers.unicr.search import tried_directions
from robustbench_rs_plugins.solvers.unicr.settings import UnicrParams
from robustbench_rs_plugins.solvers.unicr.swarm import MISSING, available


class UnicrSolver(Solver):
    """Two-phase optimisation for any noise with a density and a sampler, in any l_p norm: an estimate.

    Hong et al. 2022, "UniCR: universally approximated certified robustness via randomized smoothing": a particle swarm
    chooses directions, each is scaled until the worst case Q(A) - Q(B) reaches 0. The smallest length over the
    directions tried is, up to the error of simulation, an upper bound of the radius: no certificate.
    """

    name = "unicr"
    strongest: ClassVar[Guarantee] = "estimated"
    effort = 3
    Params = UnicrParams

    def refusal(self, noise: Noise, norm: float, dim: int) -> str | None:
        if not available():
            return MISSING
        if not norm >= 1:
            return f"norms start at 1, not {norm:g}"
        if (problem := noise.problem(dim)) is not None:
            return problem
        if (reason := not_added(noise)) is not None:
            return f"{reason}, and unicr works with shifts of its density"
        if noise.joint_log_density(np.zeros((1, dim))) is None:
            return f"{noise.name} noise states no joint density in {dim} dimensions, and unicr works with its ratios"
        return None

    def budget(self) -> dict[str, float]:
        """What confirming the directions spends, on draws of the solver's own."""
        params = cast(UnicrParams, self.params)
        return {"solver unicr: all directions that it tried, jointly, per norm": params.alpha} if params.sound else {}

    def radii(self, noise: Noise, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> Radii:
        """Estimates, rounded down to ``tolerance``. Raises ``ValueError`` with the text of :meth:`refusal`, and
        :class:`~robustbench_rs.errors.RunError` when the density and the sampler of the noise contradict each other."""
        if (refusal := self.refusal(noise, norm, dim)) is not None:
            raise ValueError(refusal)
        params = cast(UnicrParams, self.params)
        limits = np.stack([np.asarray(p_lower, dtype=np.float64), np.asarray(p_upper, dtype=np.float64)], axis=1)
        pairs, where = np.unique(limits, axis=0, return_inverse=True)
        solvable = pairs[:, 0] > pairs[:, 1]
        radius = np.zeros(len(pairs))
        directions: list[np.ndarray] = []
        if np.any(solvable):
            directions = tried_directions(noise, norm, dim, params, self.tables)
            ball = Ball(noise, norm, params, directions, *pairs[solvable].T)
            scan = not _monotone_along_rays(noise)
            index = ball.confirmed(scan) if params.sound else ball.estimated(scan)
            radius[solvable] = down(ball.lattice.scale(index))
        found = certified(radius[where.reshape(-1)], limits[:, 0], limits[:, 1])
        return Radii(found, "estimated", None, _details(params, len(directions), noise))


def _monotone_along_rays(noise: Noise) -> bool:
    """Proved for independent, symmetric, unimodal coordinates: what is certified at a scale is so at smaller ones."""
    return isinstance(noise, ProductNoise) and noise.symmetric and noise.unimodal


def _details(params: UnicrParams, directions: int, noise: Noise) -> dict[str, object]:
    details: dict[str, object] = {
        "source": "Hong et al. 2022, two-phase optimisation",
        "directions": directions,
        "draws": params.draws,
        "tolerance": params.tolerance,
        "seed": params.seed,
        "sound": params.sound,
    }
    if not params.sound:
        return {**details, "meaning": "Monte-Carlo estimate of the smallest radius over the directions tried"}
    rays = "and so is every shorter shift in them" if _monotone_along_rays(noise) else "for shifts of this length"
    return {
        **details,
        "alpha": params.alpha,
        "meaning": (
            f"each of the {directions} directions tried is certified at this radius, {rays}, with probability at least "
            f"1 - {params.alpha:g} per input over the solver's draws, besides the failure probability of (pA, pB); "
            "nothing is known about other directions"
        ),
    }
