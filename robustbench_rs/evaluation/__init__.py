"""Plan, run, resume, and read back. Importing this never imports torch; :func:`evaluate` does when it is called."""

from robustbench_rs.evaluation.comparing import compare
from robustbench_rs.evaluation.importing import import_log
from robustbench_rs.evaluation.loading import Run, load_results, load_run
from robustbench_rs.evaluation.merging import merge_runs
from robustbench_rs.evaluation.options import RunOptions
from robustbench_rs.evaluation.plan import Task, describe_plan, plan
from robustbench_rs.evaluation.run import REPORT_FOLDER, evaluate, make_reporters
from robustbench_rs.evaluation.solving import solve
from robustbench_rs.evaluation.validation_run import ValidationRun, describe_validation, validate_noises

__all__ = [
    "REPORT_FOLDER",
    "Run",
    "RunOptions",
    "Task",
    "ValidationRun",
    "compare",
    "describe_plan",
    "describe_validation",
    "evaluate",
    "import_log",
    "load_results",
    "load_run",
    "make_reporters",
    "merge_runs",
    "plan",
    "solve",
    "validate_noises",
]
