"""The built wheel, installed where nothing else of the checkout is, runs the quickstart from an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built offline, with the build backend of this environment."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, and with the dependencies of this one behind it."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--prefix", str(folder)]
    subprocess.run([*pip, "--ignore-installed", str(wheel)], check=True, timeout=120)
    # Paths in a .pth come after the environment's own packages; .pth files in those (editable installs) are not read.
    outer = [path for path in sys.path if path.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(outer) + "\n")
    return folder


def run(environment: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The installed script, in ``folder``, with no variable that could lead it back to the checkout."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "ROBUSTBENCH"))}
    command = [str(environment / "bin" / "robustbench-rs"), *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env={**kept, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_wheel_holds_packages_specs_and_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    specs = {f"robustbench_rs/specs/{file.name}" for file in (ROOT / "specs").iterdir()}
    assert "robustbench_rs/specs/quickstart.yaml" in specs
    assert specs <= names
    templates = {
        f"robustbench_rs/plugins/templates/{f.name}" for f in (ROOT / "robustbench_rs/plugins/templates").glob("*.py")
    }
    assert len(templates) > 8
    assert templates <= names
    assert {"robustbench_rs/py.typed", "robustbench_rs_plugins/py.typed"} <= names
    for folder, package in ((ROOT, "robustbench_rs"), (ROOT / "plugins", "robustbench_rs_plugins")):
        files = {
            str(file.relative_to(folder))
            for file in (folder / package).rglob("*")
            if file.suffix in (".py", ".j2", ".css", ".js")
        }
        assert files <= names
    assert not [name for name in names if name.startswith(("tests/", "docs/", "benchmarks/"))]


def test_everything_comes_from_the_wheel(environment: Path, tmp_path: Path) -> None:
    code = "import robustbench_rs, robustbench_rs_plugins as p; print(robustbench_rs.__file__, p.__file__)"
    done = subprocess.run(
        [str(environment / "bin" / "python"), "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.count(str(environment)) == 2


def test_no_plugin_is_broken_and_all_specs_are_there(environment: Path, tmp_path: Path) -> None:
    listed = run(environment, tmp_path, "plugins", "--strict-plugins")
    assert listed.returncode == 0, listed.stderr
    assert str(ROOT) not in listed.stdout
    specs = run(environment, tmp_path, "specs")
    for file in (ROOT / "specs").glob("*.yaml"):
        assert f"\n{file.stem} " in specs.stdout
    scaffold = run(environment, tmp_path, "plugins", "new", "noise", "mine")
    assert scaffold.returncode == 0, scaffold.stderr


def test_the_quickstart_runs_from_an_empty_folder(environment: Path, tmp_path: Path) -> None:
    done = run(environment, tmp_path, "run", "quickstart", "--cache", str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"Report: {Path('runs/quickstart/report/report.html')}"
    assert (tmp_path / "runs/quickstart/report/report.html").stat().st_size > 100_000
    clean_radius = [line for line in done.stdout.splitlines() if "gaussian" in line and "0.25" in line]
    assert clean_radius
