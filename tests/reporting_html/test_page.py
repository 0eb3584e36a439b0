"""The page in a real browser: no errors, no requests, toggles, keyboard, widths, and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from robustbench_rs.api import Report
from robustbench_rs.api.report import Curve, Setting
from robustbench_rs_plugins.reporters.html import Html

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

Make = Callable[..., Report]
LINES = "chart.data.filter(t => t.mode === 'lines' && t.line.width > 0)"
BANDS = "chart.data.filter(t => t.fill === 'tonexty').length"


@contextmanager
def opened(browser: Browser, path: Path, width: int = 1280, **context: Any) -> Iterator[Page]:
    """The page at a width, drawn; fails at the end when anything was logged, raised or requested."""
    tab = browser.new_page(viewport={"width": width, "height": 900}, **context)
    complaints: list[str] = []
    requests: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
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


RESET = """() => {
    delete document.documentElement.dataset.theme;
    document.activeElement.blur();
    document.querySelectorAll('input').forEach(input => { input.checked = input.defaultChecked; });
    document.querySelector('.toolbar').dispatchEvent(new Event('change'));
}"""


@pytest.fixture(scope="module")
def shared(browser: Browser, page: Path) -> Iterator[Page]:
    """The sample page at 1280 pixels, loaded once: parsing plotly is most of a test's time."""
    with opened(browser, page) as tab:
        yield tab


@pytest.fixture
def tab(shared: Page) -> Page:
    """The shared page with every toggle where it started."""
    shared.emulate_media(color_scheme="light", media="screen")
    shared.evaluate(RESET)
    return shared


def choose(tab: Page, selector: str) -> None:
    """Click what the reader sees: the label around a hidden input."""
    tab.locator(f"label:has({selector})").click()


def test_it_renders_without_errors_or_requests(tab: Page) -> None:
    assert tab.title() == "Quickstart"
    assert tab.locator("#chart .scatterlayer .trace").count() > 10
    assert tab.locator("h1").count() == 1
    assert tab.locator("table").count() == tab.locator("table > caption:not(:empty)").count() == 9


ASK = """async (address) => {
    const load = kind => new Promise(done => {
        const element = document.createElement(kind);
        element.onload = element.onerror = done;
        element.rel = 'stylesheet';
        element[kind === 'link' ? 'href' : 'src'] = `${address}/${kind}`;
        document.head.append(element);
    });
    await Promise.all(['img', 'script', 'link'].map(load));
    await fetch(`${address}/fetch`, {mode: 'no-cors'}).catch(() => {});
}"""


