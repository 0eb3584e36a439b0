"""A reporter: one output format. It shows the numbers of a report, and computes none."""

from __future__ import annotations

from robustbench_rs.api import Report, Reporter, hookimpl
from robustbench_rs.api.report import round_down


class Example(Reporter):
    """Average certified radii as plain text."""

    name = "example"
    # Parameters, if any, stand in a nested `class Params(Params)` and arrive as self.params.

    def render(self, report: Report) -> dict[str, str | bytes]:
        """File name -> content; the framework writes the files into DIR/report/."""
        lines = [report.title]
        for row in report.summary:
            # Radii are certificates: a shortened one is rounded down.
            acr = "not measured" if row.acr is None else round_down(row.acr)
            lines.append(
                f"{row.setting.label}, norm {row.setting.norm or '-'}: ACR {acr} ({row.guarantee or 'uncertified'})"
            )
        return {"example.txt": "\n".join(lines) + "\n"}


@hookimpl
def robustbench_rs_reporters() -> list[type[Example]]:
    """The reporters of this file."""
    return [Example]
