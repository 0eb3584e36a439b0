"""The report as data: every number that any reporter shows, computed once, rounded by nobody but the renderer.

Radii in these rows are certificates: a renderer that shortens one must round *down* (:func:`round_down`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from typing import Literal

import numpy as np

from robustbench_rs.api.labels import conditioned
from robustbench_rs.api.validation import Validation

ENVELOPE = "envelope"
"""Name of the best-of-noise-levels row; post hoc, because the level is chosen after looking at the results."""


PER_INPUT = "per input"
"""Value, in noise parameters, of a parameter of which every input has its own."""
PER_INPUT_NOISE = "(per-input noise)"
"""Ends the guarantee of radii for which every input has a noise of its own: no certificate of one classifier."""
PER_INPUT_CAVEAT = (
    "each radius holds for the classifier that smooths the whole ball around its input with the noise chosen for that "
    "input. It is no certificate of a deployed classifier that chooses its noise anew at every point, unless the "
    "choice is remembered for the ball. So these rows are compared with each other only."
)


def per_input_noise(guarantee: str) -> str:
    """The label of radii whose noise was chosen for their input."""
    return conditioned(guarantee, PER_INPUT_NOISE)


def parameters_of(noise_params: str) -> Mapping[str, object] | None:
    """What canonical JSON says; None for what is no JSON map, such as a log's own words."""
    try:
        found = json.loads(noise_params)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def round_down(value: float, digits: int = 3) -> str:
    """Decimal text of ``value`` with ``digits`` places, never above it (a rounded-up radius is a false certificate)."""
    return str(Decimal(value).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_FLOOR))


def norm_name(norm: float) -> str:
    """``1``, ``2``, ..., ``inf``."""
    return f"{norm:g}"


@dataclass(frozen=True)
class Setting:
    """What one curve belongs to. ``noise_params`` is canonical JSON; ``sigma`` None where unknown or non-existent.

    ``noise`` is empty for an uncertified defense, and then so are ``norm``, ``solver`` and ``guarantee``.
    """

    source: str
    defense: str
    dataset: str
    noise: str
    noise_params: str
    sigma: float | None
    norm: str
    solver: str

    @property
    def label(self) -> str:
        """Short name for legends: defense, noise and its level; for an envelope the defense that it is taken over."""
        if self.defense == ENVELOPE:
            over = json.loads(self.noise_params or "{}").get("defense")
            return f"{ENVELOPE} of {over}" if over else ENVELOPE
        return f"{self.defense}, {self.noise} {self.level}".rstrip() if self.noise else self.defense

    @property
    def level(self) -> str:
        """Its sigma, or where there is none its parameters, the scale last: "levels=16 scale=0.5"."""
        if self.sigma is not None:
            return f"\u03c3={self.sigma:g}"
        params = parameters_of(self.noise_params or "{}")
        if params is None:
            return self.noise_params
        return " ".join(f"{name}={params[name]}" for name in sorted(params, key=lambda name: (name == "scale", name)))


@dataclass(frozen=True)
class CertifiedAccuracy:
    """Certified accuracy at one radius: correct, not abstained, R >= radius, as a fraction of all inputs.

    ``lower``, ``upper``: 95 per cent Clopper-Pearson over the inputs. ``guarantee``: weakest label among those counted.
    """

    setting: Setting
    guarantee: str
    radius: float
    certified_accuracy: float
    lower: float
    upper: float
    n_inputs: int
    best: bool = False
    """The highest value at this radius among the comparable rows of the same data set and norm."""


@dataclass(frozen=True)
class Summary:
    """One line per setting. None: not measured (for example the clean accuracy of a published log).

    ``acr``: average certified radius, abstained and wrong count 0. ``robustness_score``: area under the certified
    accuracy curve of the best noise at each radius (only on the envelope). ``max_radius``: the largest attainable.
    """

    setting: Setting
    guarantee: str
    acr: float | None
    clean_accuracy: float | None
    smoothed_accuracy: float | None
    abstention_rate: float | None
    max_radius: float | None
    n_inputs: int
    samples: int | None
    seconds: float | None
    robustness_score: float | None = None


