"""Plugins that misbehave: the message names the plugin, and what was stored stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

HEAD = """
from robustbench_rs.api import (
    Bound, Dataset, Executor, Limits, Model, NoiseParams, ProductNoise, Radii, Reporter, Solver, Training, hookimpl
)
"""

PLUGINS: dict[str, tuple[str, dict[str, Any], list[str], int]] = {
    "noise that raises": (
        """
class Bad(ProductNoise):
    name = "bad"
    std = 1.0
    def log_density(self, z): return -z * z / 2
    def sample(self, shape, generator, device, dtype): raise ValueError("no draws today")
@hookimpl
def robustbench_rs_noises(): return [Bad]
""",
        {"defenses__0__noise": {"name": "bad", "sigma": 0.5}},
        ["noise 'bad'", "no draws today"],
        1,
    ),
    "noise that is NaN": (
        """
class Bad(ProductNoise):
    name = "bad"
    std = 1.0
    def log_density(self, z): return -z * z / 2
    def sample(self, shape, generator, device, dtype):
        import torch
        return torch.full(shape, float("nan"), dtype=dtype)
@hookimpl
def robustbench_rs_noises(): return [Bad]
""",
        {"defenses__0__noise": {"name": "bad", "sigma": 0.5}},
        ["noise 'bad'", "not finite"],
        1,
    ),
    "noise of another shape": (
        """
class Bad(ProductNoise):
    name = "bad"
    std = 1.0
    def log_density(self, z): return -z * z / 2
    def sample(self, shape, generator, device, dtype):
        import torch
        return torch.zeros(3, dtype=dtype)
@hookimpl
def robustbench_rs_noises(): return [Bad]
""",
        {"defenses__0__noise": {"name": "bad", "sigma": 0.5}},
        ["noise 'bad'", "shape (3,)"],
        1,
    ),
    "bound that raises": (
        """
class Bad(Bound):
    name = "bad"
    def limits(self, counts, classes, alpha): raise ValueError("cannot bound")
    def budget(self, alpha): return {}
@hookimpl
def robustbench_rs_bounds(): return [Bad]
""",
        {"certification__bound": "bad"},
        ["bound", "'bad'", "cannot bound"],
        1,
    ),
    "bound outside the unit interval": (
        """
class Bad(Bound):
    name = "bad"
    def limits(self, counts, classes, alpha): return Limits(classes + 2.0, classes * 0.0)
    def budget(self, alpha): return {}
@hookimpl
def robustbench_rs_bounds(): return [Bad]
""",
        {"certification__bound": "bad"},
        ["bound 'bad'", "outside [0, 1]"],
        1,
    ),
    "solver that raises": (
        """
class Bad(Solver):
    name = "bad"
    def refusal(self, noise, norm, dim): return None
    def radii(self, noise, norm, dim, p_lower, p_upper): raise ZeroDivisionError("oh")
@hookimpl
def robustbench_rs_solvers(): return [Bad]
""",
        {"certification__solvers": ["bad"]},
        ["solver 'bad'", "ZeroDivisionError"],
        1,
    ),
    "solver that returns NaN": (
        """
class Bad(Solver):
    name = "bad"
    def refusal(self, noise, norm, dim): return None
    def radii(self, noise, norm, dim, p_lower, p_upper): return Radii(p_lower * float("nan"), "proved")
@hookimpl
def robustbench_rs_solvers(): return [Bad]
""",
        {"certification__solvers": ["bad"]},
        ["solver 'bad'", "NaN"],
        1,
    ),
    "model that raises": (
        """
class Bad(Model):
    name = "bad"
    needs_weights = False
    def build(self, inputs, importer): raise RuntimeError("no bricks")
@hookimpl
def robustbench_rs_models(): return [Bad]
""",
        {"defenses__0__model": "bad"},
        ["model", "'bad'", "no bricks"],
        1,
    ),
    "training that raises": (
        """
class Bad(Training):
    name = "bad"
    def train(self, run): raise RuntimeError("tired")
@hookimpl
def robustbench_rs_trainings(): return [Bad]
""",
        {"defenses__0__model": {"name": "mlp", "training": "bad"}},
        ["training", "'bad'", "tired"],
        1,
    ),
    "data set that raises": (
        """
class Bad(Dataset):
    name = "bad"
    def load(self, split): raise TypeError("not today")
@hookimpl
def robustbench_rs_datasets(): return [Bad]
""",
        {"dataset": "bad"},
        ["dataset", "'bad'", "not today"],
        1,
    ),
    "data set with a label out of range": (
        """
import numpy as np
from robustbench_rs.api import ArrayImages
class Bad(Dataset):
    name = "bad"
    def load(self, split): return ArrayImages(np.zeros((3, 1, 8, 8), np.uint8), np.array([0, 1, 5]), ["a", "b"])
@hookimpl
def robustbench_rs_datasets(): return [Bad]
""",
        {"dataset": "bad"},
        ["dataset 'bad'", "input 2 has label 5", "0 to 1"],
        2,
    ),
    "data set with NaN": (
        """
import numpy as np
from robustbench_rs.api import ArrayImages
class Bad(Dataset):
    name = "bad"
    def load(self, split):
        return ArrayImages(np.full((3, 1, 8, 8), np.nan, np.float32), np.zeros(3, int), [str(i) for i in range(10)])
@hookimpl
def robustbench_rs_datasets(): return [Bad]
""",
        {
            "dataset": "bad",
            "defenses__0__model": {
                "name": "mlp",
                "training": {"name": "noise-augmentation", "epochs": 1, "dataset": "digits"},
            },
        },
        ["pixel of nan", "input 0"],
        2,
    ),
    "executor that raises": (
        """
class Bad(Executor):
    name = "bad"
    def execute(self, job, devices, emit): raise OverflowError("too much")
