"""A validation on the terminal: one block for each norm and dimension, at most 100 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from robustbench_rs.api.labels import is_proved
from robustbench_rs.api.shown import shown_down, shown_ratio
from robustbench_rs.api.validation import BestNoise, Bracket, Case, Validation

WIDTH = 100
MAX_LABEL = 38
MAX_NAMES = 3
RATIO_LEGEND = "in brackets: the proved radius as a share of what the truth is known not to exceed, if anything"
BEST_LEGEND = "* best at this pA and standard deviation; *? largest, but another may have a larger true radius"


def terminal_validation(validation: Validation) -> str:
    """Radii rounded down, by noise and pA, with the label of each that is not proved."""
    blocks: dict[tuple[str, int], list[Bracket]] = {}
    for bracket in validation.brackets:
        blocks.setdefault((bracket.case.norm, bracket.case.dim), []).append(bracket)
    best = {(each.case, each.p_lower): each for each in validation.best}
    parts = [_block(norm, dim, rows, best) for (norm, dim), rows in blocks.items()]
    if blocks:
        parts.append(BEST_LEGEND if best else RATIO_LEGEND)
    else:
        parts.append("no solver gives any radius")
    return "\n\n".join([*parts, *_silent(validation)])


def _block(norm: str, dim: int, rows: Sequence[Bracket], best: dict[tuple[Case, float], BestNoise]) -> str:
    probabilities = sorted({row.p_lower for row in rows})
    cells: dict[Case, dict[float, str]] = {}
    for row in rows:
        mark = _mark(best.get((row.case, row.p_lower))) if best else _share(row)
        cells.setdefault(row.case, {})[row.p_lower] = _cell(row) + mark
    width = max(12, *(len(text) + 2 for texts in cells.values() for text in texts.values()))
    label = min(MAX_LABEL, max(len(case.label) for case in cells))
    shown = _spread(probabilities, max(1, (WIDTH - label) // width))
    some = f"; {len(shown)} of {len(probabilities)} pA shown" if len(shown) < len(probabilities) else ""
    lines = [f"norm {norm}, d = {dim}: radius at pA{some}"]
    lines.append("pA =".ljust(label) + "".join(repr(p).rjust(width) for p in shown))
    for case, texts in cells.items():
        values = "".join(texts.get(p, "").rjust(width) for p in shown)
        lines.append(f"{_cut(case.label, label).ljust(label)}{values}".rstrip())
    return "\n".join(lines)


def _cell(bracket: Bracket) -> str:
    label = "" if bracket.guarantee == "proved" else f" {bracket.guarantee}"
    return shown_down(bracket.radius) + label


def _share(bracket: Bracket) -> str:
    if not is_proved(bracket.guarantee):
        return ""
    return f" ({shown_ratio(bracket.ratio)})"


def _mark(best: BestNoise | None) -> str:
    return "  " if best is None else "* " if best.decided else "*?"


def _spread(values: Sequence[float], count: int) -> list[float]:
    """At most ``count`` of them, the first and the last among them where there is room for two."""
    if len(values) <= count:
        return list(values)
    return [values[i * (len(values) - 1) // max(1, count - 1)] for i in range(count)]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "\u2026"


def _silent(validation: Validation) -> Iterable[str]:
    """Cases without any radius: their reasons stand in the report."""
    solved = {bracket.case for bracket in validation.brackets}
    silent = [case for refusal in validation.refusals for case in refusal.cases if case not in solved]
    names = list(dict.fromkeys(f"{case.label}, norm {case.norm}, d = {case.dim}" for case in silent))
    if names:
        more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
        text = f"no radius by any solver, see the report: {'; '.join(names[:MAX_NAMES])}{more}"
        yield "\n".join(textwrap.wrap(text, WIDTH, subsequent_indent="  "))
