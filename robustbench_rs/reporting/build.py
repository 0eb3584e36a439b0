"""From measured results to the report: the one place where all its parts come together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robustbench_rs.api.report import PER_INPUT_CAVEAT, CertifiedAccuracy, Flag, Report, Summary
from robustbench_rs.errors import InputError
from robustbench_rs.reporting.attainable import impossible_flags
from robustbench_rs.reporting.certificates import certificate_rows
from robustbench_rs.reporting.comparison import Group, compare
from robustbench_rs.reporting.curves import curve_of
from robustbench_rs.reporting.envelope import Envelope, envelopes_of
from robustbench_rs.reporting.levels import AS_PRINTED, Level, has_noise_per_input, levels_of
from robustbench_rs.reporting.paired import MAX_RADII, paired_tests
from robustbench_rs.reporting.summary import envelope_summary, level_summary, uncertified_summary
from robustbench_rs.reporting.tables import accuracy_rows, best_counts
from robustbench_rs.results import Source


def build_report(sources: Sequence[Source], radii: Sequence[float], title: str) -> Report:
    """Every number that a reporter shows. ``radii``: the grid of the tables, ascending, in input units.

    Raises ``InputError`` for no sources, sources of the same name, an empty subset or an empty grid; ``RunError`` for
    radii that are no finite numbers >= 0.
    """
    if not sources or not len(radii):
        raise InputError("nothing to report: give at least one run or log, and at least one radius")
    grid = np.asarray(radii, dtype=np.float64)
    levels = levels_of(sources)
    groups, not_comparable = compare(sources, levels)
    envelopes = envelopes_of(levels, groups)
    largest = max((float(level.sorted_reach[-1]) for level in levels if len(level.sorted_reach)), default=0.0)
    end = max(float(grid[-1]), 1.02 * largest)  # a little further, so that every curve is seen to come down
    return Report(
        title=title,
        radii=tuple(grid.tolist()),
        certified_accuracy=_accuracy(levels, groups, envelopes, grid),
        summary=_summary(sources, levels, envelopes),
        certificates=[row for level in levels for row in certificate_rows(level.setting, level.measured)],
        curves=[*(curve_of(level, end) for level in levels), *(curve_of(envelope, end) for envelope in envelopes)],
        predictions=[row for source in sources for row in source.predictions],
        paired=(tests := paired_tests(groups, grid)),
        flags=[
            *_per_input_flags(levels),
            *_condition_flags(levels),
            *(flag for source in sources for flag in source.flags),
            *not_comparable,
            *impossible_flags(sources),
        ],
        gallery=[item for source in sources for item in source.gallery],
        costs=[cost for source in sources for cost in source.costs],
        budget=[share for source in sources for share in source.budget],
        candidates=[candidate for source in sources for candidate in source.candidates],
        protocol={source.name: source.protocol for source in sources if source.protocol},
        environment={source.name: source.environment for source in sources if source.environment},
        conditions=_conditions(levels),
        notes=_notes(sources, levels, envelopes, bool(tests), len(grid)),
    )


def _per_input_flags(levels: Sequence[Level]) -> list[Flag]:
    """The caveat of radii whose noise was chosen for their input, once for each source."""
    names = dict.fromkeys(level.source.name for level in levels if has_noise_per_input(level.measured))
    return [Flag(name, "per-input noise", PER_INPUT_CAVEAT) for name in names]


def _condition_flags(levels: Sequence[Level]) -> list[Flag]:
    """What certificates presuppose, in the words of their noise, once for each source."""
    stated = dict.fromkeys((level.source.name, level.measured.condition) for level in levels)
    return [Flag(name, each.label.strip("()"), each.meaning) for name, each in stated if each is not None]


def _conditions(levels: Sequence[Level]) -> list[tuple[str, str]]:
    """Each label once; several noises that share one may have it of different grids, say."""
    found: dict[str, dict[str, None]] = {}
    for condition in (level.measured.condition for level in levels):
        if condition is not None:
            found.setdefault(condition.label, {})[condition.meaning] = None
    return [(label, "; ".join(meanings)) for label, meanings in found.items()]


def _accuracy(
    levels: Sequence[Level], groups: Sequence[Group], envelopes: Sequence[Envelope], grid: np.ndarray
) -> list[CertifiedAccuracy]:
    best = best_counts(groups, grid)
    comparable = {id(level) for group in groups for level in group}
    rows: list[CertifiedAccuracy] = []
    for level in levels:
        marks = best.get((level.setting.dataset, level.setting.norm)) if id(level) in comparable else None
        rows += accuracy_rows(level, grid, marks)
    for envelope in envelopes:
        rows += accuracy_rows(envelope, grid)
    return rows


def _summary(sources: Sequence[Source], levels: Sequence[Level], envelopes: Sequence[Envelope]) -> list[Summary]:
    without_noise = [uncertified_summary(source, row) for source in sources for row in source.uncertified]
    return [*map(level_summary, levels), *map(envelope_summary, envelopes), *without_noise]


def _notes(
    sources: Sequence[Source], levels: Sequence[Level], envelopes: Sequence[Envelope], tested: bool, radii: int
) -> list[str]:
    notes = [note for source in sources for note in source.notes]
    notes.append(
        "Certified accuracy at r: the fraction of all inputs that are correct, not abstained and have a radius of at "
        "least r. Intervals: 95 per cent Clopper-Pearson over the inputs, as a sample of their data set."
    )
    certain = [level.measured.is_certain for level in levels]
    if not all(certain):
        notes.append(
            "Each certificate holds with probability at least 1 - alpha per input, not for all inputs at once."
        )
    if any(certain):
        notes.append(
            "Certificates of alpha 0 are deterministic: all draws that their noise can make were tried, so they hold "
            "with certainty, all at once, under the condition that their label names."
        )
    if envelopes:
        notes.append(
            "Rows 'envelope' are post hoc: at each radius they take the best noise level after looking at the results, "
            "and their intervals are not corrected for that choice. Robustness score: the area under that curve."
        )
    if tested:
        some = f" at {MAX_RADII} radii spread over the grid" if radii > MAX_RADII else ""
        notes.append(
            f"Paired tests: exact McNemar on the same inputs{some}; Holm-corrected over all tests of this report."
        )
    if any(label.startswith(AS_PRINTED) for level in levels for label in set(level.measured.guarantee)):
        notes.append("Radii of published logs are as printed, may be rounded up; nothing here proves them.")
    return notes
