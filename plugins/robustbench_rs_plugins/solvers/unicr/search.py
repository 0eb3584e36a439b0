"""Which directions are tried: the starts of the swarm, and the best that it finds for each level."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from robustbench_rs.api import Noise, Tables
from robustbench_rs_plugins.solvers.unicr.directions import distinct, length, spread, starts
from robustbench_rs_plugins.solvers.unicr.power import Power
from robustbench_rs_plugins.solvers.unicr.ratios import Ratios
from robustbench_rs_plugins.solvers.unicr.scaling import Lattice
from robustbench_rs_plugins.solvers.unicr.settings import UnicrParams
from robustbench_rs_plugins.solvers.unicr.swarm import search

VERSION = 1
PILOT, STARTS, SWARM = 0, 1, 2
"""Names of the random streams of the search; :mod:`measuring` uses others."""
SEARCH_STEPS = 64
"""Lattice points per octave in the search: finer than its draws can tell apart."""
LARGEST_COST = 1e300


def tried_directions(noise: Noise, norm: float, dim: int, params: UnicrParams, tables: Tables) -> list[np.ndarray]:
    """Directions (d,) of Euclidean length 1, different rays, from ``tables`` where they are known."""
    ratios = Ratios(noise, params.pilot, (params.seed, PILOT))
    key = _key(noise, norm, dim, params, ratios)
    saved = tables.load(key)
    if saved is None:
        saved = {"directions": np.stack(_searched(noise, norm, dim, params, ratios))}
        tables.save(key, saved)
    return list(saved["directions"])


def _searched(noise: Noise, norm: float, dim: int, params: UnicrParams, ratios: Ratios) -> list[np.ndarray]:
    rng = np.random.default_rng([params.seed, STARTS])
    initial = starts(noise, norm, dim, params.particles, rng)
    found = list(initial)
    for number, level in enumerate(params.levels if dim > 1 else ()):
        seed = int(np.random.SeedSequence([params.seed, SWARM, number]).generate_state(1)[0])
        cost = _Cost(ratios, norm, level, ratios.typical(dim))
        found.append(search(cost, initial, params, seed)[0])
    return distinct(found)


class _Cost:
    """||lambda delta||_p of a position delta: the scalar phase, at one pA, on the pilot draws."""

    def __init__(self, ratios: Ratios, norm: float, level: float, typical: float) -> None:
        self._ratios, self._norm, self._typical = ratios, norm, typical
        self._level = np.array([level])

    def __call__(self, position: np.ndarray) -> float:
        if not np.any(position):
            return LARGEST_COST
        lattice = Lattice(self._typical * spread(self._norm, position), SEARCH_STEPS)
        unit = position / length(position, self._norm)

        def certified(index: int, inputs: np.ndarray) -> np.ndarray:
            power = Power.of(*self._ratios.of(unit * lattice.scale(np.array(index))))
            return np.asarray(power.margin(self._level, 1.0 - self._level)[inputs] > 0)

        return min(float(lattice.scale(lattice.largest(certified, 1))[0]), LARGEST_COST)


def _key(noise: Noise, norm: float, dim: int, params: UnicrParams, ratios: Ratios) -> str:
    """Everything that the search depends on; the law itself by its ratios at a few draws."""
    fields = {"draws", "tolerance", "sound", "alpha"}
    asked = {"norm": str(norm), "dim": dim, "noise": noise.name, "law": noise.params.model_dump(mode="json")}
    text = json.dumps([VERSION, asked, params.model_dump(mode="json", exclude=fields)], sort_keys=True)
    ramp = np.linspace(0.1, 1.0, min(dim, 8)) * ratios.typical(dim)
    probe = np.concatenate(ratios.of(np.append(ramp, np.zeros(dim - len(ramp)))))
    return f"unicr-{hashlib.sha256(text.encode() + probe.tobytes()).hexdigest()}"
