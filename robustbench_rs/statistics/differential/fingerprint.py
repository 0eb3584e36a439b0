"""What a table of the differential method was made from: everything that the method sees of a law."""

from __future__ import annotations

import hashlib

import numpy as np

from robustbench_rs.statistics.coordinate import Coordinate

VERSION = 1
"""Changes whenever the method gives other numbers."""


def fingerprint(law: Coordinate) -> str:
    """Digest of density and score at some two thousand points, and of the facts; equal for equal laws."""
    octaves = np.ldexp(1.0, np.arange(-60, 61))
    points = np.concatenate([octaves * part for part in (1.0, 1.19, 1.41, 1.68)] + [np.linspace(0.0, 16.0, 1601)])
    facts = (VERSION, law.support, law.symmetric, law.unimodal, law.log_concave, law.continuous, law.score_turns)
    digest = hashlib.sha256(repr(facts).encode())
    with np.errstate(all="ignore"):
        digest.update(np.asarray(law.log_density(points), dtype=np.float64).tobytes())
        if not law.log_concave:
            digest.update(np.asarray(law.score(points), dtype=np.float64).tobytes())
    return digest.hexdigest()
