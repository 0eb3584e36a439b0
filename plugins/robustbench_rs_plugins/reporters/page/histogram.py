"""Radii of each setting in bins that are closed below: a radius is always counted at or under itself."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from robustbench_rs.api import Report
from robustbench_rs.api.report import CertificateRow
from robustbench_rs_plugins.reporters.page.numbers import radius
from robustbench_rs_plugins.reporters.page.settings import Catalogue, Group, Shown

BINS = 24


@dataclass(frozen=True)
class Bar:
    """Inputs with ``low <= R < high``. ``x``, ``width``: share of the axis, in per cent; heights likewise."""

    low: str
    high: str
    x: float
    width: float
    correct: int
    wrong: int
    correct_height: float
    wrong_height: float


@dataclass(frozen=True)
class Histogram:
    """``largest``: the largest radius among correct inputs, rounded down; "" when there is none."""

    shown: Shown
    n_inputs: int
    abstained: int
    wrong: int
    largest: str
    bars: list[Bar]


@dataclass(frozen=True)
class Histograms:
    """All of one group on the same axes. ``ticks``: texts of the axis from 0 to its end; ``highest``: tallest bar."""

    ticks: list[str]
    highest: int
    settings: list[Histogram]


def bin_edges(largest: float, bins: int = BINS) -> list[Decimal]:
    """Decimal edges 0, step, 2 step, ... past ``largest``, step one of 1, 2, 5 times a power of ten."""
    if largest <= 0:
        return [Decimal(0), Decimal(1)]
    target = largest / bins
    power = math.floor(math.log10(target))
    step = next(s for s in (Decimal(d).scaleb(power) for d in (1, 2, 5, 10, 20)) if float(s) >= target)
    return [
        step * i for i in range(math.floor(largest / float(step)) + 3) if i == 0 or float(step * (i - 1)) <= largest
    ]


def histograms(report: Report, catalogue: Catalogue, groups: Sequence[Group]) -> dict[Group, Histograms]:
    """Per group the distribution of radii of its settings; certificates are counted, nothing else is derived."""
    rows: dict[Shown, list[CertificateRow]] = defaultdict(list)
    for row in report.certificates:
        rows[catalogue[row.setting]].append(row)
    found = {}
    for group in groups:
        members = [shown for shown in catalogue.of(group) if shown in rows]
        if members:
            found[group] = _group_histograms([(shown, rows[shown]) for shown in members])
    return found


def _group_histograms(members: Sequence[tuple[Shown, Sequence[CertificateRow]]]) -> Histograms:
    finite = [row.radius for _, rows in members for row in rows if not row.abstained and math.isfinite(row.radius)]
    edges = bin_edges(max(finite, default=0.0))
    counts = [(_binned(rows, edges, correct=True), _binned(rows, edges, correct=False)) for _, rows in members]
    highest = max(1, max(int((correct + wrong).max()) for correct, wrong in counts))
    settings = [
        _histogram(shown, rows, edges, correct, wrong, highest)
        for (shown, rows), (correct, wrong) in zip(members, counts, strict=True)
    ]
    middle = edges[-1] / 2
    return Histograms([f"{float(tick):.6g}" for tick in (edges[0], middle, edges[-1])], highest, settings)


def _binned(rows: Sequence[CertificateRow], edges: Sequence[Decimal], correct: bool) -> np.ndarray:
    """Counts (bins,) of certificates with edge[i] <= radius < edge[i + 1]."""
    radii = np.array([row.radius for row in rows if not row.abstained and row.correct == correct])
    places = np.searchsorted([float(edge) for edge in edges], radii, side="right") - 1
    counted: np.ndarray = np.bincount(np.clip(places, 0, len(edges) - 2), minlength=len(edges) - 1)
    return counted


def _histogram(
    shown: Shown,
    rows: Sequence[CertificateRow],
    edges: Sequence[Decimal],
    correct: np.ndarray,
    wrong: np.ndarray,
    highest: int,
) -> Histogram:
    width = 100 / len(correct)
    bars = [
        Bar(str(edges[i]), str(edges[i + 1]), round(i * width, 3), round(width, 3), int(right), int(bad),
            round(100 * right / highest, 2), round(100 * bad / highest, 2))
        for i, (right, bad) in enumerate(zip(correct, wrong, strict=True))
        if right or bad
    ]  # fmt: skip
    return Histogram(
        shown,
        n_inputs=len(rows),
        abstained=sum(row.abstained for row in rows),
        wrong=int(wrong.sum()),
        largest=radius(max((row.radius for row in rows if row.correct and not row.abstained), default=None)),
        bars=bars,
    )
