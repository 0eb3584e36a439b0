"""The first-party reporters: exact columns, escaping, and nothing computed anew."""

from __future__ import annotations

import csv
import importlib
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from robustbench_rs.api.report import Flag, PredictionRow, Share
from robustbench_rs.reporting import build_report, read_logs, write_report

HOSTILE = '[a_b & 50% $x$ #1 {y} ~^\\ | <b> "q", -- \u4e2d\n\u00e9 *z* `c`'

ACCURACY = (
    "source,defense,dataset,noise,noise_params,sigma,norm,solver,guarantee,radius,certified_accuracy,lower,upper,"
    "n_inputs"
)
SUMMARY = (
    "source,defense,dataset,noise,noise_params,sigma,norm,solver,guarantee,acr,clean_accuracy,smoothed_accuracy,"
    "abstention_rate,max_radius,n_inputs,samples,seconds"
)
CERTIFICATES = (
    "source,defense,dataset,noise,noise_params,sigma,index,label,prediction,abstained,correct,norm,solver,solver_used,"
    "guarantee,radius,p_lower,p_upper,n,bound,alpha"
)


def reporter(name):
    module = importlib.import_module(f"robustbench_rs_plugins.reporters.{'figure' if name in ('png', 'pdf') else name}")
    return next(cls() for cls in module.robustbench_rs_reporters() if cls.name == name)


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def report(source, measured):
    rng = np.random.default_rng(2)
    levels = [
        measured(
            np.where(abstained := rng.random(30) < 0.1, 0.0, rng.exponential(sigma, 30)),
            rng.random(30) < 0.8,
            sigma=sigma,
            norm=norm,
            abstained=abstained,
            p_lower=rng.random(30),
            p_upper=rng.random(30),
            seconds=1.25,
            seconds_per_input=rng.random(30),
        )
        for norm in (2.0, np.inf)
        for sigma in (0.1, 0.5)
    ]
    return build_report([source(*levels, budget=(Share("run", "bound", 0.001),))], [0.0, 0.1, 1 / 3], "A report")


@pytest.fixture
def hostile(report):
    def rename(row):
        return replace(row, setting=replace(row.setting, source=HOSTILE, defense=HOSTILE, dataset=HOSTILE))

    return replace(
        report,
        title=HOSTILE,
        certified_accuracy=[rename(row) for row in report.certified_accuracy],
        summary=[rename(row) for row in report.summary],
        certificates=[rename(row) for row in report.certificates],
        curves=[rename(curve) for curve in report.curves],
        flags=[Flag(HOSTILE, HOSTILE, HOSTILE)],
        notes=[HOSTILE],
    )


def test_csv_columns_are_the_contract(report):
    files = reporter("csv").render(report)
    headers = {name: text.split("\n")[0] for name, text in files.items()}
    assert headers == {"certified_accuracy.csv": ACCURACY, "summary.csv": SUMMARY, "certificates.csv": CERTIFICATES}


def test_csv_floats_are_read_back_exactly(report):
    files = reporter("csv").render(report)
    certificates = rows(files["certificates.csv"])
    assert [float(row["radius"]) for row in certificates] == [row.radius for row in report.certificates]
    assert [float(row["p_lower"]) for row in certificates] == [row.p_lower for row in report.certificates]
    assert [row["prediction"] for row in certificates] == [
        "" if row.abstained else str(row.prediction) for row in report.certificates
    ]
    assert any(row["abstained"] == "1" for row in certificates)
    accuracy = rows(files["certified_accuracy.csv"])
    assert [row["radius"] for row in accuracy[:3]] == ["0.0", "0.1", repr(1 / 3)]
    assert [float(row["certified_accuracy"]) for row in accuracy] == [
        row.certified_accuracy for row in report.certified_accuracy
    ]
    assert {row["norm"] for row in accuracy} == {"2", "inf"}
    summary = rows(files["summary.csv"])
    assert [row["acr"] for row in summary] == ["" if row.acr is None else repr(row.acr) for row in report.summary]


def test_csv_of_numpy_floats_is_plain(report):
    odd = replace(report, summary=[replace(report.summary[0], acr=np.float64(0.1))])
    assert rows(reporter("csv").render(odd)["summary.csv"])[0]["acr"] == "0.1"


def test_csv_results_hold_no_time(report):
    later = replace(
        report,
        title="Another title",
        certificates=[replace(row, seconds=99.0) for row in report.certificates],
        environment={"run": [("date", "2031")]},
    )
    first, second = reporter("csv").render(report), reporter("csv").render(later)
    for name in ("certificates.csv", "certified_accuracy.csv"):
        assert first[name] == second[name]


def test_csv_quotes_what_needs_it(hostile):
    for name, text in reporter("csv").render(hostile).items():
        assert {row["source"] for row in rows(text)} == {HOSTILE}, name


def test_csv_has_predictions_only_when_there_are_any(report):
    row = PredictionRow("run", "base", "gaussian", "{}", 7, 1, None, True, False, 0.25, 100, 0.001)
    (read,) = rows(reporter("csv").render(replace(report, predictions=[row]))["predictions.csv"])
    assert (read["index"], read["prediction"], read["abstained"], read["p_value"]) == ("7", "", "1", "0.25")


