"""Renderers of a finished report. They compute no statistics: all numbers stand in the :class:`Report`."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from robustbench_rs.api.component import Component
from robustbench_rs.api.report import Report


class Reporter(Component):
    """One output format; its name is what ``report.formats`` and ``--format`` list."""

    kind: ClassVar[str] = "reporter"

    @abstractmethod
    def render(self, report: Report) -> dict[str, str | bytes]:
        """File name (no folders) -> content. The framework writes them atomically into ``DIR/report/``."""
