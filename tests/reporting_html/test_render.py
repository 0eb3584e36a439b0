"""The page as text: reproducible, escaped, complete, and small apart from plotly."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from plotly.offline import get_plotlyjs

from robustbench_rs.api import Report
from robustbench_rs.api.report import Flag, Setting, Share
from robustbench_rs_plugins.reporters.html import Html
from robustbench_rs_plugins.reporters.page.embed import json_for_script, script_text
from robustbench_rs_plugins.reporters.page.facts import fold
from robustbench_rs_plugins.reporters.page.histogram import histograms
from robustbench_rs_plugins.reporters.page.settings import Catalogue, unique_names

HOSTILE = "<script>alert(1)</script>"
NASTY = "</script><!--\"'><img src=x onerror=alert(2)>{{7*7}}&amp;<b>"
Make = Callable[..., Report]


def render(report: Report) -> str:
    content = Html().render(report)["report.html"]
    assert isinstance(content, bytes)
    return content.decode()


class Reading(HTMLParser):
    """Tags, addresses and visible text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def visible(page: str) -> str:
    return " ".join(" ".join(Reading(page.split("<script", 1)[0]).text).split())


def test_the_same_report_gives_the_same_bytes(make_report: Make) -> None:
    assert Html().render(make_report()) == Html().render(make_report())