@dataclass(frozen=True)
class CertificateRow:
    """One certificate. ``prediction`` None when abstained; ``p_lower``, ``p_upper`` None for published logs."""

    setting: Setting
    index: int
    label: int
    prediction: int | None
    abstained: bool
    correct: bool
    solver_used: str
    guarantee: str
    radius: float
    p_lower: float | None
    p_upper: float | None
    n: int | None
    bound: str
    alpha: float | None
    seconds: float | None = None


@dataclass(frozen=True)
class PredictionRow:
    """One PREDICT (Cohen et al., Algorithm 1). ``p_value``: two-sided binomial test of the top two counts."""

    source: str
    defense: str
    noise: str
    noise_params: str
    index: int
    label: int
    prediction: int | None
    abstained: bool
    correct: bool
    p_value: float
    n: int
    alpha: float


@dataclass(frozen=True)
class Curve:
    """Certified accuracy as a step function: ``accuracy[i]`` holds on (radius[i-1], radius[i]]; radius[0] = 0."""

    setting: Setting
    radius: np.ndarray
    accuracy: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


@dataclass(frozen=True)
class PairedTest:
    """Exact McNemar test of two settings on the inputs that both saw, at one radius, Holm-corrected.

    ``only_first``, ``only_second``: inputs certified by one and not by the other.
    """

    first: Setting
    second: Setting
    radius: float
    n_inputs: int
    only_first: int
    only_second: int
    p_value: float
    p_adjusted: float


@dataclass(frozen=True)
class Flag:
    """Something that a reader must know of a source: not comparable, incomplete, impossible radii, assumed values."""

    source: str
    kind: str
    message: str


@dataclass(frozen=True)
class GalleryItem:
    """One input, clean and in one noisy draw (PNG). ``rank``: "best" or "worst". ``prediction`` None when abstained."""

    setting: Setting
    rank: str
    index: int
    label: str
    prediction: str | None
    correct: bool
    radius: float
    clean_png: bytes
    noisy_png: bytes


@dataclass(frozen=True)
class Cost:
    """Draws and seconds of one task (defense and noise level), by stage."""

    source: str
    defense: str
    noise: str
    noise_params: str
    stage: str
    samples: int
    seconds: float
    device: str


@dataclass(frozen=True)
class Share:
    """One use of failure probability, per input."""

    source: str
    purpose: str
    alpha: float


@dataclass(frozen=True)
class Candidate:
    """One candidate of a noise optimisation, in the order of evaluation (``number`` from 1, the spec's own first).

    ``index``: the input that it is for, None for all. ``noise_params``: the spec's own; ``params``: the candidate's, as
    canonical JSON. ``value``: of the ``objective`` (name for people) in ``norm``, from radii with this ``guarantee``
    ("" where no solver has any) that hold for all candidates of an input jointly, at ``alpha``.
    """

    source: str
    defense: str
    noise: str
    noise_params: str
    mode: str
    index: int | None
    number: int
    params: str
    objective: str
    norm: str
    value: float
    guarantee: str
    alpha: float
    chosen: bool


@dataclass(frozen=True)
class Report:
    """Everything that a reporter may show.

    ``radii``: the grid of the tables. ``protocol``, ``environment``: per source, ordered (name, value) pairs.
    ``simultaneous``: False says that each certificate holds with probability 1 - alpha *per input*, not all at once.
    """

    title: str
    radii: Sequence[float]
    certified_accuracy: Sequence[CertifiedAccuracy]
    summary: Sequence[Summary]
    certificates: Sequence[CertificateRow]
    curves: Sequence[Curve]
    predictions: Sequence[PredictionRow] = ()
    paired: Sequence[PairedTest] = ()
    flags: Sequence[Flag] = ()
    gallery: Sequence[GalleryItem] = ()
    costs: Sequence[Cost] = ()
    budget: Sequence[Share] = ()
    candidates: Sequence[Candidate] = ()
    protocol: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    environment: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    simultaneous: bool = False
    conditions: Sequence[tuple[str, str]] = ()
    """(end of guarantee labels, what it means): what the noise of some certificates makes them presuppose."""
    validation: Validation | None = None
    """Of a validation this is all there is: its report has no certificates."""

    @property
    def certainty(self) -> Literal["none", "some", "all"]:
        """Which certificates hold with certainty, not only with a probability: those of alpha 0."""
        certain = {row.alpha == 0 for row in self.certificates}
        return "none" if True not in certain else "all" if False not in certain else "some"