def test_markdown_tables_are_rectangular_and_hold_every_value(report):
    text = reporter("markdown").render(report)["report.md"]
    tables = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE)
    assert len(tables) >= 4
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    for row in report.certified_accuracy:
        shown = f"{row.certified_accuracy:.3f}"
        assert (f"| **{shown}** |" if row.best else f"| {shown} |") in text
    assert text.startswith("# A report\n")
    assert "Failure probability, per input" in text
    assert "post hoc" in text
    assert "r = 0.3333 " in text


def test_markdown_escapes_what_others_wrote(hostile):
    text = reporter("markdown").render(hostile)["report.md"]
    assert r"\[a\_b & 50% $x$ \#1 \{y\} \~^\\ \| \<b\>" in text
    assert "<b>" not in text
    table = next(block for block in text.split("\n\n") if block.startswith("| source"))
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def unescaped(char, text):
    return len(re.findall(rf"(?<!\\){re.escape(char)}", text))


@pytest.mark.parametrize("which", ["report", "hostile"])
def test_latex_is_well_formed(request, which):
    text = reporter("latex").render(request.getfixturevalue(which))["report.tex"]
    assert text.startswith("\\documentclass")
    assert text.endswith("\\end{document}\n")
    assert unescaped("{", text) == unescaped("}", text)
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert stack == []
    for columns, body in re.findall(
        r"\\begin\{longtable\}\{([^\n]*)\}\n(.*?)\\end\{longtable\}", text, flags=re.DOTALL
    ):
        count = len(re.sub(r">?\{[^}]*\}", "", columns))
        lines = [line for line in body.splitlines() if " & " in line]
        assert len(lines) > 1
        assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {count - 1}
        assert all(line.endswith(r" \\") for line in lines)
    body = text.split("\\begin{document}")[1]
    assert unescaped("#", body) == unescaped("%", body) == unescaped("~", body) == unescaped("^", body) == 0
    assert unescaped("$", body) % 2 == 0
    assert unescaped("_", body) == 0
    assert not re.search(r"(\\\\|\\item)\s*[\[*]", body)
    assert all(ord(char) < 0x100 for char in text)


def test_latex_marks_the_best_and_names_characters_it_cannot_print(report, hostile):
    text = reporter("latex").render(report)["report.tex"]
    best = next(row for row in report.certified_accuracy if row.best)
    assert rf"\textbf{{{best.certified_accuracy:.3f}}}" in text
    assert r"\texttt{U+4E2D}" in reporter("latex").render(hostile)["report.tex"]


def test_radii_in_texts_are_rounded_down(source, measured):
    report = build_report([source(measured([1.2399]), name="s")], [0.0], "t")
    for name in ("markdown", "latex"):
        (text,) = reporter(name).render(report).values()
        assert "1.239" in text
        assert "1.240" not in text


def test_tsv_round_trip(report, tmp_path):
    paths = [path for path in write_report(report, [reporter("tsv")], tmp_path) if path.suffix == ".tsv"]
    assert len(paths) == 4
    read = [source.measured[0] for source in read_logs(paths)]
    assert [(m.sigma, m.norm, m.dataset, m.n, m.alpha) for m in read] == [
        (sigma, norm, "toy", 100, 0.001) for norm in (2.0, np.inf) for sigma in (0.1, 0.5)
    ]
    radius = np.concatenate([m.radius for m in read])
    true = np.array([row.radius for row in report.certificates])
    assert (radius <= true).all()
    np.testing.assert_allclose(radius, true, rtol=1e-5)
    assert [bool(x) for m in read for x in m.correct] == [row.correct for row in report.certificates]
    assert [bool(x) for m in read for x in m.abstained] == [row.abstained for row in report.certificates]
    assert np.concatenate([m.seconds_per_input for m in read]) == pytest.approx(
        [row.seconds for row in report.certificates], abs=1e-6
    )


def test_tsv_names_are_plain_and_different(hostile):
    files = reporter("tsv").render(hostile)
    assert len(files) == 8
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+\.(tsv|yaml)", name) for name in files)


def test_tsv_keeps_shape_parameters(source, measured, tmp_path):
    level = measured([0.5], noise="generalized-normal", noise_params='{"beta":1.5,"sigma":0.5}')
    paths = write_report(build_report([source(level)], [0.0], "t"), [reporter("tsv")], tmp_path)
    (read,) = read_logs([paths[0]])[0].measured
    assert (read.noise, json.loads(read.noise_params)) == ("generalized-normal", {"beta": 1.5, "sigma": 0.5})


@pytest.mark.parametrize(("name", "start"), [("png", b"\x89PNG\r\n\x1a\n"), ("pdf", b"%PDF-")])
def test_figures_are_reproducible(report, hostile, name, start):
    first, second = reporter(name).render(report), reporter(name).render(report)
    assert first == second
    (content,) = first.values()
    assert content.startswith(start)
    assert len(content) > 5_000
    assert b"CreationDate" not in content
    assert reporter(name).render(replace(report, curves=[]))
    assert reporter(name).render(hostile) != first
