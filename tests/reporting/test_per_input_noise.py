"""Radii under a noise of their own for each input keep their label and caveat in every table, file and comparison."""

from __future__ import annotations

import csv
import io
import json

import pytest

from robustbench_rs.api.report import ENVELOPE, PER_INPUT_CAVEAT, Candidate
from robustbench_rs.plugins import load_registry
from robustbench_rs.reporting import build_report, read_logs, terminal_flags, terminal_table, write_report
from robustbench_rs.reporting.levels import weakest

LABEL = "proved (per-input noise)"
OWN = {"noise_params": '{"beta": "per input", "sigma": 0.5}', "noise": "generalized-normal"}
GRID = [0.0, 0.25, 0.5]


def candidate(number, value, *, index=None, chosen=False, mode="c-opt"):
    return Candidate(
        source="run",
        defense="base",
        noise="generalized-normal",
        noise_params='{"beta": 1.5, "sigma": 0.5}',
        mode=mode,
        index=index,
        number=number,
        params=json.dumps({"beta": 1.5 + number}),
        objective="average certified radius",
        norm="2",
        value=value,
        guarantee="proved",
        alpha=0.0001,
        chosen=chosen,
    )


@pytest.fixture
def per_input(measured):
    def make(radius, *, label=LABEL, **changes):
        return measured(radius, guarantee=[label] * len(radius), **OWN, **changes)

    return make


@pytest.fixture
def report(source, measured, per_input):
    """A plain level that is better everywhere, and one of noise per input."""
    rows = [candidate(1, 0.1, index=0, mode="i-opt"), candidate(2, 0.31239, index=0, chosen=True, mode="i-opt")]
    run = source(measured([0.6, 0.6, 0.7]), per_input([0.1, 0.3, 0.9], defense="own"), candidates=rows)
    return build_report([run], GRID, "t")


def test_it_is_in_no_envelope_test_or_ranking_with_plain_rows(report):
    assert [row.setting.defense for row in report.summary if row.setting.defense == ENVELOPE] == []
    assert not report.paired
    assert not any(row.best for row in report.certified_accuracy)
    [flag] = [flag for flag in report.flags if flag.kind == "not comparable"]
    assert "a noise for each input instead of one noise for all inputs" in flag.message


def test_among_themselves_such_rows_are_compared_under_their_label(source, per_input):
    report = build_report([source(per_input([0.1, 0.9]), per_input([0.2, 0.3], defense="b"))], GRID, "t")
    [envelope] = [row for row in report.summary if row.setting.defense == ENVELOPE]
    assert envelope.guarantee == LABEL
    assert report.paired


def test_the_weakest_label_is_never_a_plain_one():
    own = ["proved (per-input noise)", "searched (per-input noise)", "estimated (per-input noise)"]
    assert weakest(own) == own[2]
    assert weakest(own[:2]) == own[1]
    assert weakest(["proved", "searched", "estimated", own[0]]) == own[0]


def test_the_caveat_is_told_once_for_each_source(report):
    assert [flag.message for flag in report.flags if flag.kind == "per-input noise"] == [PER_INPUT_CAVEAT]


def words(text):
    return " ".join(text.split())


def rendered(report, name):
    component = load_registry().find("reporter", name)
    return component().render(report)


def test_the_terminal_shows_label_and_caveat(report):
    table = terminal_table(report)
    [row] = [line for line in table.splitlines() if line.startswith("own")]
    assert row.endswith(LABEL)
    assert "(per-input noise): no certificate of one deployed classifier" in table
    assert max(map(len, table.splitlines())) <= 100
    assert "per-input noise: run: each radius holds for the classifier" in words(terminal_flags(report))


def test_markdown(report):
    text = words(rendered(report, "markdown")["report.md"])
    assert text.count(LABEL) >= 2
    assert PER_INPUT_CAVEAT in text


def test_latex(report):
    text = words(rendered(report, "latex")["report.tex"]).replace("{-}", "-")
    assert text.count(LABEL) >= 2
    assert PER_INPUT_CAVEAT in text


def test_html(report):
    text = words(rendered(report, "html")["report.html"].decode())
    assert f'class="badge badge-other">{LABEL}<' in text
    shown = text.replace("</summary>", " ").replace("<summary>", " ")
    for part in ("each radius holds for the classifier", "It is no certificate of a deployed classifier"):
        assert part in shown
    assert "no certificate of one deployed classifier: the noise was chosen for each input" in text


