"""The differential method for i.i.d. symmetric noise (Yang et al. 2020): l1 (one coordinate) and l-inf (all of them).

The supremum of E[1_U v . score] over the ball of v is that of a convex function, so that it is reached at a vertex; by
symmetry of the noise all vertices are alike: v = e_1 for l1, v = (1, ..., 1) for l-inf. Phi(p) is then at most
p tau + E(S - tau)_+ for every tau, S the score of one coordinate or the sum of all.
"""

from __future__ import annotations

from robustbench_rs.statistics.differential.score_law import ScoreLaw
from robustbench_rs.statistics.differential.score_sum import sum_excess
from robustbench_rs.statistics.differential.stop_loss import stop_loss
from robustbench_rs.statistics.differential.tangents import TangentBound


def l1_bound(law: ScoreLaw) -> TangentBound:
    """The upper bound of Phi on [0, 1/2] for shifts in l1, in units of the scale; the dimension does not matter."""
    score = stop_loss(law)
    return TangentBound(score.t, score.upper + score.loose)


def linf_bound(law: ScoreLaw, dim: int) -> TangentBound:
    """The upper bound of Phi on [0, 1/2] for shifts in l-inf, in units of the scale."""
    if dim == 1:
        return l1_bound(law)
    tau, excess = sum_excess(law, dim)
    return TangentBound(tau, excess + dim * law.loose * (1 + 1e-12))