def test_the_policy_refuses_the_network(browser: Browser, page: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.html"
    plain.write_text("<!doctype html><title>no policy</title>", encoding="utf-8")
    tab, sent = browser.new_page(), []

    def answer(route: Route) -> None:
        sent.append(route.request.url)
        route.fulfill(status=200, body="")

    tab.route("http://outside.test/**", answer)
    for path, expected in ((plain, 4), (page, 0)):
        tab.goto(path.as_uri())
        sent.clear()
        tab.evaluate(ASK, "http://outside.test")
        assert len(sent) == expected
    tab.close()


def test_the_norm_switch_changes_curves_and_tables(tab: Page) -> None:
    assert tab.locator("input[name=norm]:checked").input_value() == "2"
    before = tab.evaluate(f"{LINES}.map(t => Math.max(...t.x))")
    choose(tab, "input[name=norm][value=inf]")
    after = tab.evaluate(f"{LINES}.map(t => Math.max(...t.x))")
    assert len(before) == len(after) == 5
    assert max(after) < min(before)
    assert "\u2113∞" in (tab.text_content("#chart .xtitle") or "")
    captions = [c.inner_text() for c in tab.locator("table.accuracy caption").all() if c.is_visible()]
    assert len(captions) == 1
    assert "\u2113∞" in captions[0]
    assert tab.locator("#summary th:has-text('plain CNN')").is_visible()
    assert "None in this selection" in tab.inner_text("#paired")


def test_bands_and_intervals_toggle(tab: Page) -> None:
    assert tab.evaluate(BANDS) == 4  # the envelope has none
    assert tab.locator(".accuracy .interval:visible").count() > 0
    choose(tab, "#bands")
    assert tab.evaluate(BANDS) == 0
    choose(tab, "#intervals")
    assert tab.locator(".accuracy .interval:visible").count() == 0
    choose(tab, "#bands")
    assert tab.evaluate(BANDS) == 4


def test_each_curve_toggles_and_the_envelope_is_dashed(tab: Page) -> None:
    lines = tab.evaluate(f"{LINES}.map(t => [t.name, t.line.dash])")
    assert [name for name, dash in lines if dash == "dash"] == ["envelope (post hoc)"]
    tab.locator(".legend input:visible").first.uncheck()
    assert tab.evaluate(f"{LINES}.length") == 4
    tab.click("[data-curves=none]")
    assert tab.evaluate(f"{LINES}.length") == 0
    assert tab.locator("#chart-empty").is_visible()
    tab.click("[data-curves=all]")
    assert tab.evaluate(f"{LINES}.length") == 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_toggle_repaints_page_and_plot(tab: Page, scheme: str) -> None:
    def colors(tab: Page) -> tuple[str, str, str]:
        return tab.evaluate("""() => [document.body, document.querySelector('#chart .main-svg')]
            .map(element => getComputedStyle(element).backgroundColor).concat(chart.data.at(-1).marker.color)""")

    tab.emulate_media(color_scheme=scheme)
    tab.locator("#theme", has_text="Light" if scheme == "dark" else "Dark").wait_for()
    paper, plot, ink = colors(tab)
    assert paper == plot
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    tab.click("#theme")
    other_paper, other_plot, other_ink = colors(tab)
    assert other_paper == other_plot != paper
    assert other_ink != ink
    tab.click("#theme")
    assert colors(tab) == [paper, plot, ink]


def certified(report: Report, name: str, sigma: float, norm: str, radius: float) -> str:
    """Certified accuracy counted afresh from the certificates."""
    rows = [
        r for r in report.certificates if (r.setting.defense, r.setting.sigma, r.setting.norm) == (name, sigma, norm)
    ]
    return f"{sum(row.correct and row.radius >= radius for row in rows) / len(rows):.3f}"


def check_readout(report: Report, text: str) -> float:
    radius = float(re.search(r"radius ([\d.]+)", text).group(1))  # type: ignore[union-attr]
    for name in ("gaussian", "denoised ResNet-110"):
        for sigma in (0.25, 0.5):
            assert re.search(
                rf"{certified(report, name, sigma, '2', radius)}\s+(\[.*\]\s+)?{name}, gaussian \u03c3={sigma}\s", text
            )
    return radius


def test_hovering_shows_the_values(tab: Page, make_report: Make) -> None:
    report = make_report()
    tab.locator("#chart").scroll_into_view_if_needed()
    box = tab.locator("#chart").bounding_box()
    assert box is not None
    seen = set()
    for share in (0.1, 0.25, 0.4, 0.6, 0.9):
        tab.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        seen.add(check_readout(report, tab.inner_text("#readout")))
        assert "proved" in tab.inner_text("#readout")
    assert len(seen) == 5
    tab.mouse.move(box["x"] + 20, box["y"] - 40)
    assert tab.locator("#readout").is_hidden()


def test_a_radius_that_is_just_reached_still_counts(browser: Browser, make_report: Make, tmp_path: Path) -> None:
    report = make_report(n=20)
    where = report.curves[5].setting  # in l2, where the page starts
    steps = Curve(where, np.array([0.0, 0.5, 1.0]), np.array([0.9, 0.8, 0.3]), np.zeros(3), np.ones(3))
    path = tmp_path / "steps.html"
    path.write_bytes(Html().render(replace(report, curves=[steps]))["report.html"])  # type: ignore[arg-type]
    with opened(browser, path) as tab:
        tab.focus("#chart")
        tab.keyboard.press("Home")
        for _ in range(100):
            tab.keyboard.press("ArrowRight")
        assert re.findall(r"\d\.\d+", tab.inner_text("#readout"))[:2] == ["0.500", "0.800"]
        tab.keyboard.press("ArrowRight")
        assert re.findall(r"\d\.\d+", tab.inner_text("#readout"))[:2] == ["0.505", "0.300"]


def test_keys_read_the_curves(tab: Page, make_report: Make) -> None:
    report = make_report()
    tab.focus("#chart")
    radii = []
    for key in ("Home", "ArrowRight", "PageUp", "ArrowLeft"):
        tab.keyboard.press(key)
        radii.append(check_readout(report, tab.inner_text("#readout")))
    assert radii[0] == 0 < radii[1] < radii[3] < radii[2]
    tab.keyboard.press("Escape")
    assert tab.locator("#readout").is_hidden()


def test_toggles_work_from_the_keyboard(tab: Page) -> None:
    tab.focus("input[name=norm]:checked")
    tab.keyboard.press("ArrowRight")
    assert tab.locator("input[name=norm]:checked").input_value() == "inf"
    tab.focus("#bands")
    tab.keyboard.press("Space")
    assert tab.evaluate(BANDS) == 0


# Plotly keeps one element far outside the page, to measure text with.
OVERFLOWING = """() => [...document.querySelectorAll('body *')].filter(element => {
    const box = element.getBoundingClientRect();
    const meant = element.closest('.skip, .hidden-text, #js-plotly-tester') || element.parentElement.closest('.scroll');
    return box.width && (box.right > innerWidth + 0.5 || box.left < -0.5) && !meant;
}).map(element => element.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_nothing_overflows(browser: Browser, page: Path, width: int, scheme: str) -> None:
    with opened(browser, page, width, color_scheme=scheme) as tab:
        for norm in ("2", "1", "inf"):
            choose(tab, f"input[name=norm][value='{norm}']")
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            assert tab.evaluate(OVERFLOWING) == []


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_overflows_with_long_names(browser: Browser, make_report: Make, tmp_path: Path, width: int) -> None:
    names = ("W" * 120, "a_long_defense_name_" * 8)
    path = tmp_path / "long.html"
    path.write_bytes(Html().render(make_report(n=20, names=names, title="T" * 200))["report.html"])  # type: ignore[arg-type]
    with opened(browser, path, width) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.evaluate(OVERFLOWING) == []
        tab.focus("#chart")
        tab.keyboard.press("ArrowRight")
        assert tab.evaluate(OVERFLOWING) == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_tables_are_readable_without_javascript(browser: Browser, page: Path, make_report: Make) -> None:
    report = make_report()
    with opened(browser, page, java_script_enabled=False) as tab:
        assert tab.locator("noscript").count() == 1
        assert "The interactive curves need JavaScript" in tab.inner_text("#accuracy")
        assert not tab.locator(".toolbar").is_visible()
        assert all(table.is_visible() for table in tab.locator("table").all())
        assert tab.locator("table.accuracy").count() == 3
        cells = tab.locator("table.accuracy tbody td.num:has(.interval)")
        assert cells.count() == len(report.certified_accuracy)
        row = report.certified_accuracy[1]
        assert f"{row.certified_accuracy:.3f}" in tab.locator("table.accuracy tbody tr").first.inner_text()
        assert tab.locator("#radii rect.right").count() > 20
        assert tab.locator("#gallery img").first.is_visible()


def two_of_everything(make_report: Make) -> Report:
    """The sample on "digits", and again on "mnist" (l2 only) by another solver."""
    report = make_report(n=20)

    def moved(setting: Setting) -> Setting:
        return replace(setting, dataset="mnist", solver="neyman-pearson", source="mnist-run")

    def doubled(rows: Any) -> list[Any]:
        return [*rows, *(replace(row, setting=moved(row.setting)) for row in rows if row.setting.norm == "2")]

    return replace(
        report,
        certified_accuracy=doubled(report.certified_accuracy),
        summary=doubled(report.summary),
        certificates=doubled(report.certificates),
        curves=doubled(report.curves),
    )


def test_data_set_and_solver_toggle(browser: Browser, make_report: Make, tmp_path: Path) -> None:
    path = tmp_path / "two.html"
    path.write_bytes(Html().render(two_of_everything(make_report))["report.html"])  # type: ignore[arg-type]
    with opened(browser, path) as tab:
        choose(tab, "input[name=norm][value='1']")
        choose(tab, "input[name=dataset][value='1']")
        assert tab.locator("input[name=norm]:checked").input_value() == "2"
        assert tab.locator("input[name=norm][value=inf]").is_disabled()
        assert "mnist" in tab.inner_text("#accuracy")
        assert "digits," not in tab.inner_text("#accuracy")
        assert tab.evaluate(f"{LINES}.length") == 5
        choose(tab, "input[name=solver][value='1']")
        assert tab.evaluate(f"{LINES}.length") == 0
        choose(tab, "input[name=dataset][value='0']")
        assert tab.evaluate(f"{LINES}.length") == 5


def test_print_shows_every_norm_on_white(tab: Page) -> None:
    tab.emulate_media(color_scheme="dark", media="print")
    assert all(table.is_visible() for table in tab.locator("table").all())
    assert not tab.locator(".toolbar").is_visible()
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
