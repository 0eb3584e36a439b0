"""Claims of a noise: which checks apply to it. The checks themselves lie beside, by what they are about."""

from __future__ import annotations

from robustbench_rs.api import Noise, ProductNoise, VectorNoise
from robustbench_rs.statistics.tabulated import TabulatedLaw
from robustbench_rs.testing import applied, balance, closed_forms, facts, outcomes, product_law, sampler, vector
from robustbench_rs.testing.product_law import Product
from robustbench_rs.testing.result import CheckResult, run


def check(noise: Noise, label: str) -> list[CheckResult]:
    """All checks that apply to this noise."""
    results = run(sampler.CHECKS, noise, label) + run(closed_forms.CHECKS, noise, label)
    results += run(applied.CHECKS, noise, label) + run(balance.CHECKS, noise, label)
    results += run(outcomes.CHECKS, noise, label)
    if isinstance(noise, VectorNoise):
        return results + run(vector.CHECKS, noise, label)
    return results + _product(noise, label) if isinstance(noise, ProductNoise) else results


def _product(noise: ProductNoise, label: str) -> list[CheckResult]:
    name = f"density integrates to 1 after normalisation [{label}]"
    try:
        law = TabulatedLaw(noise.log_density, noise.support)
    except Exception as error:
        return [CheckResult(name, False, f"{type(error).__name__}: {error}")]
    product = Product(noise, law)
    results = [CheckResult(name, True), *run(product_law.CHECKS, product, label), *run(facts.CHECKS, product, label)]
    return results + run(sampler.AGAINST_CDF, sampler.Sampled(noise), label)
