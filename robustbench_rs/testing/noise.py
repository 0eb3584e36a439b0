"""Claims of a noise family: its law, its facts and its closed forms against the density; its sampler in ``sampler``."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from robustbench_rs.api import ClosedForm, Noise, ProductNoise
from robustbench_rs.statistics.tabulated import TabulatedLaw
from robustbench_rs.testing import sampler
from robustbench_rs.testing.result import Check, CheckResult, run

TOLERANCE = 1e-9
NORMS = (1.0, 2.0, 3.0, math.inf)
DIMS = (1, 48)
P_LOWER = np.array([0.5, 0.5001, 0.6, 0.75, 0.9, 0.99, 0.999, 0.999999])
_TAILS = np.geomspace(1e-7, 0.02, 40)
PROBABILITIES = np.concatenate([_TAILS, np.linspace(0.02, 0.98, 193)[1:-1], 1 - _TAILS[::-1]])


@dataclass(frozen=True)
class Product:
    """A product noise beside the law that follows from its density alone, and points all over it."""

    noise: ProductNoise
    law: TabulatedLaw

    @property
    def points(self) -> np.ndarray:
        return np.unique(self.law.quantile(PROBABILITIES))


def check(noise: Noise, label: str) -> list[CheckResult]:
    """All checks that apply to this noise."""
    results = run(sampler.CHECKS, noise, label) + run(CLOSED_FORMS, noise, label)
    if not isinstance(noise, ProductNoise):
        return results
    name = f"density integrates to 1 after normalisation [{label}]"
    try:
        law = TabulatedLaw(noise.log_density, noise.support)
    except Exception as error:
        return [*results, CheckResult(name, False, f"{type(error).__name__}: {error}")]
    results.append(CheckResult(name, True))
    return results + run(LAW, Product(noise, law), label) + run(sampler.AGAINST_CDF, sampler.Sampled(noise), label)


def _cdf(product: Product) -> str | None:
    z = product.points
    return _compare("cdf", z, product.noise.cdf(z), product.law.cdf(z))


def _sf(product: Product) -> str | None:
    z = product.points
    ours, truth = product.noise.sf(z), product.law.sf(z)
    if np.any(np.abs(ours - truth) > 1e-4 * truth + 1e-12):
        return f"sf is wrong in the upper tail: {ours[-3:]} where {truth[-3:]} follows from the density"
    return _compare("sf", z, ours, truth)


def _compare(name: str, z: np.ndarray, ours: np.ndarray, truth: np.ndarray) -> str | None:
    worst = int(np.argmax(np.abs(ours - truth)))
    if np.abs(ours - truth)[worst] <= TOLERANCE:
        return None
    return f"{name}({z[worst]:.6g}) is {ours[worst]:.12g} where {truth[worst]:.12g} follows from the density"


def _quantile(product: Product) -> str | None:
    claimed = product.noise.quantile_error
    reached = product.law.cdf(product.noise.quantile(PROBABILITIES))
    error = float(np.max(np.abs(reached - PROBABILITIES)))
    if error <= claimed + product.law.u_error:
        return None
    return f"quantile(p) errs by {error:.3g} in p, more than quantile_error = {claimed:.3g}"


def _round_trip(product: Product) -> str | None:
    z = product.points
    shift = np.abs(product.noise.quantile(product.noise.cdf(z)) - z) * product.law.density(z)
    shift = shift[product.noise.cdf(z) < 0.999]  # above, cdf itself has no room for the tail
    return (
        None if np.max(shift) <= TOLERANCE else f"quantile(cdf(z)) is not z: off by {np.max(shift):.3g} in probability"
    )


def _std(product: Product) -> str | None:
    ours, truth = product.noise.std, product.law.std
    if ours == truth or abs(ours - truth) <= 1e-8 * truth:
        return None
    return f"std is {ours:.12g} where {truth:.12g} follows from the density"


def _symmetric(product: Product) -> str | None:
    if not product.noise.symmetric:
        return None
    if product.noise.support[0] != -product.noise.support[1]:
        return f"claimed, but the support is {product.noise.support}"
    z = product.points
    with np.errstate(all="ignore"):
        difference = product.law.density(z) - product.law.density(-z)
    worst = int(np.argmax(np.abs(difference)))
    if abs(difference[worst]) <= TOLERANCE * float(np.max(product.law.density(z))):
        return None
    return f"claimed, but the densities at {z[worst]:.6g} and {-z[worst]:.6g} differ"


def _unimodal(product: Product) -> str | None:
    if not product.noise.unimodal:
        return None
    z = product.points
    density = product.law.density(z)
    mode = int(np.argmax(density))
    steps = np.diff(density)
    wrong = np.concatenate([steps[:mode] < -TOLERANCE * density[mode], steps[mode:] > TOLERANCE * density[mode]])
    return f"claimed, but not near z = {z[int(np.argmax(wrong))]:.6g}" if np.any(wrong) else None


def _log_concave(product: Product) -> str | None:
    if not product.noise.log_concave:
        return None
    z = product.points
    log = product.noise.log_density(z)
    width = np.diff(z)
    slopes = np.diff(log) / width
    noise = 1e-15 * np.max(np.abs(log)) / np.minimum(width[:-1], width[1:])
    wrong = np.diff(slopes) > 1e-7 * np.maximum(np.abs(slopes[:-1]), 1e-3) + noise
    return f"claimed, but not near z = {z[1:][int(np.argmax(wrong))]:.6g}" if np.any(wrong) else None


def _forms(noise: Noise) -> list[tuple[float, int, ClosedForm]]:
    found = ((norm, dim, noise.closed_form(norm, dim)) for norm, dim in itertools.product(NORMS, DIMS))
    return [(norm, dim, form) for norm, dim, form in found if form is not None]


def _form_monotone(noise: Noise) -> str | None:
    for norm, dim, form in _forms(noise):
        radius = form.radius(P_LOWER, 1 - P_LOWER)
        if radius.shape != P_LOWER.shape or not np.all(np.isfinite(radius)):
            return f"norm {norm:g}, {dim} dimensions: radii are not finite: {radius}"
        if np.any(np.diff(radius) < 0):
            return f"norm {norm:g}, {dim} dimensions: the radius falls as pA grows: {radius}"
    return None


def _form_zero(noise: Noise) -> str | None:
    for norm, dim, form in _forms(noise):
        radius = float(form.radius(np.array([0.5]), np.array([0.5]))[0])
        if radius > 0:
            return f"norm {norm:g}, {dim} dimensions: radius {radius} at pA = 1/2"
    return None


def _form_half_space(noise: Noise) -> str | None:
    """The half-space x_1 <= t of probability pA loses its majority at a shift of scale (F^-1(pA) - F^-1(1/2))."""
    if not isinstance(noise, ProductNoise):
        return None
    error = noise.quantile_error
    truth = noise.scale * (noise.quantile(np.minimum(P_LOWER + error, 1.0)) - noise.quantile(np.array(0.5 - error)))
    for norm, dim, form in _forms(noise):
        radius = form.radius(P_LOWER, 1 - P_LOWER)
        if form.guarantee == "proved" and np.any(radius > truth * (1 + 1e-12)):
            return f"norm {norm:g}, {dim} dimensions: radius {radius} is above that of a half-space, {truth}"
    return None


def _form_equivariant(noise: Noise) -> str | None:
    if not isinstance(noise, ProductNoise):
        return None
    fields = noise.params.model_dump(exclude={"scale", "sigma"})
    double = type(noise)(type(noise.params).model_validate({**fields, "scale": 2 * noise.scale}))
    for norm, dim, form in _forms(noise):
        other = double.closed_form(norm, dim)
        one = form.radius(P_LOWER, 1 - P_LOWER)
        if other is None or not np.allclose(other.radius(P_LOWER, 1 - P_LOWER), 2 * one, rtol=1e-9, atol=1e-15):
            return f"norm {norm:g}, {dim} dimensions: twice the scale does not give twice the radius"
    return None


LAW: dict[str, Check[Product]] = {
    "cdf follows from the density": _cdf,
    "sf follows from the density": _sf,
    "quantile inverts the cdf": _quantile,
    "cdf inverts the quantile": _round_trip,
    "std follows from the density": _std,
    "symmetric": _symmetric,
    "unimodal": _unimodal,
    "log-concave": _log_concave,
}
CLOSED_FORMS: dict[str, Check[Noise]] = {
    "closed forms are monotone in pA": _form_monotone,
    "closed forms are zero at pA = 1/2": _form_zero,
    "closed forms stay below a half-space": _form_half_space,
    "closed forms scale with the noise": _form_equivariant,
}
