"""A noise family: hyperbolic secant. Change the density, the facts and the parameters to yours."""

from __future__ import annotations

import numpy as np

from robustbench_rs.api import NoiseParams, ProductNoise, hookimpl


class Example(ProductNoise):
    """Density proportional to 1 / cosh(x / scale)."""

    name = "example"
    # Facts that the family vouches for; `plugins check` verifies them. What is not claimed is not used.
    symmetric = True
    unimodal = True
    log_concave = True

    class Params(NoiseParams):
        """Exactly one of scale and sigma, which the base handles; shape parameters go here."""

    def log_density(self, z: np.ndarray) -> np.ndarray:
        """Log density of the standard variable z = x / scale; the additive constant may be missing."""
        # log cosh z = |z| + log1p(exp(-2|z|)) - log 2: cosh itself overflows.
        magnitude = np.abs(z)
        log_density: np.ndarray = -magnitude - np.log1p(np.exp(-2 * magnitude))
        return log_density


@hookimpl
def robustbench_rs_noises() -> list[type[Example]]:
    """The noise families of this file."""
    return [Example]
