"""The table on the terminal: certified accuracy per row and radius, at most 100 columns wide."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal

from robustbench_rs.api.report import ENVELOPE, PER_INPUT_NOISE, CertifiedAccuracy, Report, Setting, Summary, round_down
from robustbench_rs.reporting.levels import AS_PRINTED

WIDTH = 100
MIN_LABEL = 30
MAX_FLAG_LINES = 3
RADIUS_PLACES = 4
BEST = "*"


def terminal_table(report: Report) -> str:
    """One block for each data set and norm; ``*`` marks the best comparable value; radii that do not fit are left out.

    Radii are rounded down, accuracies to three places; guarantee is the weakest label of the row.
    """
    summaries: dict[tuple[str, str], list[Summary]] = {}
    for summary in report.summary:
        summaries.setdefault((summary.setting.dataset, summary.setting.norm), []).append(summary)
    accuracy: dict[Setting, list[CertifiedAccuracy]] = {}
    for row in report.certified_accuracy:
        accuracy.setdefault(row.setting, []).append(row)
    several = len({summary.setting.source for summary in report.summary}) > 1
    blocks = [_block(rows, accuracy, report.radii, several) for rows in summaries.values()]
    legend = [f"{BEST} best comparable value at this radius"] if any(r.best for r in report.certified_accuracy) else []
    if any(s.setting.defense == ENVELOPE for s in report.summary):
        legend.append("envelope: best noise level at each radius, post hoc")
    if any(s.guarantee.endswith(PER_INPUT_NOISE) for s in report.summary):
        legend.append(f"{PER_INPUT_NOISE}: no certificate of one deployed classifier; the noise was chosen per input")
    if any(s.guarantee.startswith(AS_PRINTED) for s in report.summary):
        legend.append("as printed: as printed in the log, may be rounded up; nothing here proves it")
    return "\n\n".join([*blocks, *(["\n".join(legend)] if legend else [])])


def terminal_flags(report: Report) -> str:
    """What a reader must know of the sources, each in at most three lines of 100 columns; the report has them whole.

    What is said of several sources alike stands once, and what is merely assumed comes last.
    """
    sources: dict[tuple[str, str], list[str]] = {}
    for flag in sorted(report.flags, key=lambda flag: flag.kind == "assumed"):
        sources.setdefault((flag.kind, flag.message), []).append(flag.source)
    return "\n".join(_wrapped(f"{kind}: {_of(names)}: {message}") for (kind, message), names in sources.items())


def _of(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} sources"


def _wrapped(text: str) -> str:
    lines = textwrap.wrap(text, WIDTH, subsequent_indent="  ", max_lines=MAX_FLAG_LINES, placeholder=" \u2026")
    return "\n".join(lines)


def _block(
    rows: Sequence[Summary],
    accuracy: dict[Setting, list[CertifiedAccuracy]],
    radii: Sequence[float],
    several_sources: bool,
) -> str:
    first = rows[0].setting
    ends = [_end_cells(row) for row in rows]
    end_widths = [max(map(len, column)) for column in zip(END_HEADER, *ends, strict=True)]
    names = [_name(row.setting, several_sources) for row in rows]
    has_radii = any(row.setting in accuracy for row in rows)
    label_width, shown = _layout(names, radii if has_radii else (), sum(end_widths) + 2 * len(end_widths))
    width = _radius_width(radii)
    lines = [_title(first, len(shown), len(radii) if has_radii else 0, [row.n_inputs for row in rows])]
    heads = [f"{_radius(radii[i]):>{width}}" for i in shown]
    lines.append(_line("r =", label_width, heads, END_HEADER, end_widths))
    for name, row, end in zip(names, rows, ends, strict=True):
        values = accuracy.get(row.setting)
        cells = [_accuracy(values[i] if values else None, width) for i in shown]
        lines.append(_line(name, label_width, cells, end, end_widths))
    return "\n".join(lines)


END_HEADER = ("ACR", "abstain", "guarantee")


def _end_cells(row: Summary) -> tuple[str, str, str]:
    acr = "" if row.acr is None else round_down(row.acr)
    abstained = "" if row.abstention_rate is None else _fraction(row.abstention_rate)
    return acr, abstained, row.guarantee


def _accuracy(row: CertifiedAccuracy | None, width: int) -> str:
    return (
        " " * width if row is None else f"{_fraction(row.certified_accuracy)}{BEST if row.best else ' '}".rjust(width)
    )


def _fraction(value: float) -> str:
    """Three places in four columns: ``.814``, ``1.00``."""
    text = f"{value:.3f}"
    return text[1:] if text.startswith("0") else text[:4]


def _radius(radius: float) -> str:
    """Down to four places: the accuracy beside it holds for every smaller radius too."""
    number = Decimal(repr(radius)).quantize(Decimal(1).scaleb(-RADIUS_PLACES), ROUND_FLOOR)
    return f"{number.normalize():f} "


def _radius_width(radii: Sequence[float]) -> int:
    return max([6, *(len(_radius(radius)) for radius in radii)])


def _layout(names: Sequence[str], radii: Sequence[float], end_width: int) -> tuple[int, list[int]]:
    """Width of the first column, and which radii fit beside it: all, or evenly spread ones."""
    space = WIDTH - end_width
    longest = max(map(len, names))
    width = _radius_width(radii) if len(radii) else 1
    label = min(longest, max(MIN_LABEL, space - width * len(radii)))
    fitting = max(1, (space - label) // width)
    if len(radii) <= fitting:
        return label, list(range(len(radii)))
    if fitting == 1:
        return label, [0]
    return label, [math.floor(i * (len(radii) - 1) / (fitting - 1)) for i in range(fitting)]


def _title(setting: Setting, shown: int, available: int, n_inputs: Sequence[int]) -> str:
    norm = f", norm {setting.norm}" if setting.norm else ", no certificates"
    part = f"; {shown} of {available} radii shown" if shown < available else ""
    fewest, most = min(n_inputs), max(n_inputs)
    inputs = str(most) if fewest == most else f"{fewest} to {most}"
    return f"{setting.dataset}{norm}: certified accuracy at radius r ({inputs} inputs{part})"


def _line(name: str, width: int, cells: Sequence[str], end: Sequence[str], end_widths: Sequence[int]) -> str:
    tail = "".join(f"  {cell:<{size}}" for cell, size in zip(end, end_widths, strict=True))
    return f"{_shortened(name, width):<{width}}{''.join(cells)}{tail}".rstrip()


def _shortened(text: str, width: int) -> str:
    """Cut in the middle: both ends of a log's name tell something."""
    if len(text) <= width:
        return text
    left = (width - 1) // 2
    return f"{text[:left]}\u2026{text[len(text) - (width - 1 - left) :]}"


def _name(setting: Setting, several_sources: bool) -> str:
    """As :attr:`Setting.label`, shorter: its level stands for the noise, and a log's name for all of it."""
    source = f"{setting.source}: " if several_sources and setting.source != setting.defense else ""
    if setting.defense == ENVELOPE or not setting.noise:
        return source + setting.label
    if setting.source == setting.defense:
        return setting.defense
    return f"{source}{setting.defense} {setting.level}".rstrip()
