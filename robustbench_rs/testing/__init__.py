"""Conformance suites for plugin authors: what ``robustbench-rs plugins check NAME`` runs, callable from pytest too."""

from __future__ import annotations

from robustbench_rs.testing.conformance import check_component
from robustbench_rs.testing.result import CheckResult

__all__ = ["CheckResult", "check_component"]
