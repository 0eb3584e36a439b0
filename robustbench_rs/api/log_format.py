"""The interchange format of most papers' code: tab-separated ``idx label predict radius correct time``.

It stands here, and not in a reporter, because the core reads and writes it too.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import ROUND_FLOOR, Decimal

from robustbench_rs.api.report import CertificateRow

LOG_COLUMNS = ("idx", "label", "predict", "radius", "correct", "time")
LOG_ABSTAIN = -1
UNKNOWN_TIME = "nan"
"""A word and not an empty field: readers that split at white space still find six columns."""


def round_down_significant(value: float, digits: int = 6) -> str:
    """Decimal text of ``value`` >= 0 with ``digits`` significant digits, never above it.

    Significant digits keep small radii apart, where a fixed number of places would print them as 0.
    """
    exact = Decimal(value)
    if exact <= 0:
        return "0.0"
    floored = exact.quantize(Decimal(1).scaleb(exact.adjusted() - digits + 1), rounding=ROUND_FLOOR)
    text = f"{floored:f}"
    text = text.rstrip("0") if "." in text else text + "."
    return text + "0" if text.endswith(".") else text


def certificate_log(rows: Iterable[CertificateRow]) -> str:
    """The rows as a log that other papers' scripts read: radii rounded down, predict -1 where abstained.

    ``time`` is ``h:mm:ss.micro`` as in the published logs, ``nan`` where it was not measured.
    """
    lines = ["\t".join(LOG_COLUMNS)]
    lines += ["\t".join(_fields(row)) for row in rows]
    return "\n".join(lines) + "\n"


def _fields(row: CertificateRow) -> tuple[str, ...]:
    predict = LOG_ABSTAIN if row.prediction is None else row.prediction
    radius = "0.0" if row.abstained else round_down_significant(row.radius)
    time = UNKNOWN_TIME if row.seconds is None else str(timedelta(seconds=row.seconds))
    return str(row.index), str(row.label), str(predict), radius, str(int(row.correct)), time
