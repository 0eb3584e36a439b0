"""What a table is kept under: everything that determines it, measured on the law itself."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from robustbench_rs.api import ProductNoise

VERSION = 4
"""Raise it when tables come out differently, or are kept in another form."""
_SIZES = np.concatenate([np.geomspace(1e-12, 1e12, 241), np.linspace(0.0, 12.0, 241)])
PROBES = np.sort(np.concatenate([-_SIZES, _SIZES]))
OVERRIDES = ("cdf", "sf", "density", "quantile")
"""Functions that follow from the density unless a family overrides them."""


def key(noise: ProductNoise, norm: float, dim: int, tolerance: float) -> str:
    """Does not depend on the scale: tables are in units of z."""
    facts = {
        "version": VERSION,
        "noise": noise.name,
        "params": noise.params.model_dump(mode="json", exclude={"scale", "sigma"}),
        "support": [repr(float(end)) for end in noise.support],
        "facts": [bool(fact) for fact in (noise.symmetric, noise.unimodal, noise.log_concave, noise.continuous)],
        "turns": None if noise.score_turns is None else [repr(float(turn)) for turn in noise.score_turns],
        "slope variation": repr(noise.slope_variation),
        "slope turns": None if noise.score_slope_turns is None else [repr(float(t)) for t in noise.score_slope_turns],
        "norm": repr(float(norm)),
        "dim": dim,
        "tolerance": repr(float(tolerance)),
    }
    digest = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=20)
    for values in _probed(noise):
        digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
    return f"neyman-pearson-{digest.hexdigest()}"


def _probed(noise: ProductNoise) -> list[np.ndarray]:
    low, high = noise.support
    inside = PROBES[(low <= PROBES) & (high >= PROBES)]
    with np.errstate(all="ignore"):
        values = [np.asarray(noise.log_density(inside))]
        if noise.score_turns is not None:
            values.append(np.asarray(noise.score(inside)))
        if noise.score_slope_turns is not None:
            values.append(np.asarray(noise.score_slope(inside)))
        for name in OVERRIDES:
            if getattr(type(noise), name) is not getattr(ProductNoise, name):
                at = np.linspace(0.0, 1.0, 65)[1:-1] if name == "quantile" else inside
                values.append(np.asarray(getattr(noise, name)(at)))
    return values
