"""Every product family at ordinary and at extreme parameters."""

from __future__ import annotations

from dataclasses import dataclass

from robustbench_rs.api import ProductNoise
from robustbench_rs_plugins.noises.cauchy import Cauchy
from robustbench_rs_plugins.noises.exponential_mix import ExponentialMix
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.gaussian_laplace_mixture import GaussianLaplaceMixture
from robustbench_rs_plugins.noises.generalized_normal import GeneralizedNormal
from robustbench_rs_plugins.noises.hyperbolic_secant import HyperbolicSecant
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.logistic import Logistic
from robustbench_rs_plugins.noises.pareto import Pareto
from robustbench_rs_plugins.noises.student_t import StudentT
from robustbench_rs_plugins.noises.triangular import Triangular
from robustbench_rs_plugins.noises.uniform import Uniform


@dataclass(frozen=True)
class Example:
    """A family, and the value of its shape parameter where it has one."""

    family: type[ProductNoise]
    key: str | None = None
    shape: float | None = None

    def __str__(self) -> str:
        return self.family.name + ("" if self.key is None else f"-{self.key}-{self.shape:g}")

    def make(self, scale: float | None = 1.0, sigma: float | None = None) -> ProductNoise:
        fields: dict[str, float | None] = {"scale": None if sigma is not None else scale, "sigma": sigma}
        if self.key is not None:
            fields[self.key] = self.shape
        return self.family(self.family.Params.model_validate(fields))


PLAIN = [Example(f) for f in (Gaussian, Laplace, Uniform, Logistic, HyperbolicSecant, Cauchy, Triangular)]
SHAPED = [
    *(Example(GeneralizedNormal, "beta", beta) for beta in (0.05, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 8.0, 1000.0)),
    *(Example(StudentT, "df", df) for df in (0.2, 0.5, 1.0, 2.5, 30.0, 1000.0)),
    *(Example(Pareto, "a", a) for a in (0.2, 0.5, 1.0, 3.0, 10.0)),
    *(Example(GaussianLaplaceMixture, "weight", weight) for weight in (0.0, 0.01, 0.5, 0.999, 1.0)),
    *(Example(ExponentialMix, "weight", weight) for weight in (0.0, 0.5, 0.9999, 1.0)),
]
EXAMPLES = PLAIN + SHAPED
