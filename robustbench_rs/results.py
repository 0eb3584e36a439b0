"""Results as measured: what an evaluation or a published log hands to the reporting, one way.

A :class:`Source` is a run or a log; a :class:`Measured` is one of its (defense, noise level, norm, solver).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from robustbench_rs.api import Condition
from robustbench_rs.api.report import Candidate, Cost, Flag, GalleryItem, PredictionRow, Share

ABSTAIN = -1
"""In ``Measured.predictions`` only where ``abstained`` says so too; never handed on as a class."""


@dataclass(frozen=True)
class Measured:
    """Certificates of one defense at one noise level, in one norm, by one solver; arrays are (m,), one per input.

    ``solver`` as asked for ("auto"), ``solver_used`` what gave the radius. ``radius`` is 0 where abstained.
    ``p_lower``, ``p_upper``: None when unknown (published logs). ``clean_correct``: base classifier without noise.
    ``data_digest``: identity of the data, "" when unknown.
    """

    defense: str
    dataset: str
    data_digest: str
    noise: str
    noise_params: str
    sigma: float | None
    norm: float
    solver: str
    n0: int | None
    n: int | None
    alpha: float | None
    bound: str
    indices: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    abstained: np.ndarray
    radius: np.ndarray
    guarantee: Sequence[str]
    solver_used: Sequence[str]
    p_lower: np.ndarray | None = None
    p_upper: np.ndarray | None = None
    clean_correct: np.ndarray | None = None
    max_radius: float | None = None
    samples: int | None = None
    seconds: float | None = None
    seconds_per_input: np.ndarray | None = None
    level: float | None = None
    """What the limits have of ``alpha``, the rest being spent on other statements; None: all of it."""
    smoothed_accuracy: float | None = None
    """From PREDICT where it was asked for; None: certified accuracy at radius 0 is the smoothed accuracy."""

    condition: Condition | None = None
    """What its certificates presuppose; None: nothing."""

    @property
    def is_certain(self) -> bool:
        """Whether its certificates hold with certainty: all draws that the noise can make were tried."""
        return self.alpha == 0

    @property
    def correct(self) -> np.ndarray:
        """Not abstained, and the predicted class is the label (m,), bool."""
        correct: np.ndarray = ~self.abstained & (self.predictions == self.labels)
        return correct


@dataclass(frozen=True)
class Uncertified:
    """A defense without noise: only its clean accuracy is measured here."""

    defense: str
    dataset: str
    clean_correct: np.ndarray


@dataclass(frozen=True)
class Source:
    """A run or a published log, by ``name`` (unique in a comparison)."""

    name: str
    kind: str
    """"run" or "log"."""
    measured: Sequence[Measured]
    uncertified: Sequence[Uncertified] = ()
    predictions: Sequence[PredictionRow] = ()
    flags: Sequence[Flag] = ()
    gallery: Sequence[GalleryItem] = ()
    costs: Sequence[Cost] = ()
    budget: Sequence[Share] = ()
    candidates: Sequence[Candidate] = ()
    protocol: Sequence[tuple[str, str]] = ()
    environment: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = field(default_factory=tuple)
