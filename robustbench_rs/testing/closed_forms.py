"""Claims of a noise about its closed-form radii, as far as they can be checked without another solver."""

from __future__ import annotations

import itertools
import math

import numpy as np

from robustbench_rs.api import ClosedForm, Noise, ProductNoise, VectorNoise
from robustbench_rs.testing.result import Check

NORMS = (1.0, 2.0, 3.0, math.inf)
DIMS = (1, 48)
P_LOWER = np.array([0.5, 0.5001, 0.6, 0.75, 0.9, 0.99, 0.999, 0.999999])


def _forms(noise: Noise) -> list[tuple[float, int, ClosedForm]]:
    dims = [dim for dim in DIMS if noise.problem(dim) is None]
    found = ((norm, dim, noise.closed_form(norm, dim)) for norm, dim in itertools.product(NORMS, dims))
    return [(norm, dim, form) for norm, dim, form in found if form is not None]


def proved_forms(noise: Noise) -> list[tuple[float, int, ClosedForm]]:
    """(norm, dimension, closed form) wherever the noise has one that it calls proved."""
    return [found for found in _forms(noise) if found[2].guarantee == "proved"]


def _monotone(noise: Noise) -> str | None:
    for norm, dim, form in _forms(noise):
        radius = form.radius(P_LOWER, 1 - P_LOWER)
        if radius.shape != P_LOWER.shape or not np.all(np.isfinite(radius)):
            return f"norm {norm:g}, {dim} dimensions: radii are not finite: {radius}"
        if np.any(np.diff(radius) < 0):
            return f"norm {norm:g}, {dim} dimensions: the radius falls as pA grows: {radius}"
    return None


def _zero(noise: Noise) -> str | None:
    for norm, dim, form in _forms(noise):
        radius = float(form.radius(np.array([0.5]), np.array([0.5]))[0])
        if radius > 0:
            return f"norm {norm:g}, {dim} dimensions: radius {radius} at pA = 1/2"
    return None


def _upper(noise: Noise) -> str | None:
    for norm, dim, form in _forms(noise):
        if form.upper is None:
            continue
        radius, upper = (bound(P_LOWER, 1 - P_LOWER) for bound in (form.radius, form.upper))
        if not np.all(radius <= upper):
            return f"norm {norm:g}, {dim} dimensions: radius {radius} is above its own upper value {upper}"
        if form.exact and not np.allclose(radius, upper, rtol=1e-6, atol=1e-9 * float(np.max(upper))):
            return f"norm {norm:g}, {dim} dimensions: exact is claimed, but {upper} is not known not to hold"
    return None


def _half_space(noise: Noise) -> str | None:
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


def _equivariant(noise: Noise) -> str | None:
    if not isinstance(noise, ProductNoise | VectorNoise):
        return None
    for norm, dim, form in _forms(noise):
        other = doubled(noise, dim).closed_form(norm, dim)
        one = form.radius(P_LOWER, 1 - P_LOWER)
        if other is None or not np.allclose(other.radius(P_LOWER, 1 - P_LOWER), 2 * one, rtol=1e-9, atol=1e-15):
            return f"norm {norm:g}, {dim} dimensions: twice the scale does not give twice the radius"
    return None


def doubled(noise: ProductNoise | VectorNoise, dim: int) -> Noise:
    """The same noise at twice the scale that it has in ``dim`` dimensions."""
    scale = noise.scale if isinstance(noise, ProductNoise) else noise.scale_in(dim)
    fields = noise.params.model_dump(exclude={"scale", "sigma"})
    return type(noise)(type(noise.params).model_validate({**fields, "scale": 2 * scale}))


CHECKS: dict[str, Check[Noise]] = {
    "closed forms are monotone in pA": _monotone,
    "closed forms are zero at pA = 1/2": _zero,
    "closed forms stay below their upper values": _upper,
    "closed forms stay below a half-space": _half_space,
    "closed forms scale with the noise": _equivariant,
}
