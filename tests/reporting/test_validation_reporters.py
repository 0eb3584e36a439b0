"""A validation in every format: exact columns, radii rounded down, upper values up, hostile names escaped."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from robustbench_rs.api.report import Flag
from robustbench_rs.api.shown import MISSING, shown_down, shown_ratio, shown_up
from robustbench_rs.api.validation import Case, RadiusCurve, Refusal, SolverRadius, Validation
from robustbench_rs.plugins import load_registry
from robustbench_rs.reporting import terminal_validation, validation_report
from robustbench_rs.reporting.validation import best_noises, brackets_of
from robustbench_rs_plugins.reporters.validation_tables import where

CASE = "noise,noise_params,sigma,norm,dim,"
COLUMNS = {
    "validation.csv": "p_lower,p_upper,solver,solver_used,guarantee,radius,upper,closed_form,exact,"
    "ratio_to_closed_form",
    "brackets.csv": "p_lower,p_upper,lower,lower_solver,upper,upper_solver,ratio,radius,guarantee,solver,"
    "closed_form,exact",
    "refused.csv": "solver,reason",
    "curves.csv": "solver,guarantee,p_lower,radius,upper",
    "best_noise.csv": "p_lower,radius,guarantee,decided",
}
HOSTILE = '<script>alert(1)</script>[a_b & 50% $x$ #1 {y} ~^\\ | "q", *z* `c`'
P = (0.6, 0.9, 0.999)


def case(noise="gaussian", sigma=0.5, norm="2", dim=784, **params):
    level = {"scale": 0.3} if sigma is None else {"sigma": sigma}
    return Case(noise, json.dumps({**params, **level}, sort_keys=True, separators=(",", ":")), sigma, norm, dim)


def rows_of(where, solver, factor, guarantee="proved", upper=None, exact=True, closed_form=True):
    return [
        SolverRadius(
            where, p, 1 - p, solver, solver, guarantee, factor * (p - 0.4) / 3,
            None if upper is None else upper * (p - 0.4) / 3, (p - 0.4) / 3 if closed_form else None, exact,
        )
        for p in P
    ]  # fmt: skip


def build(kind="tightness", first="gaussian"):
    rows = []
    for norm in ("2", "inf"):
        rows += rows_of(case(first, norm=norm), "closed-form", 1.0, upper=1 + 1e-13)
        rows += rows_of(case(first, norm=norm), "neyman-pearson", 0.99995, upper=1.00005)
        rows += rows_of(case("laplace", norm=norm), "l2-differential", 0.7, upper=None, exact=False)
        rows += rows_of(case("laplace", norm=norm), "neyman-pearson", 0.8, "searched", upper=0.8002, exact=False)
        rows += rows_of(case("generalized-normal", norm=norm, beta=3.0), "unicr", 0.9, "estimated", closed_form=False)
        rows += rows_of(case("cauchy", None, norm=norm), "neyman-pearson", 0.00123, "searched", 0.00124)
    brackets = brackets_of(sorted(rows, key=lambda row: row.p_lower))
    cases = list(dict.fromkeys(row.case for row in rows))
    grid = np.array([0.5, 0.7, *P[1:]])
    curves = [RadiusCurve(each, "auto", "proved", grid, (grid - 0.5) / 3, np.full(len(grid), np.inf)) for each in cases]
    optimal = kind == "optimality"
    return validation_report(
        Validation(
            kind, rows, brackets, curves if optimal else [], best_noises(brackets, cases) if optimal else [],
            [Refusal("closed-form", "no theorem", tuple(cases[1:3])), Refusal("renyi", f"only {first}", (cases[1],))],
        ),
        "run", f"Validation of {first}", [("kind", kind)], [("torch", "2")],
    )  # fmt: skip


@pytest.fixture(scope="module", params=["tightness", "optimality"])
def report(request):
    return build(request.param)


@pytest.fixture(scope="module")
def render():
    registry = load_registry()

    def run(name, report):
        files = registry.find("reporter", name)().render(report)
        return {key: value if name in ("png", "pdf") else _text(value) for key, value in files.items()}

    return run


def _text(content):
    return content.decode() if isinstance(content, bytes) else content


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


VALUES = [0.1, 1 / 3, 0.64077578, 1.2399999, 2.0**-20, 1e-9, 123456.789, 0.9999999, np.nextafter(0.5, 0), 5e-324]


@pytest.mark.parametrize("value", VALUES)
def test_a_shown_number_lies_on_its_safe_side_and_close(value):
    below, above = Decimal(shown_down(value)), Decimal(shown_up(value))
    assert below <= Decimal(value) <= above
    assert above - below <= Decimal(value) * Decimal("2e-4")


def test_special_numbers():
    assert [shown_down(value) for value in (None, 0.0, np.inf, 0.5)] == [MISSING, "0", "inf", "0.5"]
    assert [shown_ratio(value) for value in (None, 1.0, 1 - 1e-12, 0.99999, 0.5, 1.25)] == [
        MISSING, "1", "1", "0.9999", "0.5000", "1.2500",
    ]  # fmt: skip


def test_csv_columns_are_documented_and_exact(report, render):
    files = render("csv", report)
    optimal = report.validation.kind == "optimality"
    wanted = [name for name in COLUMNS if optimal or name not in ("curves.csv", "best_noise.csv")]
    assert {name: text.split("\n")[0] for name, text in files.items()} == {
        name: CASE + COLUMNS[name] for name in wanted
    }


def test_csv_floats_are_read_back_exactly(report, render):
    files, data = render("csv", report), report.validation
    rows = table(files["validation.csv"])
    assert [float(row["radius"]) for row in rows] == [row.radius for row in data.radii]
    assert [row["upper"] for row in rows] == ["" if row.upper is None else repr(row.upper) for row in data.radii]
    assert [row["ratio_to_closed_form"] for row in rows] == [
        "" if row.ratio is None else repr(row.ratio) for row in data.radii
    ]
    assert {row["exact"] for row in rows} == {"0", "1", ""}
    brackets = table(files["brackets.csv"])
    assert [row["lower"] for row in brackets] == ["" if b.lower is None else repr(b.lower) for b in data.brackets]
    assert [row["ratio"] for row in brackets] == ["" if b.ratio is None else repr(b.ratio) for b in data.brackets]
    assert {row["sigma"] for row in brackets} == {"0.5", ""}
    assert len(table(files["refused.csv"])) == 3


def texts_of(report):
    """(radius texts that may stand in a report, upper texts, those that would be rounded the wrong way)."""
    data = report.validation
    radii = [row.radius for row in (*data.radii, *data.brackets)]
    uppers = [row.upper for row in (*data.radii, *data.brackets) if row.upper is not None]
    down, up = {shown_down(value) for value in radii}, {shown_up(value) for value in uppers}
    wrong = {shown_up(value) for value in radii} | {shown_down(value) for value in uppers}
    return down, up, wrong - down - up


@pytest.mark.parametrize("name", ["markdown", "latex", "html"])
def test_every_number_in_a_text_is_rounded_to_its_safe_side(report, render, name):
    (text,) = render(name, report).values()
    text = re.sub(r"<script.*?</script>", " ", text, flags=re.DOTALL)
    found = set(re.findall(r"(?<![\w.])0\.\d{4,}(?![\w.])", text))
    down, up, wrong = texts_of(report)
    assert found & down
    assert found & up
    assert found & wrong == set()
    ratios = {shown_ratio(row.ratio) for row in (*report.validation.radii, *report.validation.brackets)}
    assert found <= down | up | ratios


@pytest.mark.parametrize("name", ["markdown", "latex", "html"])
def test_labels_solvers_and_refusals_are_all_there(report, render, name):
    (text,) = render(name, report).values()
    for word in ("proved", "searched", "no theorem", "only gaussian", "closed-form", "neyman-pearson"):
        assert word in text, word
    if report.validation.kind == "tightness":
        assert "estimated" in text
        assert "a lower bound" in text
        assert text.index("at most") < text.index("neyman-pearson")
        assert "0.9999" in text
    else:
        assert "not decided" in text
        assert "Best noise at equal standard deviation" in text


def test_where_a_refusal_applies_is_said_exactly():
    pairs = [
        ("gaussian", "2", 4),
        ("gaussian", "2", 5),
        ("gaussian", "inf", 4),
        ("laplace", "2", 4),
        ("laplace", "1", 4),
    ]
    refusal = Refusal("s", "r", tuple(case(noise, norm=norm, dim=dim) for noise, norm, dim in pairs))
    assert where(refusal) == (
        "gaussian (sigma=0.5): norm 2, d = 4, 5; norm inf, d = 4. laplace (sigma=0.5): norm 2, 1, d = 4"
    )
    product = [(noise, norm, dim) for norm in ("1", "2") for dim in (4, 5) for noise in ("gaussian", "laplace")]
    refusal = Refusal("s", "r", tuple(case(noise, norm=norm, dim=dim) for noise, norm, dim in product))
    assert where(refusal) == "gaussian (sigma=0.5), laplace (sigma=0.5): norm 1, 2, d = 4, 5"


def test_the_best_noise_is_bold_in_texts(render):
    report = build("optimality")
    (text,) = render("markdown", report).values()
    best = [f"**{shown_down(each.radius)} {each.guarantee}" for each in report.validation.best]
    assert len(best) == 6
    assert all(each in text for each in best)
    assert text.count("**") == 2 * len(best)


def test_markdown_tables_are_rectangular(report, render):
    (text,) = render("markdown", report).values()
    tables = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE)
    assert len(tables) >= 4
    for each in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in each.splitlines()}) == 1


def test_latex_is_balanced(report, render):
    for shown in (report, hostile(report.validation.kind)):
        (text,) = render("latex", shown).values()
        body = text.split("\\begin{document}")[1]
        assert len(re.findall(r"(?<!\\)\{", text)) == len(re.findall(r"(?<!\\)\}", text))
        assert len(re.findall(r"(?<!\\)\$", body)) % 2 == 0
        assert not re.findall(r"(?<!\\)[#_%^~]", body)
        assert all(ord(char) < 0x100 for char in text)
        for columns, block in re.findall(
            r"\\begin\{longtable\}\{([^\n]*)\}\n(.*?)\\end\{longtable\}", text, flags=re.DOTALL
        ):
            count = len(re.sub(r">?\{[^}]*\}", "", columns))
            lines = [line for line in block.splitlines() if " & " in line]
            assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {count - 1}


def hostile(kind):
    report = build(kind, first=HOSTILE)
    return replace(
        report, flags=[Flag(HOSTILE, HOSTILE, HOSTILE)], notes=[HOSTILE], protocol={"run": [(HOSTILE, HOSTILE)]}
    )


@pytest.mark.parametrize("kind", ["tightness", "optimality"])
def test_hostile_names_stay_text(kind, render):
    (page,) = render("html", hostile(kind)).values()
    assert page.count("<script") == 3
    assert "&lt;script&gt;alert(1)" in page
    (text,) = render("markdown", hostile(kind)).values()
    assert "<script>" not in text
    for name, content in render("csv", hostile(kind)).items():
        assert HOSTILE in {row["noise"] for row in table(content)} or name in ("refused.csv", "best_noise.csv")
    assert "alert(1)" in terminal_validation(hostile(kind).validation)


@pytest.mark.parametrize(("name", "start"), [("png", b"\x89PNG\r\n\x1a\n"), ("pdf", b"%PDF-")])
def test_figures_are_reproducible(report, render, name, start):
    files = render(name, report)
    assert list(files) == [f"validation.{name}"]
    assert files == render(name, report)
    assert files[f"validation.{name}"].startswith(start)
    assert b"CreationDate" not in files[f"validation.{name}"]
    assert render(name, hostile(report.validation.kind)) != files


def test_tsv_has_nothing_to_say(report, render):
    assert render("tsv", report) == {}


@pytest.mark.parametrize("name", ["html", "markdown", "latex", "csv", "png"])
@pytest.mark.parametrize("kind", ["tightness", "optimality"])
def test_a_validation_without_any_radius_renders(kind, name, render):
    empty = validation_report(Validation(kind, refusals=[Refusal("a", "why", (case(),))]), "run", "t", (), ())
    assert render(name, empty)


def test_the_terminal_shows_labels_shares_and_what_has_no_radius(report):
    text = terminal_validation(report.validation)
    assert max(map(len, text.splitlines())) <= 100
    assert "norm inf, d = 784" in text
    assert "searched" in text
    down, _, _ = texts_of(report)
    found = set(re.findall(r"(?<![\w.(])0\.\d{4,}(?![\w.])", text))
    assert found <= down
    if report.validation.kind == "tightness":
        assert "(1)" in text
    else:
        assert "\n* best at this pA" in text
    silent = replace(report.validation, refusals=[Refusal("a", "why", (case("uniform"),))])
    assert "no radius by any solver, see the report: uniform (sigma=0.5), norm 2, d = 784" in terminal_validation(
        silent
    )
    assert "no solver gives any radius" in terminal_validation(Validation("tightness"))
