"""Published logs as run directories: the text is kept as it was printed, and read again whenever it is reported."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from robustbench_rs.errors import InputError
from robustbench_rs.reporting import read_logs
from robustbench_rs.reporting.log_meta import UNKNOWN_DATASET
from robustbench_rs.results import Source
from robustbench_rs.store import DATABASE, RunDirectory, RunStore, open_run


def import_log(log: Path, out: Path, *, log_meta: Path | None = None) -> Source:
    """Write the new run directory ``out`` from one tab-separated log, checked as :func:`compare` checks it.

    Raises :class:`InputError` when the log cannot be read or ``out`` already holds a run.
    """
    if (out / DATABASE).exists():
        raise InputError(f"{out} already holds a run; choose another --out")
    source = read_logs([log], log_meta)[0]
    sidecars = [path for path in (Path(f"{log}.yaml"), log.with_suffix(".yaml")) if path.is_file()]
    texts = {"meta": log_meta, "sidecar": sidecars[0] if sidecars else None}
    kept = {key: path.read_text(encoding="utf-8") for key, path in texts.items() if path is not None}
    if not kept and source.measured[0].dataset != UNKNOWN_DATASET:
        # The folders that the log lay in may have told the data set; the copy no longer lies there.
        kept["sidecar"] = json.dumps({"dataset": source.measured[0].dataset})
    with RunDirectory(out) as directory, open_run(directory.database, write=True) as store:
        store.add_log(log.name, log.read_text(encoding="utf-8"), kept)
    return source


def read_imported(store: RunStore) -> Source | None:
    """The source of an imported log; None for a run of our own."""
    for name, text, kept in store.logs():
        with tempfile.TemporaryDirectory() as folder:
            log, meta = Path(folder, name), Path(folder, "log-meta.yaml")
            log.write_text(text, encoding="utf-8")
            if "sidecar" in kept:
                Path(f"{log}.yaml").write_text(kept["sidecar"], encoding="utf-8")
            if "meta" in kept:
                meta.write_text(kept["meta"], encoding="utf-8")
            return read_logs([log], meta if "meta" in kept else None)[0]
    return None
