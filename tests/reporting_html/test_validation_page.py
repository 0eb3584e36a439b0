"""The page of a validation in a real browser: no errors, no requests, what is chosen is shown, and no radius rises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from robustbench_rs.api import Report
from robustbench_rs.api.report import Flag
from robustbench_rs.api.validation import Case, RadiusCurve, Refusal, SolverRadius, Validation
from robustbench_rs.reporting import validation_report
from robustbench_rs.reporting.validation import best_noises, brackets_of
from robustbench_rs_plugins.reporters.html import Html

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}"
P = (0.6, 0.9, 0.999)
NOISES = (("gaussian", 0.5, 1.0), ("laplace", 0.5, 0.8), ("laplace", 0.25, 0.4), ("cauchy", None, 0.1))


def curve(case: Case, factor: float) -> RadiusCurve:
    grid = np.linspace(0.5, 0.999, 40)
    return RadiusCurve(case, "auto", "proved", grid, factor * (grid - 0.5) * 1.00000049, np.full(40, np.inf))


def build(kind: str, name: str = "gaussian") -> Report:
    rows, curves = [], []
    for norm, dim in (("1", 784), ("2", 784), ("2", 3072), ("inf", 3072)):
        for noise, sigma, factor in NOISES:
            params = json.dumps({"sigma": sigma} if sigma else {"scale": 0.3})
            case = Case(name if noise == "gaussian" else noise, params, sigma, norm, dim)
            label = "searched" if sigma is None else "proved"
            rows += [
                SolverRadius(case, p, 1 - p, "np", "np", label, factor * (p - 0.5), 1.1 * factor * (p - 0.5), 1.0)
                for p in P
            ]
            curves.append(curve(case, factor))
    brackets, cases = brackets_of(rows), list(dict.fromkeys(row.case for row in rows))
    optimal = kind == "optimality"
    data = Validation(
        kind, rows, brackets, curves if optimal else [], best_noises(brackets, cases) if optimal else [],
        [Refusal("closed-form", f"no theorem for {name}", tuple(cases[:2]))],
    )  # fmt: skip
    return validation_report(data, "run", f"Validation of {name}", [("kind", kind)], [("numpy", "2")])


@contextmanager
def opened(browser: Browser, report: Report, folder: Path, **context: Any) -> Iterator[Page]:
    """The page, drawn; fails at the end when anything was logged, raised, asked or requested."""
    path = folder / "report.html"
    content = Html().render(report)["report.html"]
    assert isinstance(content, bytes)
    path.write_bytes(content)
    tab, complaints, requests = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **context}), [], []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("dialog", lambda dialog: complaints.append(dialog.message) or dialog.dismiss())
    tab.on("request", lambda request: requests.append(request.url))
    try:
        tab.goto(path.as_uri())
        if context.get("java_script_enabled", True):
            tab.wait_for_selector("#chart .main-svg")
        yield tab
        assert complaints == []
        assert [url for url in requests if not url.startswith("data:")] == [path.as_uri()]
    finally:
        tab.close()


def names(tab: Page) -> list[str]:
    """Names of the lines that are drawn."""
    return tab.evaluate("chart.data.map(trace => trace.name)")


def choose(tab: Page, key: str, value: str) -> None:
    tab.locator(f'label:has(input[name={key}][value="{value}"])').click()


@pytest.mark.parametrize("kind", ["tightness", "optimality"])
def test_choices_decide_what_is_shown(kind: str, browser: Browser, tmp_path: Path) -> None:
    with opened(browser, build(kind), tmp_path) as tab:
        assert tab.locator("#radii table:visible").count() == 1
        assert tab.locator("#radii table").count() == (4 if kind == "tightness" else 12)
        title = tab.locator("#radii .caption:visible").inner_text()
        assert "norm 1, d = 784" in title
        assert tab.locator('input[name=dim][value="3072"]').is_disabled()
        choose(tab, "norm", "2")
        choose(tab, "dim", "3072")
        assert "norm 2, d = 3072" in tab.locator("#radii .caption:visible").inner_text()
        choose(tab, "norm", "1")
        assert tab.locator('input[name=dim][value="784"]').is_checked()
        if kind == "optimality":
            assert names(tab) == ["gaussian", "laplace"]
            choose(tab, "sigma", "0.25")
            assert names(tab) == ["laplace"]
            choose(tab, "sigma", "none")
            assert names(tab) == ["cauchy (scale=0.3)"]
        else:
            assert names(tab) == ["gaussian (sigma=0.5)", "laplace (sigma=0.5)", "laplace (sigma=0.25)"]


def test_lines_can_be_taken_away_and_put_back(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, build("optimality"), tmp_path) as tab:
        tab.locator("input[name=line]:visible").first.uncheck()
        assert names(tab) == ["laplace"]
        tab.locator("[data-lines=none]").click()
        assert names(tab) == []
        assert tab.locator("#chart-empty").is_visible()
        tab.locator("[data-lines=all]").click()
        assert names(tab) == ["gaussian", "laplace"]


def test_no_drawn_or_hovered_radius_is_above_the_true_one(browser: Browser, tmp_path: Path) -> None:
    report = build("optimality")
    with opened(browser, report, tmp_path) as tab:
        drawn = tab.evaluate("chart.data.map(trace => [trace.y, trace.text, trace.line.shape])")
        assert report.validation is not None
        for (values, texts, shape), true in zip(drawn, report.validation.curves[:2], strict=True):
            assert shape == "hv"
            assert (np.array(values) <= true.radius).all()
            np.testing.assert_allclose(values, true.radius, rtol=2e-6)
            shown = [float(text.split("<b>")[1].removesuffix("</b>")) for text in texts]
            assert (np.array(shown) <= true.radius).all()
            assert all("(proved)" in text for text in texts)


@pytest.mark.parametrize("kind", ["tightness", "optimality"])
def test_every_legend_entry_and_radius_has_its_label(kind: str, browser: Browser, tmp_path: Path) -> None:
    report = build(kind)
    assert report.validation is not None
    with opened(browser, report, tmp_path) as tab:
        entries = tab.locator(".legend label")
        assert entries.count() == tab.locator(".legend label .badge").count() > 5
        values = tab.locator("#radii tbody td:has(.detail)").count()
        without = tab.locator("#radii tbody td:has(.detail):not(:has(.badge))").count()
        # Only what the true radius is known not to exceed is no radius, and has no label.
        assert without == (len(report.validation.brackets) if kind == "tightness" else 0)
        assert values > 2 * without


def test_hostile_names_run_nothing(browser: Browser, tmp_path: Path) -> None:
    report = build("optimality", HOSTILE)
    flagged = Report(**{**vars(report), "flags": [Flag(HOSTILE, HOSTILE, HOSTILE)]})
    with opened(browser, flagged, tmp_path) as tab:
        assert tab.locator("h1").inner_text() == f"Validation of {HOSTILE}"
        assert HOSTILE in tab.locator("#refusals").inner_text()
        assert HOSTILE in tab.locator(".legend").inner_text()
        assert tab.locator("img").count() == 0
        assert "&lt;script&gt;" in tab.evaluate("chart.data[0].text[0]")


def test_without_javascript_every_table_is_there(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, build("tightness"), tmp_path, java_script_enabled=False) as tab:
        assert tab.locator("#radii table:visible").count() == 4
        assert "needs JavaScript" in tab.locator("#curves").inner_text()


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_screen(width: int, browser: Browser, tmp_path: Path) -> None:
    with opened(browser, build("tightness"), tmp_path, viewport={"width": width, "height": 800}) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_the_dark_theme_and_back(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, build("optimality"), tmp_path, color_scheme="light") as tab:
        before = tab.evaluate("chart.layout.paper_bgcolor")
        tab.locator("#theme").click()
        assert tab.evaluate("chart.layout.paper_bgcolor") != before
        tab.locator("#theme").click()
        assert tab.evaluate("chart.layout.paper_bgcolor") == before
