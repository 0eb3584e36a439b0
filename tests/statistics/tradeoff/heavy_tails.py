"""Laws whose tails fall like powers."""

from __future__ import annotations

from robustbench_rs.api import NoiseParams, ProductNoise
from robustbench_rs_plugins.noises.cauchy import Cauchy
from robustbench_rs_plugins.noises.pareto import Pareto
from robustbench_rs_plugins.noises.student_t import StudentT

HEAVY_TAILS: dict[str, ProductNoise] = {
    "cauchy": Cauchy(NoiseParams(scale=1.0)),
    "student-t": StudentT(StudentT.Params(scale=1.0, df=3)),
    "pareto-0.5": Pareto(Pareto.Params(scale=1.0, a=0.5)),
    "pareto-3": Pareto(Pareto.Params(scale=1.0, a=3)),
}
