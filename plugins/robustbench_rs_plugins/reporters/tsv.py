"""Reporter ``tsv``: one log per noise level and norm, as other papers' scripts read them, with what it was measured."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

from robustbench_rs.api import Report, Reporter, hookimpl
from robustbench_rs.api.log_format import certificate_log
from robustbench_rs.api.report import PER_INPUT, CertificateRow, Setting

UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class TsvReporter(Reporter):
    """``NAME.tsv`` (``idx label predict radius correct time``; radii rounded down, predict -1 where abstained).

    Beside each log ``NAME.yaml`` states data set, noise, sigma, norm, n and alpha, so that it can be read back.
    """

    name: ClassVar[str] = "tsv"

    def render(self, report: Report) -> dict[str, str | bytes]:
        """Two files for each setting that has certificates."""
        logs: dict[Setting, list[CertificateRow]] = {}
        for row in report.certificates:
            logs.setdefault(row.setting, []).append(row)
        files: dict[str, str | bytes] = {}
        several = len({setting.source for setting in logs}) > 1
        for setting, rows in logs.items():
            name = _unused(_stem(setting, several), files)
            files[f"{name}.tsv"] = certificate_log(rows)
            files[f"{name}.yaml"] = _sidecar(setting, rows[0])
        return files


def _stem(setting: Setting, several_sources: bool) -> str:
    level = f"sigma_{setting.sigma!r}" if setting.sigma is not None else setting.noise_params
    source = (setting.source,) if several_sources and setting.source != setting.defense else ()
    per_input = ("per-input-noise",) if _is_per_input(setting) else ()
    parts = (*source, setting.defense, setting.noise, level, *per_input, f"norm_{setting.norm}", setting.solver)
    return UNSAFE.sub("-", "_".join(parts)).strip(".-") or "log"


def _unused(stem: str, files: dict[str, str | bytes]) -> str:
    number = 2
    name = stem
    while f"{name}.tsv" in files:
        name, number = f"{stem}-{number}", number + 1
    return name


def _sidecar(setting: Setting, row: CertificateRow) -> str:
    """YAML, written as one JSON value per key, which YAML reads as it stands."""
    values: dict[str, Any] = {
        "dataset": setting.dataset,
        "noise": _noise(setting),
        "sigma": setting.sigma,
        "norm": "inf" if setting.norm == "inf" else float(setting.norm),
        "n": row.n,
        "alpha": row.alpha,
    }
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in values.items() if value is not None)


def _noise(setting: Setting) -> str | dict[str, Any]:
    """The name alone where sigma, which has its own key, is all there is to say."""
    params = json.loads(setting.noise_params or "{}")
    alone = not params.keys() - {"sigma"} and not _is_per_input(setting)
    return setting.noise if alone else {"name": setting.noise, **params}


def _is_per_input(setting: Setting) -> bool:
    """A log has no room for the label of its radii; its name and its parameters say that it is no usual log."""
    return json.dumps(PER_INPUT) in setting.noise_params


@hookimpl
def robustbench_rs_reporters() -> list[type[Reporter]]:
    """This module's reporter."""
    return [TsvReporter]
