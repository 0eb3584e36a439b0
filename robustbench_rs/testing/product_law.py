"""Claims of a product noise about its law, against the law that follows from its density alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from robustbench_rs.api import ProductNoise
from robustbench_rs.statistics.tabulated import TabulatedLaw
from robustbench_rs.testing.result import Check

TOLERANCE = 1e-9
TAIL_TOLERANCE = 1e-4
"""Relative to the tail mass, which far out is known from the density less well than near the centre."""
_TAILS = np.geomspace(1e-7, 0.02, 40)
PROBABILITIES = np.concatenate([_TAILS, np.linspace(0.02, 0.98, 193)[1:-1], 1 - _TAILS[::-1]])
DEEP = np.geomspace(1e-14, 1e-8, 13)
"""Masses of both tails, far beyond what any number of draws reaches."""


@dataclass(frozen=True)
class Product:
    """A product noise beside the law that follows from its density alone."""

    noise: ProductNoise
    law: TabulatedLaw

    @cached_property
    def points(self) -> np.ndarray:
        """All over the law, ascending."""
        return np.unique(self.law.quantile(PROBABILITIES))

    @cached_property
    def tails(self) -> tuple[np.ndarray, np.ndarray]:
        """Points far out in the lower and in the upper tail."""
        return self.law.quantile(DEEP), self.law.isf(DEEP)


def _cdf(product: Product) -> str | None:
    lower, _ = product.tails
    ours, truth = product.noise.cdf(lower), product.law.cdf(lower)
    if np.any(np.abs(ours - truth) > TAIL_TOLERANCE * truth + product.noise.quantile_error):
        return f"cdf is wrong in the lower tail: {ours[:3]} where {truth[:3]} follows from the density"
    z = product.points
    return _compare("cdf", z, product.noise.cdf(z), product.law.cdf(z))


def _sf(product: Product) -> str | None:
    z = np.concatenate([product.points, product.tails[1][::-1]])
    ours, truth = product.noise.sf(z), product.law.sf(z)
    if np.any(np.abs(ours - truth) > TAIL_TOLERANCE * truth + product.noise.quantile_error):
        return f"sf is wrong in the upper tail: {ours[-3:]} where {truth[-3:]} follows from the density"
    return _compare("sf", z, ours, truth)


def _compare(name: str, z: np.ndarray, ours: np.ndarray, truth: np.ndarray) -> str | None:
    worst = int(np.argmax(np.abs(ours - truth)))
    if np.abs(ours - truth)[worst] <= TOLERANCE:
        return None
    return f"{name}({z[worst]:.6g}) is {ours[worst]:.12g} where {truth[worst]:.12g} follows from the density"


def _quantile(product: Product) -> str | None:
    """Within the stated error, and in the tails also within a ten-thousandth of their mass."""
    claimed = product.noise.quantile_error + product.law.u_error
    reached = product.law.cdf(product.noise.quantile(PROBABILITIES))
    error = float(np.max(np.abs(reached - PROBABILITIES)))
    if error > claimed:
        return f"quantile(p) errs by {error:.3g} in p, more than quantile_error = {product.noise.quantile_error:.3g}"
    above = 1.0 - DEEP
    below, beyond = (
        product.law.cdf(product.noise.quantile(DEEP)),
        product.law.sf(product.noise.quantile(above)),
    )
    for name, found, mass in (("lower", below, DEEP), ("upper", beyond, 1.0 - above)):
        bad = np.abs(found - mass) > claimed + TAIL_TOLERANCE * mass
        if np.any(bad):
            return f"quantile is wrong in the {name} tail: of mass {mass[bad][0]:.3g} it cuts off {found[bad][0]:.3g}"
    return None


def _round_trip(product: Product) -> str | None:
    """Both ways: quantile(cdf(z)) is z and cdf(quantile(p)) is p, each as an error in probability."""
    noise, z = product.noise, product.points
    z = z[noise.cdf(z) < 0.999]  # above, cdf itself has no room for the tail
    shift = np.max(np.abs(noise.quantile(noise.cdf(z)) - z) * product.law.density(z))
    back = np.max(np.abs(noise.cdf(noise.quantile(PROBABILITIES)) - PROBABILITIES))
    for name, error in (("quantile(cdf(z)) is not z", shift), ("cdf(quantile(p)) is not p", back)):
        if not error <= TOLERANCE:
            return f"{name}: off by {error:.3g} in probability"
    return None


def _ends(product: Product) -> str | None:
    ends = product.noise.quantile(np.array([0.0, 1.0]))
    if not np.array_equal(ends, np.array(product.noise.support)):
        return f"the quantiles of 0 and 1 are {ends}, the support is {product.noise.support}"
    return None


def _std(product: Product) -> str | None:
    ours, truth = product.noise.std, product.law.std
    if ours == truth or abs(ours - truth) <= 1e-8 * truth:
        return None
    return f"std is {ours:.12g} where {truth:.12g} follows from the density"


def _normaliser(product: Product) -> str | None:
    ours, truth = product.noise.log_normaliser, product.law.log_normaliser
    if abs(ours - truth) <= TOLERANCE:
        return None
    return f"log_normaliser is {ours:.12g} where {truth:.12g} follows from log_density"


def _density(product: Product) -> str | None:
    z = product.points
    ours, truth = product.noise.density(z), product.law.density(z)
    worst = int(np.argmax(np.abs(ours - truth) / truth))
    if abs(ours[worst] - truth[worst]) > 1e-8 * truth[worst]:
        return f"density({z[worst]:.6g}) is {ours[worst]:.12g} where {truth[worst]:.12g} follows from log_density"
    low, high = product.noise.support
    outside = product.noise.density(np.array([low - 1.0, high + 1.0]))
    return f"density does not vanish outside the support: {outside}" if np.any(outside != 0) else None


CHECKS: dict[str, Check[Product]] = {
    "log_normaliser follows from the density": _normaliser,
    "density is normalised": _density,
    "cdf follows from the density": _cdf,
    "sf follows from the density": _sf,
    "quantile inverts the cdf": _quantile,
    "cdf inverts the quantile": _round_trip,
    "quantile ends at the support": _ends,
    "std follows from the density": _std,
}