def test_importing_the_plugin_is_light() -> None:
    code = (
        "import sys, robustbench_rs_plugins.reporters.html\n"
        "print([m for m in ('torch', 'plotly', 'jinja2', 'matplotlib', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def hostile_report(make_report: Make) -> Report:
    report = make_report(n=20, names=(HOSTILE, NASTY), title=HOSTILE)
    return replace(
        report,
        flags=[Flag(NASTY, HOSTILE, NASTY), Flag("digits-run", NASTY, HOSTILE)],
        notes=[HOSTILE, NASTY],
        budget=[Share(HOSTILE, NASTY, 0.001)],
        protocol={NASTY: [(HOSTILE, NASTY)]},
        environment={HOSTILE: [(NASTY, HOSTILE)]},
        gallery=[replace(item, label=HOSTILE, prediction=NASTY) for item in report.gallery],
        costs=[replace(cost, stage=HOSTILE, device=NASTY) for cost in report.costs],
    )


def test_hostile_text_stays_text(make_report: Make) -> None:
    page = render(hostile_report(make_report))
    clean, reading = Reading(render(make_report(n=20))), Reading(page)
    assert reading.count("script") == clean.count("script") == 3
    assert page.count("<script") == 3
    assert not [attributes for tag, attributes in reading.tags if tag == "img" and attributes["src"] == "x"]
    assert not [name for _, attributes in reading.tags for name in attributes if name.startswith("on")]
    assert "49" not in next(text for text in reading.text if "{{7*7}}" in text)
    assert visible(page).count(HOSTILE) > 20


def test_hostile_text_runs_nothing(make_report: Make, browser, tmp_path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(render(hostile_report(make_report)), encoding="utf-8")
    tab, complaints = browser.new_page(), []
    tab.on("dialog", lambda dialog: complaints.append(dialog.message) or dialog.dismiss())
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(path.as_uri())
    tab.wait_for_selector("#chart .main-svg")
    tab.focus("#chart")
    tab.keyboard.press("ArrowRight")
    assert HOSTILE in tab.inner_text("#readout")
    assert complaints == []
    tab.close()


def test_names_that_utf8_cannot_hold_do_not_stop_the_page(make_report: Make) -> None:
    assert "log?name" in render(make_report(n=20, names=("log\udcffname", "other")))


@pytest.mark.parametrize("value", ["</script>", "<!--", "&", "\u2028"])
def test_json_cannot_leave_its_script(value: str) -> None:
    text = json_for_script({"name": value})
    assert not set("<>&\u2028") & set(text)


def test_json_refuses_what_json_cannot_hold() -> None:
    with pytest.raises(ValueError):
        json_for_script({"radius": float("nan")})


def test_a_script_that_would_end_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="contains"):
        script_text('x = "</SCRIPT>"')


def test_it_holds_everything(make_report: Make) -> None:
    text = visible(render(make_report()))
    for expected in (
        "ACR", "Clean accuracy", "Smoothed accuracy", "Abstained", "Largest attainable radius", "Robustness score",
        "Draws", "Time", "proved", "searched", "post hoc", "envelope", "plain CNN", "0.981", "impossible radii",
        "3 radii exceed 0.957", "incomplete", "the run stopped after 97 of 100 inputs", "Exact McNemar", "0.00258",
        "0.0104", "clopper-pearson", "certification", "model digest", "one noisy draw", "Best", "Worst", "37.2 s",
    ):  # fmt: skip
        assert expected in text, expected


def test_the_best_value_is_marked_in_words(make_report: Make) -> None:
    report = make_report()
    page = render(report)
    expected = sum(row.best for row in report.certified_accuracy)
    assert expected > 5
    assert page.count('<span class="hidden-text"> best</span>') == page.count("★</span>") == expected


def test_no_radius_of_the_gallery_is_rounded_up(make_report: Make) -> None:
    report = make_report()
    one = replace(report.gallery[-1], radius=0.4399999)
    assert "radius 0.439 " in visible(render(replace(report, gallery=[one])))


def test_it_says_what_the_failure_probability_covers(make_report: Make) -> None:
    report = make_report(n=20)
    each, together = visible(render(report)), visible(render(replace(report, simultaneous=True)))
    assert "with probability at least 1 \u2212 \u03b1 over the sampling, per input" in each
    assert "simultaneously" not in each
    assert "simultaneously with probability at least 1 \u2212 \u03b1" in together
    assert "per input , not for all" not in together


def test_histograms_count_every_certificate_at_or_under_its_radius(make_report: Make) -> None:
    report = make_report()
    catalogue = Catalogue(report)
    found = histograms(report, catalogue, catalogue.groups)
    assert len(found) == 3
    for group in found.values():
        for histogram in group.settings:
            rows = [row for row in report.certificates if row.setting == histogram.shown.setting]
            assert sum(bar.correct + bar.wrong for bar in histogram.bars) + histogram.abstained == len(rows) == 100
            for bar in histogram.bars:
                inside = [row for row in rows if not row.abstained and float(bar.low) <= row.radius < float(bar.high)]
                assert (bar.correct, bar.wrong) == (sum(r.correct for r in inside), sum(not r.correct for r in inside))


def test_a_radius_on_an_edge_belongs_to_the_bin_above_it(make_report: Make) -> None:
    report = make_report(n=20)
    where = report.certificates[0].setting
    rows = [replace(report.certificates[0], abstained=False, correct=True, radius=r) for r in (0.0, 0.1, 0.3, 1.2)]
    catalogue = Catalogue(report)
    (found,) = histograms(replace(report, certificates=rows), catalogue, catalogue.groups).values()
    (histogram,) = found.settings
    assert histogram.shown.setting == where
    assert [float(bar.low) for bar in histogram.bars] == [0.0, 0.1, 0.3, 1.2]


def test_names_are_told_apart_by_parameters_then_source_then_solver() -> None:
    def make(source: str, params: str, solver: str) -> Setting:
        return Setting(source, "d", "digits", "gaussian", params, 0.5, "2", solver)

    settings = [make("a", '{"beta":1}', "s"), make("a", '{"beta":2}', "s"), make("b", '{"beta":2}', "s")]
    settings.append(make("b", '{"beta":2}', "t"))
    names = list(unique_names(settings).values())
    assert names[0] == "d, gaussian \u03c3=0.5 (beta=1)"
    assert len(set(names)) == 4
    assert names[3].endswith("(beta=2) (b) (t)")


def test_a_report_without_extras_renders(make_report: Make) -> None:
    report = make_report(n=20)
    bare = Report("bare", report.radii, report.certified_accuracy, report.summary, (), ())
    text = visible(render(bare))
    assert "Gallery" not in text
    assert "Paired tests" not in text


def test_a_long_remark_folds_without_losing_a_word(make_report: Make) -> None:
    long = "155 of 389 radii are impossible at sigma = 0.25. They are " + ", ".join(map(str, range(900, 1100))) + "."
    head, rest = fold(long)
    assert head == "155 of 389 radii are impossible at sigma = 0.25."
    assert f"{head} {rest}" == long
    assert fold(long[:200]) == (long[:200], "")
    assert fold("x" * 400) == ("x" * 400, "")
    report = replace(make_report(n=20), flags=[Flag("digits-run", "impossible radii", long)])
    assert rest in visible(render(report))


def test_radii_as_printed_are_explained_where_they_occur(make_report: Make) -> None:
    report = make_report(n=20)
    explained = "taken from a published log as it stands there; may be rounded up"
    assert explained not in visible(render(report))
    printed = [replace(row, guarantee="as printed") for row in report.summary]
    assert explained in visible(render(replace(report, summary=printed)))


def test_an_empty_report_renders() -> None:
    assert "no inputs" in visible(render(Report("empty", (), (), (), (), ())))


def test_a_large_report_stays_small_and_fast(make_report: Make) -> None:
    report = make_report(n=10_000)
    assert len(report.certificates) == 120_000
    start = time.perf_counter()
    page = render(report)
    assert time.perf_counter() - start < 15
    assert len(page) - len(get_plotlyjs()) < 1_500_000