@hookimpl
def robustbench_rs_executors(): return [Bad]
""",
        {"executor": "bad"},
        ["executor", "'bad'", "too much"],
        1,
    ),
    "executor that does nothing": (
        """
class Bad(Executor):
    name = "bad"
    def execute(self, job, devices, emit): pass
@hookimpl
def robustbench_rs_executors(): return [Bad]
""",
        {"executor": "bad"},
        ["executor", "'bad'"],
        1,
    ),
    "reporter that raises": (
        """
class Bad(Reporter):
    name = "bad"
    def render(self, report): raise RuntimeError("out of ink")
@hookimpl
def robustbench_rs_reporters(): return [Bad]
""",
        {"report__formats": ["csv", "bad"]},
        ["reporter 'bad'", "out of ink"],
        1,
    ),
    "reporter that writes elsewhere": (
        """
class Bad(Reporter):
    name = "bad"
    def render(self, report): return {"../outside.txt": "x"}
@hookimpl
def robustbench_rs_reporters(): return [Bad]
""",
        {"report__formats": ["csv", "bad"]},
        ["reporter 'bad'", "../outside.txt"],
        1,
    ),
}


NOISES = [kind for kind in PLUGINS if kind.startswith("noise")]


@pytest.mark.parametrize("kind", NOISES)
def test_a_noise_that_misbehaves_is_named_where_it_is_sampled(kind: str, world, refused) -> None:
    """The same noises without a training that would meet them first."""
    source, changes, words, code = PLUGINS[kind]
    make = """
        import torch

        def make():
            return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    """
    spec = world.spec(**changes, defenses__0__model={"name": "python", "factory": "my_model:make"})
    files = ["-p", world.plugin(HEAD + source), "-p", world.plugin(make, "my_model.py")]
    refused(["run", spec, *files], words, code)


@pytest.mark.parametrize("kind", PLUGINS)
def test_a_plugin_that_misbehaves_is_named(kind: str, world, refused) -> None:
    source, changes, words, code = PLUGINS[kind]
    refused(["run", world.spec(**changes), "-p", world.plugin(HEAD + source)], words, code)
    assert not (world.folder / "runs" / "outside.txt").exists()
    assert not (world.folder / "runs" / "little" / "outside.txt").exists()


def test_verbose_shows_the_traceback_of_the_plugin(world, cli) -> None:
    source, changes, _, code = PLUGINS["solver that raises"]
    outcome = cli("run", world.spec(**changes), "-p", world.plugin(HEAD + source), "-v")
    assert outcome.code == code
    assert "Traceback" in outcome.err
    assert 'raise ZeroDivisionError("oh")' in outcome.err


def test_a_failing_reporter_leaves_the_earlier_report(world, finished, results, refused, cli) -> None:
    source = PLUGINS["reporter that raises"][0]
    before = results(finished)
    refused(["report", finished, "--format", "csv,bad", "-p", world.plugin(HEAD + source)], ["reporter 'bad'"], 1)
    assert results(finished) == before


def test_a_failing_extension_leaves_the_earlier_results(world, finished, results, refused) -> None:
    """The second noise level fails: the first one's counts and the report stay, and the spec without it still works."""
    before = results(finished)
    plugin = world.plugin(HEAD + PLUGINS["noise that raises"][0])
    fields = yaml.safe_load(Path(world.spec()).read_text())
    training = {"name": "noise-augmentation", "epochs": 1, "noise": {"name": "gaussian", "sigma": 0.25}}
    second = {"name": "second", "model": {"name": "mlp", "training": training}, "noise": {"name": "bad", "sigma": 0.5}}
    fields["defenses"].append(second)
    world.write("more.yaml", yaml.safe_dump(fields))
    refused(["run", "more.yaml", "--out", finished, "-p", plugin], ["noise 'bad'"], 1)
    after = results(finished)
    assert set(before[0]) <= set(after[0])
    assert after[1] == before[1]


def test_a_missing_file_is_named(world, refused) -> None:
    refused(["run", world.spec(), "-p", "absent.py"], ["-p", "absent.py", "no such file"])


def test_a_name_given_twice_is_named(world, refused) -> None:
    source = HEAD + PLUGINS["reporter that raises"][0]
    arguments = ["-p", world.plugin(source, "one.py"), "-p", world.plugin(source, "two.py")]
    refused(["run", world.spec(), *arguments], ["two plugins provide the reporter 'bad'", "one.py", "two.py"])


def test_a_broken_plugin_is_a_warning_until_it_is_needed(world, cli, refused) -> None:
    broken = world.plugin("raise ValueError('no good')", "broken_one.py")
    outcome = cli("run", world.spec(), "-p", broken, "--dry-run")
    assert outcome.code == 0
    assert outcome.err.count("Warning") == 1
    assert "plugin broken_one.py" in outcome.err
    assert "ValueError: no good" in outcome.err
    outcome = cli("run", world.spec(defenses__0__noise="mine"), "-p", broken, "--dry-run")
    assert (outcome.code, outcome.out) == (2, "")
    assert "unknown noise 'mine'" in outcome.err
    refused(["--strict-plugins", "run", world.spec(), "-p", broken], ["broken_one.py", "BROKEN", "no good"])
    assert cli("plugins", "-p", broken).out.count("no good") == 1


def test_a_spec_never_makes_code_run(world, refused) -> None:
    world.write("trap.py", f"open({str(world.folder / 'trace')!r}, 'w')\ndef make(): pass\n")
    refused(["run", world.spec(defenses__0__model={"name": "python", "factory": "trap:make"})], ["--allow-import trap"])
    refused(["run", world.spec(requires=["trap"])], ["'trap'", "-p FILE"])
    assert not (world.folder / "trace").exists()
