"""Certificates, one row per input."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from robustbench_rs.api.log_format import certificate_log
from robustbench_rs.api.report import CertificateRow, Setting
from robustbench_rs.reporting.levels import Level
from robustbench_rs.results import Measured, Source


def certificate_rows(setting: Setting, m: Measured) -> list[CertificateRow]:
    """Rows of one noise level, in the order of its inputs."""
    return [
        CertificateRow(
            setting=setting,
            index=index,
            label=label,
            prediction=None if abstained else prediction,
            abstained=abstained,
            correct=correct,
            solver_used=used,
            guarantee=guarantee,
            radius=0.0 if abstained else radius,
            p_lower=p_lower,
            p_upper=p_upper,
            n=m.n,
            bound=m.bound,
            alpha=m.alpha if m.level is None else m.level,
            seconds=seconds,
        )
        for index, label, prediction, abstained, correct, used, guarantee, radius, p_lower, p_upper, seconds in zip(
            m.indices.tolist(),
            m.labels.tolist(),
            m.predictions.tolist(),
            m.abstained.tolist(),
            m.correct.tolist(),
            m.solver_used,
            m.guarantee,
            m.radius.tolist(),
            _column(m.p_lower, m),
            _column(m.p_upper, m),
            _column(m.seconds_per_input, m),
            strict=True,
        )
    ]


def _column(values: np.ndarray | None, m: Measured) -> Iterable[float | None]:
    return [None] * len(m.indices) if values is None else values.tolist()


def log_text(measured: Measured) -> str:
    """The level as a tab-separated log (:mod:`robustbench_rs.api.log_format`): radii rounded down, -1 = abstained."""
    level = Level(Source("", "run", (measured,)), measured)
    return certificate_log(certificate_rows(level.setting, measured))
