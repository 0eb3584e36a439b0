"""Validations and the calculator's curves on the command line."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

SPEC: dict[str, Any] = {
    "name": "tight",
    "validation": {
        "kind": "tightness",
        "noises": [{"name": "gaussian", "sigma": [0.25, 0.5]}, {"name": "laplace", "sigma": 0.5}],
        "norms": [1, 2, "inf"],
        "dims": [16],
        "p_lower": [0.6, 0.99],
        "solvers": ["closed-form"],
    },
    "report": {"formats": ["html", "markdown", "latex", "csv"]},
}
RADIUS = ["radius", "--norm", "1", "--dim", "16"]


@pytest.fixture
def spec(world):
    """Writes the spec, with other values in the section ``validation``."""

    def write(**changes: Any) -> str:
        return str(world.write("v.yaml", yaml.safe_dump(SPEC | {"validation": SPEC["validation"] | changes})))

    return write


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("kind", ["tightness", "optimality"])
def test_run_writes_a_report_that_report_renders_again(kind: str, spec, cli, world) -> None:
    outcome = cli("run", spec(kind=kind))
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-1] == f"Report: {Path('runs/tight/report/report.html')}"
    assert "norm inf, d = 16" in outcome.out
    folder = world.folder / "runs/tight/report"
    names = {"report.html", "report.md", "report.tex", "validation.csv", "brackets.csv", "refused.csv"}
    names |= {"curves.csv", "best_noise.csv"} if kind == "optimality" else set()
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert before.keys() == names
    for file in folder.iterdir():
        file.unlink()
    again = cli("report", "runs/tight")
    assert (again.code, again.out) == (0, outcome.out)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_the_radii_are_those_of_the_calculator(spec, cli, world) -> None:
    assert cli("run", spec()).code == 0
    table = rows(world.folder / "runs/tight/report/validation.csv")
    assert len(table) == (2 + 2 + 3) * 2
    for row in table:
        (level,) = json.loads(row["noise_params"]).items()
        noise = f"{row['noise']},{level[0]}={level[1]}"
        flags = ["--norm", row["norm"], "--dim", row["dim"], "--p-lower", row["p_lower"], "--solver", "closed-form"]
        document = json.loads(cli("radius", "--noise", noise, *flags, "--json").out)
        assert document["results"][0]["radius"] == float(row["radius"])
        assert document["p_upper"] == float(row["p_upper"])


def test_again_computes_anew_whatever_changed(spec, cli, world) -> None:
    assert cli("run", spec()).code == 0
    assert cli("run", spec(dims=[3], kind="optimality")).code == 0
    assert {row["dim"] for row in rows(world.folder / "runs/tight/report/validation.csv")} == {"3"}


def test_formats_may_be_chosen_again(spec, cli, world) -> None:
    assert cli("run", spec(), "--set", "report.formats=[csv]").code == 0
    assert cli("report", "runs/tight", "--format", "png,markdown").code == 0
    assert (world.folder / "runs/tight/report/validation.png").read_bytes().startswith(b"\x89PNG")


def test_dry_run_and_validate_say_what_would_be_computed(spec, cli, world) -> None:
    outcome = cli("run", spec(), "--dry-run")
    assert outcome.code == 0
    for text in ("tight: tightness, 9 cases", '"sigma":0.25', "1, 2, inf", "0.6, 0.99", "closed-form"):
        assert text in outcome.out
    assert [path.name for path in world.folder.iterdir()] == ["v.yaml"]
    assert "tightness of 3 noise(s), 3 norm(s), 1 dimension(s)" in cli("validate", spec()).out
    document = json.loads(cli("validate", spec(), "--json").out)
    assert len(document["spec"]["validation"]["noises"]) == 3


def test_export(spec, cli, world, refused) -> None:
    assert cli("run", spec(kind="optimality")).code == 0
    outcome = cli("export", "runs/tight", "--format", "csv")
    assert {Path(line).name for line in outcome.out.splitlines()} >= {"validation.csv", "brackets.csv", "curves.csv"}
    document = json.loads(Path(cli("export", "runs/tight", "--format", "json").out.strip()).read_text())
    assert document.keys() == {"name", "radii", "brackets", "curves", "best", "refusals"}
    assert len(document["radii"]) == len(rows(world.folder / "runs/tight/report/validation.csv"))
    assert {"noise", "sigma", "norm", "p_lower", "radius", "guarantee"} <= document["radii"][0].keys()
    assert len(document["curves"][0]["radius"]) == len(document["curves"][0]["p_lower"])
    refused(["export", "runs/tight", "--format", "tsv"], ["tsv", "is a validation", "csv"])


def test_what_makes_no_sense_for_a_validation_is_refused(spec, cli, world, refused, finished) -> None:
    assert cli("run", spec()).code == 0
    words = ["runs/tight holds a validation", "no certificates", "robustbench-rs report runs/tight"]
    refused(["compare", "runs/tight"], words)
    refused(["compare", finished, "runs/tight"], words)
    refused(["merge", "runs/tight", "--out", "merged"], words)
    assert not (world.folder / "merged/run.sqlite").exists()
    for flags in (["--norm", "2"], ["--solver", "auto"], ["--alpha", "0.1"]):
        refused(["report", "runs/tight", *flags], words)
    refused(["run", spec(), "--shard", "1/2"], ["--shard", "a validation has none"])
    refused(["run", spec(), "--executor", "local"], ["'executor' does not go with 'validation'"])


def test_a_directory_of_another_kind_is_left_alone(spec, cli, world, refused, finished, results) -> None:
    before = results(finished)
    refused(["run", spec(), "--out", finished], ["holds an evaluation", "--fresh"])
    assert results(finished) == before
    assert cli("run", spec(), "--out", "here").code == 0
    refused(["run", world.spec(), "--out", "here"], ["here holds a validation", "--fresh"])
    assert cli("run", spec(), "--out", finished, "--fresh").code == 0
    assert (world.folder / "finished.1/run.sqlite").is_file()


def test_python_returns_what_the_command_line_renders(spec, world) -> None:
    from robustbench_rs import evaluate, load_run

    found = evaluate(spec()).report().validation
    assert found is not None
    assert len(found.brackets) == 14
    assert load_run("runs/tight").report().validation == found


MISTAKES = {
    "both": ({"defenses": []}, ["v.yaml", "defenses", "not both"]),
    "neither": ({"validation": ...}, ["defenses", "either 'defenses' or 'validation'"]),
    "a data set": ({"dataset": "digits"}, ["dataset", "no model and no data"]),
    "an unknown kind": ({"validation.kind": "tight"}, ["validation.kind", "did you mean 'tightness'?"]),
    "no noises": ({"validation.noises": []}, ["validation.noises", "at least 1 entry"]),
    "no norms": ({"validation.norms": []}, ["validation.norms", "at least 1 entry"]),
    "an unknown noise": ({"validation.noises": ["gausian"]}, ["validation.noises.0", "did you mean 'gaussian'?"]),
    "a negative level": ({"validation.noises": [{"name": "gaussian", "sigma": [1, -1]}]}, ["noises.0.sigma.1", "-1"]),
    "pA of one half": ({"validation.p_lower": [0.9, 0.5]}, ["validation.p_lower.1", "greater than 0.5"]),
    "pA of one": ({"validation.p_lower": [1]}, ["validation.p_lower.0", "less than 1"]),
    "no dimension": ({"validation.dims": [0]}, ["validation.dims.0", "at least 1"]),
    "an unknown solver": ({"validation.solvers": ["closed-from"]}, ["validation.solvers.0", "'closed-form'"]),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_validation_with_a_mistake(kind: str, world, refused) -> None:
    changes, words = MISTAKES[kind]
    fields = json.loads(json.dumps(SPEC))
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = fields
        for key in parents:
            place = place[key]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    file = world.write("v.yaml", yaml.safe_dump(fields))
    refused(["run", file], words)
    refused(["run", file, "--dry-run"], words)
    assert not (world.folder / "runs").exists()


def test_several_noises_share_the_parameters(cli, world) -> None:
    noises = ["--noise", "laplace", "--noise", "gaussian,sigma=0.25", "--noise", "uniform,scale=1"]
    outcome = cli(*RADIUS, *noises, "--param", "sigma=0.5", "--p-lower", "0.9", "--json")
    documents = json.loads(outcome.out)
    assert [(each["noise"], each["params"]) for each in documents] == [
        ("laplace", {"sigma": 0.5}),
        ("gaussian", {"sigma": 0.25}),
        ("uniform", {"scale": 1.0}),
    ]
    text = cli(*RADIUS, *noises, "--param", "sigma=0.5", "--p-lower", "0.9").out
    for document in documents:
        assert repr(document["results"][0]["radius"]) in text
    assert text.count("closed-form") == 3


def test_all_solvers_say_why_they_have_none(cli, world) -> None:
    flags = [*RADIUS, "--noise", "laplace,sigma=0.5", "--p-lower", "0.9", "--solver", "all"]
    solver = """
        from robustbench_rs.api import Solver, hookimpl

        class Never(Solver):
            name = "never"

            def refusal(self, noise, norm, dim):
                return "it has no opinion"

            def radii(self, noise, norm, dim, p_lower, p_upper):
                raise NotImplementedError

        @hookimpl
        def robustbench_rs_solvers():
            return [Never]
    """
    plugin = world.plugin(solver)
    document = json.loads(cli(*flags, "--json", "-p", plugin).out)
    assert {"solver": "never", "reason": "it has no opinion"} in document["refused"]
    assert "never" not in {result["solver"] for result in document["results"]}
    assert "no radius by never: it has no opinion" in cli(*flags, "-p", plugin).out
    assert "refused" not in json.loads(cli(*flags[:-2], "--json", "-p", plugin).out)


CURVES = ["--noise", "laplace", "--noise", "gaussian", "--param", "sigma=0.5", "--curve"]


def test_curves_of_several_noises_as_a_table(cli, world) -> None:
    outcome = cli(*RADIUS, *CURVES, "c.csv")
    assert (outcome.code, outcome.out, outcome.err) == (0, "Curve: c.csv\n", "")
    table = rows(world.folder / "c.csv")
    assert {row["noise"] for row in table} == {"laplace", "gaussian"}
    assert {row["sigma"] for row in table} == {"0.5"}
    for noise in ("laplace", "gaussian"):
        own = [row for row in table if row["noise"] == noise]
        radii = [float(row["radius"]) for row in own]
        assert radii == sorted(radii)
        row = own[len(own) // 2]
        flags = ["--noise", f"{noise},sigma=0.5", "--p-lower", row["p_lower"], "--json"]
        assert json.loads(cli(*RADIUS, *flags).out)["results"][0]["radius"] == float(row["radius"])


@pytest.mark.parametrize("ending", ["html", "png", "pdf"])
def test_curves_of_several_noises_as_a_picture(ending: str, cli, world) -> None:
    assert cli(*RADIUS, *CURVES, f"c.{ending}").code == 0
    content = (world.folder / f"c.{ending}").read_bytes()
    assert content.startswith({"html": b"<!doctype html>", "png": b"\x89PNG", "pdf": b"%PDF"}[ending])
    if ending == "html":
        page = content.decode()
        entries = re.findall(r'<span class="name">([^<]*)</span> <span class="badge badge-proved">proved', page)
        assert entries == ["laplace", "gaussian"]
        assert 'src="http' not in page


def test_a_noise_without_a_curve_is_named(cli, world, refused) -> None:
    flags = ["radius", "--norm", "inf", "--dim", "16", "--solver", "closed-form", "--param", "sigma=0.5"]
    outcome = cli(*flags, "--noise", "laplace", "--noise", "gaussian", "--curve", "c.csv")
    assert outcome.code == 0
    assert "no curve for laplace noise" in outcome.err
    assert {row["noise"] for row in rows(world.folder / "c.csv")} == {"gaussian"}
    refused([*flags, "--noise", "laplace", "--curve", "d.csv"], ["--curve", "no solver gives a radius"])
    assert not (world.folder / "d.csv").exists()


@pytest.mark.parametrize(
    ("noise", "words"),
    [
        ("laplce", ["did you mean 'laplace'?"]),
        ("laplace,scal=1", ["did you mean 'scale'?"]),
        ("laplace,scale", ["unknown noise 'laplace,scale'"]),
        ("laplace,scale=-1", ["scale", "greater than 0"]),
        ("laplace,scale=1,scale=2", ["'scale'", "twice"]),
        ("laplace,sigma=1,scale=1", ["exactly one of 'scale' and 'sigma'"]),
        ("", ["unknown noise ''"]),
    ],
)
def test_a_noise_flag_with_a_mistake(noise: str, words: list[str], refused) -> None:
    refused([*RADIUS, "--noise", noise, "--param", "sigma=0.5", "--p-lower", "0.9"], words)
