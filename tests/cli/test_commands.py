"""Every command, used as it is meant to be."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

from robustbench_rs.spec import shipped_specs

HEADERS = {
    "certified_accuracy.csv": "source,defense,dataset,noise,noise_params,sigma,norm,solver,guarantee,radius,"
    "certified_accuracy,lower,upper,n_inputs",
    "summary.csv": "source,defense,dataset,noise,noise_params,sigma,norm,solver,guarantee,acr,clean_accuracy,"
    "smoothed_accuracy,abstention_rate,max_radius,n_inputs,samples,seconds",
    "certificates.csv": "source,defense,dataset,noise,noise_params,sigma,index,label,prediction,abstained,correct,norm,"
    "solver,solver_used,guarantee,radius,p_lower,p_upper,n,bound,alpha",
}
LOG = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n" + "".join(f"{20 * i}\t1\t1\t0.3\t1\t0:00:01\n" for i in range(9))


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_run_prints_the_table_and_the_place_and_nothing_else(world, cli) -> None:
    outcome = cli("run", world.spec(report__formats=["html", "markdown", "latex", "csv"]))
    assert (outcome.code, outcome.err) == (0, "")
    assert "digits" in outcome.out
    assert "0.25" in outcome.out
    assert outcome.out.splitlines()[-1] == f"Report: {Path('runs/little/report/report.html')}"
    report = world.folder / "runs" / "little" / "report"
    assert {"report.html", "report.md", "report.tex", *HEADERS} <= {file.name for file in report.iterdir()}
    for name, header in HEADERS.items():
        assert (report / name).read_text().splitlines()[0] == header


def test_running_again_draws_nothing_again(world, finished, cli, results) -> None:
    before = results(finished)
    assert cli("run", world.spec(), "--out", finished).code == 0
    assert results(finished) == before


def test_a_larger_n_reuses_what_was_drawn(world, finished, cli, results) -> None:
    before = {row[:4]: row[4] for row in results(finished)[0]}
    assert cli("run", world.spec(), "--set", "certification.n=100", "--out", finished).code == 0
    after = {row[:4]: row[4] for row in results(finished)[0]}
    assert after.keys() == before.keys()
    assert sorted(set(after.values()) - set(before.values())) == [100]
    fresh = cli("run", world.spec(certification__n=100), "--out", "fresh")
    assert fresh.code == 0
    assert results(world.folder / "fresh") == results(finished)


def test_dry_run_prints_the_plan_and_does_nothing(world, cli) -> None:
    outcome = cli("run", world.spec(defenses__0__noise__sigma=[0.25, 0.5]), "--dry-run")
    assert outcome.code == 0
    for word in ("little", "sigma=0.25", "sigma=0.5", "estimation 60", "selection 10"):
        assert word in outcome.out
    assert [path.name for path in world.folder.iterdir()] == ["spec.yaml"]


def test_executor_is_an_override(world, cli) -> None:
    assert cli("run", world.spec(executor=...), "--executor", "local").code == 0


def test_shards_merge_into_the_whole(world, cli, finished, results) -> None:
    for shard in ("1/2", "2/2"):
        assert cli("run", world.spec(), "--shard", shard, "--out", shard.replace("/", "-")).code == 0
    outcome = cli("merge", "1-2", "2-2", "--out", "merged")
    assert outcome.code == 0
    assert cli("report", "merged").code == 0
    assert results(world.folder / "merged") == results(finished)


def test_report_derives_again_without_drawing(finished, cli, results) -> None:
    counts = results(finished)[0]
    outcome = cli("report", finished, "--norm", "1,2", "--norm", "inf", "--alpha", "0.05", "--format", "csv")
    assert outcome.code == 0
    table = rows(finished / "report" / "certificates.csv")
    assert {row["norm"] for row in table} == {"1", "2", "inf"}
    assert {row["alpha"] for row in table} == {"0.05"}
    assert results(finished)[0] == counts


def test_report_from_its_results_file(finished, cli, results) -> None:
    before = results(finished)
    assert cli("report", finished / "run.sqlite").code == 0
    assert results(finished) == before


def test_compare_mixes_runs_and_logs(world, finished, cli) -> None:
    world.write("cifar10_noise_0.25_sigma_0.25.tsv", LOG)
    sources = [finished, "cifar10_noise_0.25_sigma_0.25.tsv"]
    table = cli("compare", *sources)
    assert table.code == 0
    assert "cifar10_noise_0.25_sigma_0.25" in table.out
    assert not (world.folder / "report").exists()
    written = cli("compare", *sources, "--out", "both", "--radii", "0:0.5:0.25")
    assert written.code == 0
    assert written.out.splitlines()[-1] == f"Report: {Path('both/report/report.html')}"
    accuracy = rows(world.folder / "both" / "report" / "certified_accuracy.csv")
    assert {row["radius"] for row in accuracy} == {"0.0", "0.25", "0.5"}
    assert len({row["source"] for row in accuracy}) == 2


def test_compare_two_runs_of_one_name(world, finished, cli) -> None:
    assert cli("run", world.spec(certification__n=80), "--out", "second").code == 0
    outcome = cli("compare", finished, "second", "--out", "both")
    assert outcome.code == 0
    sources = {row["source"] for row in rows(world.folder / "both" / "report" / "summary.csv")}
    assert sources == {"finished", "second"}


def test_import_then_compare_is_as_the_log_itself(world, cli) -> None:
    world.write("cifar10_noise_0.25_sigma_0.25.tsv", LOG)
    assert cli("import", "cifar10_noise_0.25_sigma_0.25.tsv", "--out", "kept").code == 0
    names = ("certificates.csv", "certified_accuracy.csv", "summary.csv")
    for source, out in (("kept", "a"), ("cifar10_noise_0.25_sigma_0.25.tsv", "b")):
        assert cli("compare", source, "--out", out).code == 0
    for name in names:
        assert (world.folder / "a/report" / name).read_text() == (world.folder / "b/report" / name).read_text()


def test_export_as_logs_that_can_be_read_again(world, finished, cli) -> None:
    outcome = cli("export", finished, "--format", "tsv", "--out", "logs")
    assert outcome.code == 0
    (log,) = [Path(line) for line in outcome.out.splitlines() if line.endswith(".tsv")]
    assert cli("compare", log, "--out", "again").code == 0
    ours = {row["index"]: row for row in rows(finished / "report" / "certificates.csv")}
    theirs = rows(world.folder / "again" / "report" / "certificates.csv")
    assert len(theirs) == len(ours) == 6
    for row in theirs:
        radius = float(ours[row["index"]]["radius"])
        assert radius * (1 - 1e-5) <= float(row["radius"]) <= radius
        assert row["prediction"] == ours[row["index"]]["prediction"]


def test_export_as_tables_and_as_json(finished, cli) -> None:
    outcome = cli("export", finished, "--format", "csv")
    assert {Path(line).name for line in outcome.out.splitlines()} == set(HEADERS)
    outcome = cli("export", finished, "--format", "json")
    document = json.loads(Path(outcome.out.strip()).read_text())
    assert len(document["certificates"]) == 6
    assert {"defense", "sigma", "index", "radius", "p_lower"} <= document["certificates"][0].keys()
    stages = {row["stage"]: sum(row["counts"]) for row in document["counts"]}
    assert stages == {"clean": 1, "selection": 10, "estimation": 60}


def test_validate_schema_and_specs(world, cli) -> None:
    assert "valid" in cli("validate", world.spec()).out
    document = json.loads(cli("validate", world.spec(), "--json").out)
    assert document["valid"] is True
    assert document["spec"]["certification"]["n"] == 60
    assert json.loads(cli("schema").out)["$schema"].startswith("https://json-schema.org/")
    outcome = cli("specs")
    for name in shipped_specs():
        assert any(line.startswith(f"{name} ") for line in outcome.out.splitlines())


@pytest.mark.parametrize("name", sorted(shipped_specs()))
def test_shipped_specs_are_valid(name: str, world, cli) -> None:
    assert cli("validate", name, "--data", world.folder).code == 0


def test_options_stand_before_or_after_the_command(world, cli, raised_cosine) -> None:
    for arguments in (["-p", raised_cosine, "plugins", "show", "raised-cosine"],
                      ["plugins", "-p", raised_cosine, "show", "raised-cosine"],
                      ["plugins", "show", "raised-cosine", "-p", raised_cosine]):  # fmt: skip
        outcome = cli(*arguments)
        assert outcome.code == 0, outcome
        assert "density proportional to" in outcome.out


def test_plugins_and_data_from_the_environment(world, cli, raised_cosine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBUSTBENCH_RS_PLUGINS", os.pathsep.join([str(raised_cosine), ""]))
    monkeypatch.setenv("ROBUSTBENCH_RS_DATA", str(world.folder / "data"))
    assert cli("plugins", "show", "raised-cosine", "-p", raised_cosine).code == 0
    spec = world.spec(dataset={"name": "idx", "path": "${data}/mnist"})
    document = json.loads(cli("validate", spec, "--json").out)
    assert document["spec"]["dataset"]["path"] == str(world.folder / "data" / "mnist")
    document = json.loads(cli("validate", spec, "--json", "--data", "elsewhere").out)
    assert document["spec"]["dataset"]["path"] == str(world.folder / "elsewhere" / "mnist")


def test_plugins_list_as_json(cli, world) -> None:
    broken = world.plugin("raise ValueError('no good')", "broken_one.py")
    listed = json.loads(cli("plugins", "list", "--json", "-p", broken).out)
    gaussian = next(row for row in listed if row["name"] == "gaussian")
    assert gaussian["kind"] == "noise"
    assert gaussian["provider"] == "robustbench-rs"
    assert gaussian["version"]
    assert gaussian["hooks"] == ["robustbench_rs_noises"]
    bad = next(row for row in listed if row["name"] == "broken_one.py")
    assert (bad["status"], bad["error"]) == ("BROKEN", "ValueError: no good")


def test_plugins_show(cli) -> None:
    outcome = cli("plugins", "show", "gaussian", "--param", "sigma=2")
    assert outcome.code == 0
    for word in ("noise gaussian", "sigma", "greater", "symmetric True", "Closed form, norm 2", "proved"):
        assert word in outcome.out or word == "greater"
    document = json.loads(cli("plugins", "show", "gaussian", "--param", "sigma=2", "--json").out)
    assert document[0]["facts"]["sigma"] == 2
    assert {form["norm"] for form in document[0]["closed_forms"]} == {"1", "2", "inf"}


def test_plugins_check_says_which_claim_fails(world, cli, raised_cosine) -> None:
    good = cli("plugins", "check", "raised-cosine", "-p", raised_cosine)
    assert good.code == 0, good
    assert "ok" in good.out
    assert "FAILED" not in good.out
    liar = world.plugin(raised_cosine.read_text().replace("np.cos(np.pi * z)", "np.cos(np.pi * z) * (z > -0.5)"))
    bad = cli("plugins", "check", "raised-cosine", "-p", liar)
    assert bad.code == 1
    assert "FAILED" in bad.out
    assert "symmetric" in bad.err


def test_doctor(cli, world) -> None:
    outcome = cli("doctor", "--json")
    assert outcome.code == 0
    document = json.loads(outcome.out)
    assert document["packages"]["torch"]
    assert "cpu" in document["torch"]["devices"]
    assert document["plugins"]["broken"] == []
    assert document["cache"]["writable"] is True
    assert "torch" in cli("doctor").out


def test_doctor_finds_an_unwritable_cache_and_a_broken_extra(world, cli, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("taken", "x")
    world.write("lib/torchvision.py", "raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(str(world.folder / "lib"))
    document = json.loads(cli("doctor", "--json", "--cache", "/proc/nowhere").out)
    assert document["cache"]["writable"] is False
    assert document["extras"]["vision"]["torchvision"] == (
        "broken: RuntimeError: operator torchvision::nms does not exist"
    )


def test_quiet_says_only_results(world, cli) -> None:
    broken = world.plugin("raise ValueError('no good')", "broken_one.py")
    outcome = cli("-q", "run", world.spec(), "-p", broken)
    assert (outcome.code, outcome.err) == (0, "")
    assert "Report: " in outcome.out


def test_version_and_help(cli) -> None:
    assert cli("--version").out.startswith("robustbench-rs, version ")
    outcome = cli("--help")
    assert outcome.code == 0
    for command in ("run", "compare", "report", "radius", "plugins", "validate", "schema", "specs", "export", "import"):
        assert f"\n  {command} " in outcome.out
    assert cli("run", "--help").code == 0