def test_csv_rows_all_carry_the_label(report):
    files = rendered(report, "csv")
    for name in ("certified_accuracy.csv", "summary.csv", "certificates.csv"):
        rows = [row for row in csv.DictReader(io.StringIO(files[name])) if row["defense"] == "own"]
        assert rows
        assert {row["guarantee"] for row in rows} == {LABEL}


def test_figures_name_it_in_their_legend(report, monkeypatch):
    from matplotlib.axes import Axes

    labels = []
    plot = Axes.plot
    monkeypatch.setattr(Axes, "plot", lambda self, *a, **k: labels.append(k.get("label")) or plot(self, *a, **k))
    rendered(report, "png")
    assert next(label for label in labels if label.startswith("own")).endswith(f"({LABEL})")


def test_a_log_says_it_in_its_name_and_keeps_it_when_read_back(report, tmp_path):
    component = load_registry().find("reporter", "tsv")
    files = write_report(report, [component()], tmp_path)
    [log] = [file for file in files if file.suffix == ".tsv" and "per-input-noise" in file.name]
    [source] = read_logs([log], None)
    assert set(source.measured[0].guarantee) == {"as printed (per-input noise)"}
    again = build_report([source], GRID, "t")
    assert PER_INPUT_CAVEAT in [flag.message for flag in again.flags]
    assert any("as printed" in note for note in again.notes)
    [plain] = [file for file in files if file.suffix == ".tsv" and "per-input-noise" not in file.name]
    assert set(read_logs([plain], None)[0].measured[0].guarantee) == {"as printed"}
    kinds = {flag.kind for flag in build_report(read_logs([log, plain], None), GRID, "t").flags}
    assert "not comparable" in kinds


def test_sigma_alone_per_input_is_told_too(source, measured, tmp_path):
    one = measured([0.1], noise_params='{"sigma": "per input"}', guarantee=[LABEL], sigma=None)
    report = build_report([source(one)], GRID, "t")
    files = write_report(report, [load_registry().find("reporter", "tsv")()], tmp_path)
    [log] = [file for file in files if file.suffix == ".tsv"]
    assert set(read_logs([log], None)[0].measured[0].guarantee) == {"as printed (per-input noise)"}


def test_plain_reports_say_nothing_of_it(source, measured):
    report = build_report([source(measured([0.6, 0.6]))], GRID, "t")
    for name in ("markdown", "latex", "html", "csv"):
        for content in rendered(report, name).values():
            text = content.decode() if isinstance(content, bytes) else content
            assert "per-input" not in text
            assert "optimisation" not in text.lower().replace("monte carlo or optimisation", "")
    assert "per-input" not in terminal_table(report)


def test_every_input_has_its_choice_in_the_csv(report):
    rows = list(csv.DictReader(io.StringIO(rendered(report, "csv")["optimization.csv"])))
    assert [(row["index"], row["number"], row["params"], row["chosen"]) for row in rows] == [
        ("0", "1", '{"beta": 2.5}', "0"),
        ("0", "2", '{"beta": 3.5}', "1"),
    ]
    assert {row["alpha"] for row in rows} == {"0.0001"}


@pytest.mark.parametrize("name", ["markdown", "latex", "html"])
def test_pages_sum_up_the_choices_per_input(report, name):
    [content] = rendered(report, name).values()
    text = content.decode() if isinstance(content, bytes) else content
    assert "chosen for each input" in text
    assert "0.3123" in text
    assert "0.3124" not in text


@pytest.mark.parametrize("name", ["markdown", "latex", "html"])
def test_pages_show_the_path_of_c_opt(source, measured, name):
    rows = [candidate(1, 0.1), candidate(2, 0.31239, chosen=True), candidate(3, 0.2)]
    report = build_report([source(measured([0.6, 0.6]), candidates=rows)], GRID, "t")
    [content] = rendered(report, name).values()
    text = content.decode() if isinstance(content, bytes) else content
    for part in ("1 (the spec)", "2 (chosen)", "chosen for all inputs", "0.3123", "3.5"):
        assert part in text
    assert "0.3124" not in text
