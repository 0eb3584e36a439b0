"""The examples of the documentation are executed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from robustbench_rs.plugins import load_registry
from robustbench_rs.reporting import build_report, read_logs, write_report

DOCS = Path(__file__).resolve().parents[2] / "docs"
LOG = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t3\t3\t0.378\t1\t15.5\n20\t3\t3\t0.5\t1\t15.5\n"


def snippets(page: str, language: str) -> list[str]:
    found = re.findall(
        rf"^( *)```{language}\n(.*?)^ *```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    return ["\n".join(line.removeprefix(indent) for line in text.splitlines()) for indent, text in found]


def test_the_reporter_of_the_page_works_as_a_plugin_file(source, measured, tmp_path):
    file = tmp_path / "my_reporter.py"
    file.write_text(snippets("adding-a-reporter.md", "python")[0])
    component = load_registry([file]).find("reporter", "leaderboard")
    levels = [measured([0.1, 0.2], sigma=0.25), measured([0.4, 0.5999], sigma=0.5)]
    report = build_report([source(*levels)], [0.0], "t")
    (path,) = write_report(report, [component(component.Params(top=1))], tmp_path / "report")
    assert json.loads(path.read_text(encoding="utf-8")) == [
        {"name": "base, gaussian \u03c3=0.5", "acr": "0.499", "guarantee": "proved"}
    ]


def test_the_metadata_of_the_page_is_read(tmp_path):
    (tmp_path / "meta.yaml").write_text(snippets("comparing.md", "yaml")[0])
    log = tmp_path / "my_log.tsv"
    log.write_text(LOG)
    (read,) = read_logs([log], tmp_path / "meta.yaml")[0].measured
    assert (read.dataset, read.noise, read.sigma, read.norm) == ("cifar10", "generalized-normal", 0.5, 1.0)


def test_the_python_of_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("published").mkdir()
    for name in "ab":
        Path("published", f"{name}.tsv").write_text(LOG)
    exec(compile(snippets("comparing.md", "python")[0], "comparing.md", "exec"), {})
    assert "unknown, norm 2: certified accuracy" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["markdown", "latex", "csv", "tsv", "png", "pdf"])
def test_every_reporter_of_the_table_is_registered_and_names_its_files(name, source, measured):
    rows = re.findall(r"^\| (`.*?) \| (.*) \|$", (DOCS / "reports.md").read_text(encoding="utf-8"), re.MULTILINE)
    documented = next(files for names, files in rows if f"`{name}`" in names)
    component = load_registry().find("reporter", name)
    report = build_report([source(measured([0.1, 0.2]))], [0.0], "t")
    for file in component().render(report):
        assert (f"`{file}`" in documented) or (name == "tsv" and file.endswith((".tsv", ".yaml")))
