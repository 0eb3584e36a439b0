"""One line per setting: average certified radius, accuracies, abstention, cost."""

from __future__ import annotations

import math

import numpy as np

from robustbench_rs.api.report import Setting, Summary
from robustbench_rs.reporting.envelope import Envelope
from robustbench_rs.reporting.levels import Level
from robustbench_rs.results import Source, Uncertified


def level_summary(level: Level) -> Summary:
    """Summary of one noise level; ACR counts abstained and wrong inputs as 0."""
    m, total = level.measured, level.n_inputs
    smoothed = m.smoothed_accuracy
    return Summary(
        setting=level.setting,
        guarantee=level.guarantee(),
        acr=math.fsum(level.sorted_reach.tolist()) / total,
        clean_accuracy=_fraction(m.clean_correct),
        smoothed_accuracy=int(np.count_nonzero(m.correct)) / total if smoothed is None else smoothed,
        abstention_rate=int(np.count_nonzero(m.abstained)) / total,
        max_radius=m.max_radius,
        n_inputs=total,
        samples=m.samples,
        seconds=m.seconds,
    )


def envelope_summary(envelope: Envelope) -> Summary:
    """Summary of an envelope: its area is the robustness score; what belongs to one classifier stays empty."""
    reachable = [member.measured.max_radius for member in envelope.members]
    known = [radius for radius in reachable if radius is not None]
    return Summary(
        setting=envelope.setting,
        guarantee=envelope.guarantee(),
        acr=None,
        clean_accuracy=None,
        smoothed_accuracy=None,
        abstention_rate=None,
        max_radius=max(known) if len(known) == len(reachable) else None,
        n_inputs=envelope.n_inputs,
        samples=None,
        seconds=None,
        robustness_score=envelope.area,
    )


def uncertified_summary(source: Source, uncertified: Uncertified) -> Summary:
    """Summary of a defense without noise: it has a clean accuracy and no certificates."""
    return Summary(
        setting=Setting(source.name, uncertified.defense, uncertified.dataset, "", "", None, "", ""),
        guarantee="",
        acr=None,
        clean_accuracy=_fraction(uncertified.clean_correct),
        smoothed_accuracy=None,
        abstention_rate=None,
        max_radius=None,
        n_inputs=len(uncertified.clean_correct),
        samples=None,
        seconds=None,
    )


def _fraction(correct: np.ndarray | None) -> float | None:
    return None if correct is None or not len(correct) else int(np.count_nonzero(correct)) / len(correct)
