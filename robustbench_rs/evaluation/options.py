"""How a run is carried out: nothing here may change a result, only where and when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from robustbench_rs.api import Progress, SilentProgress
from robustbench_rs.plugins import AllowedImporter


@dataclass(frozen=True)
class RunOptions:
    """``out``: the run's directory, by default ``runs/NAME`` in the working directory. ``cache``: where trained weights
    and solvers' tables are kept. ``device``: ``auto``, ``cpu``, ``cuda``, ``cuda:0,1``, ``mps``. ``shard``: (i, n), the
    i-th of n parts of the inputs, counted from 1. ``plugin_files``: files given by ``-p``, which worker processes must
    load too.
    """

    out: Path | None = None
    cache: Path = Path("~/.cache/robustbench_rs")
    device: str = "auto"
    fresh: bool = False
    shard: tuple[int, int] | None = None
    importer: AllowedImporter = field(default_factory=AllowedImporter)
    plugin_files: tuple[Path, ...] = ()
    progress: Progress = field(default_factory=SilentProgress)
