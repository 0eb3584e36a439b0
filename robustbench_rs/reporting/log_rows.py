"""The rows of one tab-separated log, checked line by line."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustbench_rs.api.log_format import LOG_ABSTAIN, LOG_COLUMNS
from robustbench_rs.errors import InputError, shorten

TIME = re.compile(r"(?:(\d+) days?, )?(\d+):(\d\d):(\d\d(?:\.\d+)?)")
UNKNOWN = ("", "nan", "NaN")


@dataclass(frozen=True)
class LogRows:
    """Columns of a log, sorted by index; arrays are (m,). ``predictions`` is -1 where ``abstained``.

    ``seconds``: None unless every row has a time. ``sigma``: of a column of that name, when it has one value only.
    """

    indices: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    abstained: np.ndarray
    radius: np.ndarray
    seconds: np.ndarray | None
    sigma: float | None


@dataclass(frozen=True)
class _Row:
    index: int
    label: int
    predict: int
    radius: float
    seconds: float
    sigma: float


def read_rows(path: Path) -> LogRows:
    """Rows of a log with the columns ``idx label predict radius correct time``; further columns are left alone.

    Raises ``InputError`` with file and line for anything that is not such a row, for an index that stands twice, and
    where ``correct`` contradicts label and prediction.
    """
    lines = _lines(path)
    header = lines[0].split("\t") if lines else []
    missing = [column for column in LOG_COLUMNS if column not in header]
    if missing:
        raise InputError(
            f"{path}:1: not a certification log: the first line must name the tab-separated columns "
            f"{' '.join(LOG_COLUMNS)}; {', '.join(missing)} missing"
        )
    rows: dict[int, _Row] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        try:
            row = _parse(header, line.split("\t"))
            if row.index in rows:
                raise ValueError(f"index {row.index} stands twice")
        except ValueError as error:
            raise InputError(
                f"{path}:{number}: {error}; correct the line, or delete it if the run was cut off"
            ) from None
        rows[row.index] = row
    if not rows:
        raise InputError(f"{path}: the log has a header and no rows: nothing was certified")
    return _columns([rows[index] for index in sorted(rows)])


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file; expected a tab-separated log") from None
    except OSError as error:
        raise InputError(f"cannot read the log {path}: {error.strerror or error}") from None


def _parse(header: list[str], values: list[str]) -> _Row:
    if len(values) != len(header):
        raise ValueError(f"{len(values)} tab-separated fields where the header has {len(header)}")
    fields = dict(zip(header, (value.strip() for value in values), strict=True))
    row = _Row(
        index=_integer(fields, "idx", 0),
        label=_integer(fields, "label", 0),
        predict=_integer(fields, "predict", LOG_ABSTAIN),
        radius=_radius(fields["radius"]),
        seconds=_seconds(fields["time"]),
        sigma=_sigma(fields.get("sigma", "nan")),
    )
    if fields["correct"] not in ("0", "1"):
        raise ValueError(f"correct must be 0 or 1, not {shorten(fields['correct'])}")
    if (row.predict == row.label) != (fields["correct"] == "1"):
        raise ValueError(f"correct is {fields['correct']}, but label is {row.label} and predict is {row.predict}")
    if row.predict == LOG_ABSTAIN and row.radius > 0:
        raise ValueError(f"an abstention (predict {LOG_ABSTAIN}) with radius {row.radius}")
    return row


def _integer(fields: Mapping[str, str], column: str, least: int) -> int:
    try:
        number = int(fields[column])
    except ValueError:
        raise ValueError(f"{column} must be a whole number, not {shorten(fields[column])}") from None
    if not least <= number < 2**63:
        raise ValueError(f"{column} must be at least {least}, not {shorten(number)}")
    return number


def _radius(text: str) -> float:
    try:
        radius = float(text)
    except ValueError:
        radius = math.nan
    if not (math.isfinite(radius) and radius >= 0):
        raise ValueError(f"radius must be a finite number >= 0, not {shorten(text)}")
    return radius


def _seconds(text: str) -> float:
    if text in UNKNOWN:
        return math.nan
    if match := TIME.fullmatch(text):
        days, hours, minutes, seconds = match.groups(default="0")
        return ((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 + float(seconds)
    try:
        seconds_given = float(text)
    except ValueError:
        seconds_given = math.nan
    if not (math.isfinite(seconds_given) and seconds_given >= 0):
        raise ValueError(f"time must be seconds or h:mm:ss, not {shorten(text)}")
    return seconds_given


def _sigma(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"sigma must be a number, not {shorten(text)}") from None


def _columns(rows: list[_Row]) -> LogRows:
    predictions = np.array([row.predict for row in rows], dtype=np.int64)
    seconds = np.array([row.seconds for row in rows])
    sigmas = {row.sigma for row in rows}
    only = next(iter(sigmas)) if len(sigmas) == 1 else math.nan
    return LogRows(
        indices=np.array([row.index for row in rows], dtype=np.int64),
        labels=np.array([row.label for row in rows], dtype=np.int64),
        predictions=predictions,
        abstained=predictions == LOG_ABSTAIN,
        radius=np.array([row.radius for row in rows]),
        seconds=None if np.isnan(seconds).any() else seconds,
        sigma=only if only > 0 else None,
    )
