"""Reporter ``csv``: the tables as files for other programs; floats by ``repr``, never rounded."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, ClassVar

from robustbench_rs.api import Report, Reporter, hookimpl
from robustbench_rs.api.report import Candidate, PredictionRow, Setting
from robustbench_rs_plugins.reporters.validation_csv import validation_files

LEVEL = ("source", "defense", "dataset", "noise", "noise_params", "sigma")
CERTIFIED = (*LEVEL, "norm", "solver", "guarantee")
INPUT = ("index", "label", "prediction", "abstained", "correct")

ACCURACY_COLUMNS = (*CERTIFIED, "radius", "certified_accuracy", "lower", "upper", "n_inputs")
ACCURACIES = ("acr", "clean_accuracy", "smoothed_accuracy", "abstention_rate")
SUMMARY_COLUMNS = (*CERTIFIED, *ACCURACIES, "max_radius", "n_inputs", "samples", "seconds")
RADIUS = ("norm", "solver", "solver_used", "guarantee", "radius", "p_lower", "p_upper", "n", "bound", "alpha")
CERTIFICATE_COLUMNS = (*LEVEL, *INPUT, *RADIUS)
PREDICTION_COLUMNS = ("source", "defense", "noise", "noise_params", *INPUT, "p_value", "n", "alpha")
CANDIDATE_COLUMNS = tuple(field.name for field in fields(Candidate))


class CsvReporter(Reporter):
    """``certified_accuracy.csv``, ``summary.csv`` and ``certificates.csv``; ``predictions.csv`` where there are any.

    Of a noise optimisation ``optimization.csv``: its candidates, and which one was chosen, for each input or for all.

    Of a validation ``validation.csv``, ``brackets.csv``, ``refused.csv``, and ``curves.csv`` and ``best_noise.csv``
    where it compares noises.
    """

    name: ClassVar[str] = "csv"

    def render(self, report: Report) -> dict[str, str | bytes]:
        """UTF-8 text with ``\\n`` line ends; an empty field is an unknown value, booleans are 0 and 1."""
        if report.validation is not None:
            return validation_files(report.validation)
        files: dict[str, str | bytes] = {
            "certified_accuracy.csv": _table(ACCURACY_COLUMNS, report.certified_accuracy),
            "summary.csv": _table(SUMMARY_COLUMNS, report.summary),
            "certificates.csv": _table(CERTIFICATE_COLUMNS, report.certificates),
        }
        if report.predictions:
            files["predictions.csv"] = _table(PREDICTION_COLUMNS, report.predictions)
        if report.candidates:
            files["optimization.csv"] = _table(CANDIDATE_COLUMNS, report.candidates)
        return files


def _table(columns: Sequence[str], rows: Sequence[object]) -> str:
    """The columns are the names of the rows' attributes, or of their settings'."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    if rows and not isinstance(rows[0], PredictionRow | Candidate):
        of_setting = {field.name for field in fields(Setting)}
        columns = [f"setting.{column}" if column in of_setting else column for column in columns]
    values: Iterable[tuple[Any, ...]] = map(attrgetter(*columns), rows)
    writer.writerows([_field(value) for value in row] for row in values)
    return text.getvalue()


def _field(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return repr(float(value)) if isinstance(value, float) else value


@hookimpl
def robustbench_rs_reporters() -> list[type[Reporter]]:
    """This module's reporter."""
    return [CsvReporter]
