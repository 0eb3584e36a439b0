"""Laws on which norm-radial noise rests: of a vector's norm, and of one coordinate of a point of the sphere."""

from __future__ import annotations

from robustbench_rs.statistics.radial.norm_law import BallNorm, BetaPrimeNorm, GammaNorm, NormLaw
from robustbench_rs.statistics.radial.odd_path import OddPath
from robustbench_rs.statistics.radial.sphere import artanh_from_centre, artanh_from_tail, mean_excess

__all__ = [
    "BallNorm",
    "BetaPrimeNorm",
    "GammaNorm",
    "NormLaw",
    "OddPath",
    "artanh_from_centre",
    "artanh_from_tail",
    "mean_excess",
]
