"""What ``plugins new`` writes works untouched, for every kind, and passes the suite of its kind."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from robustbench_rs.cli import main
from robustbench_rs.plugins import KINDS, load_registry
from robustbench_rs.plugins.scaffold import class_name, write_package, write_plugin


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_file_loads_and_passes_its_checks(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_plugin(kind, "my-thing", tmp_path)
    registry = load_registry([file], strict=True)
    component = registry.find(kind, "my-thing")
    assert component.__name__ == "MyThing"
    assert "xample" not in file.read_text()
    assert main(["plugins", "check", f"{kind}:my-thing", "-p", str(file)]) == 0, capsys.readouterr()
    assert "ok" in capsys.readouterr().out


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_passes_its_own_test(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_package(kind, "my-thing", tmp_path)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "robustbench_rs_my_thing", raising=False)
    (test,) = (folder / "tests").glob("test_*.py")
    spec = importlib.util.spec_from_file_location(f"generated_test_{kind}", test)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.test_conformance()


@pytest.mark.slow
def test_a_new_package_installs_and_is_found(tmp_path: Path) -> None:
    folder = write_package("noise", "my-noise", tmp_path)
    target = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(folder)], check=True, timeout=120)
    code = "import sys; from robustbench_rs.cli import main; sys.exit(main(['plugins', 'list', '--json']))"
    environment = {**os.environ, "PYTHONPATH": str(target)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    row = next(row for row in json.loads(done.stdout) if row["name"] == "my-noise")
    assert (row["provider"], row["version"], row["status"]) == ("robustbench-rs-my-noise", "0.1.0", "ok")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_clean(kind: str, tmp_path: Path) -> None:
    """By the rules of this project, in a project of its own."""
    folder = write_package(kind, "my-thing", tmp_path)
    config = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())["tool"]["ruff"]
    rules = ["--select", ",".join(config["lint"]["select"]), "--ignore", ",".join(config["lint"]["ignore"])]
    for command in (["check", *rules], ["format", "--check"]):
        arguments = [sys.executable, "-m", "ruff", *command, "--no-cache", "--isolated", "--line-length", "120"]
        done = subprocess.run([*arguments, "."], cwd=folder, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "expected"), [("my-noise", "MyNoise"), ("x2", "X2"), ("noise", "NoisePlugin"), ("params", "ParamsPlugin")]
)
def test_class_names(name: str, expected: str) -> None:
    assert class_name(name) == expected


def test_a_name_like_a_base_class_still_loads(tmp_path: Path) -> None:
    for kind in KINDS:
        file = write_plugin(kind, kind, tmp_path)
        assert load_registry([file], strict=True).find(kind, kind).name == kind
