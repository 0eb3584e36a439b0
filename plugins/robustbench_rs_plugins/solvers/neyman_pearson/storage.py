"""Tables as arrays and back. What comes back is believed only when its digest and its shapes are right."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from robustbench_rs_plugins.solvers.neyman_pearson.curves import Curves
from robustbench_rs_plugins.solvers.neyman_pearson.lattice import Lattice
from robustbench_rs_plugins.solvers.neyman_pearson.rays import Ray
from robustbench_rs_plugins.solvers.neyman_pearson.table import Table

Arrays = dict[str, np.ndarray]
COLUMNS = ("edges", "radius", "p_star", "refuted", "slope", "intercept", "roof", "bend", "bridges")


def pack_table(table: Table) -> Arrays:
    """A table as arrays."""
    rays = [(number, size, count) for number, ray in enumerate(table.rays) for size, count in ray.parts]
    return _sealed(
        {
            "lattice": np.array([table.lattice.base, table.lattice.levels]),
            "flags": np.array([table.proved, table.falls]),
            "rays": np.array(rays, dtype=np.float64),
            "enough": table.enough,
            "barely": table.barely,
            "worst": table.worst,
        }
    )


def unpack_table(arrays: Mapping[str, np.ndarray] | None) -> Table | None:
    """None when there is none, or when it is not one that :func:`pack_table` wrote."""
    if arrays is None or not _intact(arrays, {"lattice", "flags", "rays", "enough", "barely", "worst"}):
        return None
    (base, levels), (proved, falls) = arrays["lattice"].tolist(), arrays["flags"].tolist()
    parts: dict[int, list[tuple[float, int]]] = {}
    for number, size, count in arrays["rays"].tolist():
        parts.setdefault(int(number), []).append((size, int(count)))
    rays = tuple(Ray(tuple(parts[number])) for number in sorted(parts))
    table = Table(Lattice(base, int(levels)), proved, falls, rays, arrays["enough"], arrays["barely"], arrays["worst"])
    return table if _usable(table) else None


def pack_curves(curves: Sequence[Curves]) -> Arrays:
    """Curves as arrays."""
    return _sealed({f"{name}-{i}": getattr(each, name) for i, each in enumerate(curves) for name in COLUMNS})


def unpack_curves(arrays: Mapping[str, np.ndarray] | None, rays: int) -> tuple[Curves, ...] | None:
    """None when there are none, or when they are not those that :func:`pack_curves` wrote for so many rays."""
    if arrays is None or not _intact(arrays, {f"{name}-{i}" for i in range(rays) for name in COLUMNS}):
        return None
    return tuple(_curves(*(arrays[f"{name}-{i}"] for name in COLUMNS)) for i in range(rays))


def _curves(*columns: np.ndarray) -> Curves:
    edges, radius, p_star, refuted, slope, intercept, roof, bend, bridges = columns
    return Curves(edges, radius, p_star, refuted, slope, intercept, roof, float(bend), bridges)


def _usable(table: Table) -> bool:
    size = len(table.enough)
    same = table.barely.shape == table.worst.shape == (size,) and size > 1
    ascending = bool(np.all(np.diff(table.enough) >= 0) and np.all(np.diff(table.barely) >= 0))
    return same and ascending and int(table.worst.max()) < len(table.rays)


def _sealed(arrays: Arrays) -> Arrays:
    return {**arrays, "digest": _digest(arrays)}


def _intact(arrays: Mapping[str, np.ndarray], names: set[str]) -> bool:
    if set(arrays) != names | {"digest"}:
        return False
    return bool(np.array_equal(arrays["digest"], _digest({name: arrays[name] for name in names})))


def _digest(arrays: Arrays) -> np.ndarray:
    digest = hashlib.blake2b(digest_size=32)
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}|{values.dtype.str}|{values.shape}|".encode())
        digest.update(values.tobytes())
    return np.frombuffer(digest.digest(), dtype=np.uint8)
