"""Tables as arrays under a key that names their content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from robustbench_rs.statistics.coordinate import Coordinate
from robustbench_rs_plugins.solvers.neyman_pearson.curves import Curves
from robustbench_rs_plugins.solvers.neyman_pearson.lattice import Lattice
from robustbench_rs_plugins.solvers.neyman_pearson.rays import Ray
from robustbench_rs_plugins.solvers.neyman_pearson.table import Table

VERSION = 1
"""Changes whenever the method gives other numbers."""
FIELDS = ("edges", "radius", "p_star", "refuted", "slope", "intercept", "roof")


def key(law: Coordinate, norm: float, dim: int, tolerance: float) -> str:
    """Everything that determines a table: facts, densities and probabilities at some two thousand points."""
    octaves = np.ldexp(1.0, np.arange(-60, 61))
    half = np.concatenate([octaves, 1.41 * octaves, np.linspace(0.0, 16.0, 801)])
    points = np.concatenate([-half, half])
    facts = (VERSION, law.support, law.symmetric, law.unimodal, law.log_concave, law.score_turns, law.quantile_error)
    digest = hashlib.sha256(repr((facts, float(norm), dim, tolerance)).encode())
    with np.errstate(all="ignore"):
        for values in (law.log_density(points), law.cdf(points), law.sf(points)):
            digest.update(np.asarray(values, dtype=np.float64).tobytes())
        if law.score_turns is not None:
            digest.update(np.asarray(law.score(points), dtype=np.float64).tobytes())
    return f"neyman-pearson-{digest.hexdigest()}"


def to_arrays(table: Table) -> dict[str, np.ndarray]:
    """What :func:`from_arrays` reads."""
    arrays = {
        "lattice": np.array([table.lattice.base, table.lattice.levels]),
        "flags": np.array([table.proved, table.falls, len(table.rays)], dtype=np.int64),
        "enough": table.enough,
        "barely": table.barely,
        "worst": table.worst,
    }
    for i, (ray, curves) in enumerate(zip(table.rays, table.curves, strict=True)):
        arrays[f"ray{i}"] = np.array(ray.parts, dtype=np.float64)
        arrays |= {f"{field}{i}": getattr(curves, field) for field in FIELDS}
    return arrays


def from_arrays(arrays: Mapping[str, np.ndarray]) -> Table | None:
    """The table, or None when the arrays are not one: storage may hold anything."""
    try:
        table = _read(arrays)
    except (KeyError, ValueError, IndexError, TypeError, OverflowError):
        return None
    return table if _sound(table) else None


def _read(arrays: Mapping[str, np.ndarray]) -> Table:
    base, levels = arrays["lattice"].tolist()
    proved, falls, count = arrays["flags"].tolist()
    return Table(
        Lattice(base, int(levels)),
        bool(proved),
        bool(falls),
        tuple(_ray(arrays[f"ray{i}"]) for i in range(count)),
        tuple(Curves(*(arrays[f"{field}{i}"] for field in FIELDS)) for i in range(count)),
        arrays["enough"],
        arrays["barely"],
        arrays["worst"],
    )


def _ray(parts: np.ndarray) -> Ray:
    return Ray(tuple((float(size), int(count)) for size, count in parts))


def _sound(table: Table) -> bool:
    """Shapes that fit, and what must ascend ascends: a damaged table must not certify."""
    steps = (table.enough, table.barely, table.worst)
    if not table.rays or any(each.shape != table.enough.shape or each.ndim != 1 or not len(each) for each in steps):
        return False
    if not all(np.all(np.diff(each) >= 0) and np.all(np.isfinite(each)) for each in steps[:2]):
        return False
    if table.enough[0] < 0.5 or np.any(table.worst >= len(table.rays)):
        return False
    return all(_fits(curves) for curves in table.curves)


def _fits(curves: Curves) -> bool:
    rows, cells = len(curves.radius), len(curves.edges) - 1
    shapes = [
        (curves.p_star, (rows,)),
        (curves.refuted, (rows,)),
        (curves.slope, (rows, cells)),
        (curves.intercept, (rows, cells)),
        (curves.roof, (rows, cells + 1)),
    ]
    ascending = all(np.all(np.diff(each) > 0) for each in (curves.radius, curves.edges))
    return ascending and all(each.shape == shape and np.all(np.isfinite(each)) for each, shape in shapes)
