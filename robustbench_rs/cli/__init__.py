"""The command line ``robustbench-rs``: the only room that reads the environment, prints, and ends the process."""

from __future__ import annotations

from robustbench_rs.cli.entry import main

__all__ = ["main"]
