"""Results store: one SQLite file per run holds the spec, the counts, what was derived from them, and what it cost."""

from robustbench_rs.store.directory import DATABASE, RunDirectory, set_aside
from robustbench_rs.store.runs import (
    WHOLE_DATA_SET,
    CandidateRow,
    CostRow,
    InputsRow,
    RunStore,
    TaskRow,
    open_run,
)

__all__ = [
    "DATABASE",
    "WHOLE_DATA_SET",
    "CandidateRow",
    "CostRow",
    "InputsRow",
    "RunDirectory",
    "RunStore",
    "TaskRow",
    "open_run",
    "set_aside",
]
