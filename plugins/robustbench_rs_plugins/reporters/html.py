"""Reporter ``html``: one self-contained page, no network, its tables readable without JavaScript."""

from __future__ import annotations

from typing import ClassVar

from robustbench_rs.api import Report, Reporter, hookimpl


class Html(Reporter):
    """Writes ``report.html``: curves, tables, radii, gallery, tests, cost, protocol and environment on one page.

    Plotly's JavaScript is inlined and a content security policy forbids every request; the same report and the same
    plotly version give the same bytes.
    """

    name: ClassVar[str] = "html"

    def render(self, report: Report) -> dict[str, str | bytes]:
        """``{"report.html": page}``, UTF-8; what UTF-8 cannot hold (a file name's stray bytes) becomes ``?``."""
        from robustbench_rs_plugins.reporters.page.document import render_page

        return {"report.html": render_page(report).encode("utf-8", "replace")}


@hookimpl
def robustbench_rs_reporters() -> list[type[Reporter]]:
    return [Html]
