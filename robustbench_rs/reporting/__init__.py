"""From results to tables, curves and comparisons, as data; rendering lives in reporter plugins.

Nothing here imports torch, matplotlib or plotly, so that ``compare`` starts in well under a second.
"""

from __future__ import annotations

from robustbench_rs.reporting.build import build_report
from robustbench_rs.reporting.certificates import log_text
from robustbench_rs.reporting.grid import default_grid, parse_grid
from robustbench_rs.reporting.logs import read_logs
from robustbench_rs.reporting.text import terminal_flags, terminal_table
from robustbench_rs.reporting.validation import validation_report
from robustbench_rs.reporting.validation_text import terminal_validation
from robustbench_rs.reporting.write import render_report, write_report

__all__ = [
    "build_report",
    "default_grid",
    "log_text",
    "parse_grid",
    "read_logs",
    "render_report",
    "terminal_flags",
    "terminal_table",
    "terminal_validation",
    "validation_report",
    "write_report",
]
