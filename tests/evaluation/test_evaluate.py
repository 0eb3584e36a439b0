"""Whole runs in process on the bundled digits: resume, extend, refuse, shard and merge, derive again."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest

from robustbench_rs import SmoothedClassifier, compare, evaluate, load_run, noise
from robustbench_rs.api import Inputs
from robustbench_rs.errors import InputError, RunError
from robustbench_rs.evaluation import RunOptions, merge_runs
from robustbench_rs.evaluation import load_run as load_run_with
from robustbench_rs.evaluation.checkpoints import load_weights, save_weights
from robustbench_rs.python_api import installed
from robustbench_rs.store import open_run

SPEC = {
    "name": "little",
    "dataset": {"name": "digits", "limit": 12},
    "defenses": [
        {
            "name": "g",
            "model": {"name": "mlp", "training": {"name": "noise-augmentation", "epochs": 2}},
            "noise": {"name": "gaussian", "sigma": [0.25, 0.5]},
        }
    ],
    "certification": {"n0": 20, "n": 200, "norms": [1, 2, "inf"]},
    "report": {"formats": ["csv", "markdown"]},
    "executor": {"name": "local", "batch_size": 64},
}


def changed(**keys):
    """The spec with some nested keys replaced: ``certification__n=400``."""
    spec = copy.deepcopy(SPEC)
    for path, value in keys.items():
        *parents, last = [int(key) if key.isdigit() else key for key in path.split("__")]
        place = spec
        for key in parents:
            place = place[key]
        place[last] = value
    return spec


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def finished(cache, tmp_path_factory):
    """A finished run's directory; tests that go on in it copy it first."""
    out = tmp_path_factory.mktemp("finished") / "run"
    evaluate(SPEC, RunOptions(out=out, cache=cache))
    return out


@pytest.fixture
def options(cache, tmp_path):
    return RunOptions(out=tmp_path / "run", cache=cache)


def copied(finished: Path, options: RunOptions) -> None:
    import shutil

    shutil.copytree(finished, options.out)


def counts_of(path: Path) -> dict:
    with open_run(path / "run.sqlite") as store:
        rows = store._all("SELECT task, idx, stage, n, counts FROM counts ORDER BY 1, 2, 3")
    return {row[:3]: row[3:] for row in rows}


def tables_of(path: Path) -> list[bytes]:
    return [(path / "report" / name).read_bytes() for name in ("certificates.csv", "certified_accuracy.csv")]


def test_a_run_stores_counts_certificates_and_pictures(finished):
    run = load_run(finished)
    assert [(one.norm, one.sigma) for one in run.source.measured] == [
        (norm, s) for s in (0.25, 0.5) for norm in (1, 2, np.inf)
    ]
    for one in run.source.measured:
        assert (one.radius[one.abstained] == 0).all()
        assert set(one.guarantee) == {"proved"}
        assert one.samples == 12 * (200 + 20 + 1)
        assert (one.radius <= one.max_radius).all()
    assert len(run.source.gallery) > 0
    with open_run(finished / "run.sqlite") as store:
        assert store._one("SELECT count(*) FROM certificates")[0] == 2 * 3 * 12


def test_running_again_draws_nothing_and_changes_nothing(finished, options):
    copied(finished, options)
    before = counts_of(options.out), tables_of(options.out)
    with open_run(options.out / "run.sqlite") as store:
        costs = store.costs()
    evaluate(SPEC, options)
    assert (counts_of(options.out), tables_of(options.out)) == before
    with open_run(options.out / "run.sqlite") as store:
        assert store.costs() == costs


class StopError(Exception):
    """Raised in the middle of a run."""


class StopAfter:
    """A progress that stops the run at its n-th news."""

    def __init__(self, steps):
        self.steps = steps

    def start(self, label, total, done=0):
        self._count()

    def advance(self, amount, note=""):
        self._count()

    def finish(self):
        pass

    def say(self, message):
        pass

    def _count(self):
        self.steps -= 1
        if self.steps == 0:
            raise StopError


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_an_interrupted_run_ends_as_if_it_had_not_been(finished, options, steps):
    from dataclasses import replace

    with pytest.raises((StopError, RunError)):
        evaluate(SPEC, replace(options, progress=StopAfter(steps)))
    evaluate(SPEC, options)
    assert counts_of(options.out) == counts_of(finished)
    assert tables_of(options.out) == tables_of(finished)


def test_more_inputs_levels_and_draws_extend_the_stored_counts(finished, options):
    copied(finished, options)
    bigger = changed(
        dataset__limit=15, defenses__0__noise={"name": "gaussian", "sigma": [0.25, 0.5, 1.0]}, certification__n=500
    )
    old = counts_of(options.out)
    evaluate(bigger, options)
    new = counts_of(options.out)
    assert old.keys() < new.keys()
    for key, (_, blob) in old.items():
        assert (np.frombuffer(new[key][1], dtype="<i8") >= np.frombuffer(blob, dtype="<i8")).all()
    fresh = RunOptions(out=options.out.with_name("whole"), cache=options.cache)
    whole = evaluate(bigger, fresh)
    assert [flag.kind for flag in load_run(options.out).source.flags] == ["extended"]
    assert not whole.source.flags
    assert counts_of(fresh.out) == new
    assert tables_of(fresh.out) == tables_of(options.out)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"seed": 1}, "seed: stored 0, now 1"),
        ({"certification__n": 100}, "certification.n: stored 200, now 100"),
        ({"dataset__limit": 5}, "7 stored inputs are no longer chosen"),
        ({"defenses__0__name": "other"}, "'g' is stored, and no longer in the spec"),
        ({"defenses__0__noise__sigma": [0.25, 0.6]}, "noise.sigma: stored 0.5, now"),
        ({"defenses__0__model__training__epochs": 3}, "model.training.epochs: stored 2, now 3"),
        (
            {"defenses__0__noise": {"name": "laplace", "sigma": [0.25, 0.5]}},
            "noise.name: stored 'gaussian', now 'laplace'",
        ),
    ],
)
def test_any_other_change_is_refused_and_the_results_stay(finished, options, keys, named):
    copied(finished, options)
    before = counts_of(options.out), tables_of(options.out)
    with pytest.raises(InputError, match="holds another evaluation") as caught:
        evaluate(changed(**keys), options)
    assert named in str(caught.value)
    assert (counts_of(options.out), tables_of(options.out)) == before


def test_another_checkpoint_in_the_same_place_is_refused_and_the_results_stay(options, tmp_path):
    import torch

    mlp = installed().find("model", "mlp")
    for number in (1, 2):
        torch.manual_seed(number)
        save_weights(mlp(mlp.Params()).build(Inputs((1, 8, 8), 10), None), tmp_path / f"{number}.safetensors")
    checkpoint = tmp_path / "weights.safetensors"
    checkpoint.write_bytes((tmp_path / "1.safetensors").read_bytes())
    model = {"name": "mlp", "checkpoint": str(checkpoint)}
    before = evaluate(changed(defenses__0__model=model), options).source
    checkpoint.write_bytes((tmp_path / "2.safetensors").read_bytes())
    with pytest.raises(InputError, match="model: stored"):
        evaluate(changed(defenses__0__model=model, certification__n=500), options)
    after = load_run(options.out).source
    assert not after.flags
    assert [one.radius.tolist() for one in after.measured] == [one.radius.tolist() for one in before.measured]


def test_fresh_sets_the_old_directory_aside(finished, options):
    from dataclasses import replace

    copied(finished, options)
    evaluate(changed(seed=1), replace(options, fresh=True))
    assert counts_of(options.out.with_name("run.1")) == counts_of(finished)
    assert counts_of(options.out) != counts_of(finished)


def test_alpha_norms_and_solvers_are_derived_again_from_the_counts(finished):
    strict = load_run_with(
        finished, installed(), certification={"alpha": 1e-6, "norms": [2], "solvers": ["closed-form"]}
    )
    usual = {(one.sigma, one.norm): one for one in load_run(finished).source.measured}
    assert len(strict.source.measured) == 2
    for one in strict.source.measured:
        assert one.solver == "closed-form"
        assert (one.radius <= usual[one.sigma, 2].radius).all()
        assert (one.p_lower < usual[one.sigma, 2].p_lower).all()


def test_what_a_solver_spends_itself_stands_in_the_budget(finished):
    """Its radii hold at their own level besides that of (pA, pB); without the sound option it claims none."""
    unicr = {"name": "unicr", "draws": 200, "pilot": 50, "levels": [0.9], "particles": 2, "iterations": 1}
    budgets = []
    for more in ({"sound": True, "alpha": 2e-5}, {}):
        chosen = {"solvers": ["auto", {**unicr, **more}], "norms": [2]}
        source = load_run_with(finished, installed(), certification=chosen).source
        budgets.append({share.purpose: share.alpha for share in source.budget})
    spent = {purpose: alpha for purpose, alpha in budgets[0].items() if "unicr" in purpose}
    assert list(spent.values()) == [2e-5]
    assert budgets[0].keys() - spent.keys() == budgets[1].keys() == {"lower limit of the top class"}


def test_shards_merge_to_the_whole(finished, options):
    from dataclasses import replace

    parts = []
    for number in (1, 2, 3):
        parts.append(options.out.with_name(f"shard{number}"))
        evaluate(SPEC, replace(options, out=parts[-1], shard=(number, 3)))
    merged = merge_runs(parts, options.out, installed())
    assert counts_of(options.out) == counts_of(finished)
    assert [one.radius.tolist() for one in merged.source.measured] == [
        one.radius.tolist() for one in load_run(finished).source.measured
    ]


def test_merging_another_evaluation_is_refused(finished, options, cache):
    other = options.out.with_name("other")
    evaluate(changed(certification__n=300), RunOptions(out=other, cache=cache))
    with pytest.raises(InputError, match="draws differ"):
        merge_runs([finished, other], options.out, installed())
    assert not (options.out / "run.sqlite").exists()


def test_two_workers_draw_the_same_noise(finished, options):
    evaluate(changed(executor={"name": "local", "batch_size": 64, "workers": 2}), options)
    assert counts_of(options.out) == counts_of(finished)


def test_comparing_runs_of_equal_name_tells_them_apart(finished, options, cache):
    evaluate(changed(seed=5), options)
    report = compare([finished, options.out])
    assert {row.setting.source for row in report.summary} >= {str(finished), str(options.out)}


def test_an_uncertified_defense_has_only_a_clean_accuracy(options):
    spec = changed()
    del spec["defenses"][0]["noise"]
    run = evaluate(spec, options)
    assert not run.source.measured
    [plain] = run.source.uncertified
    assert plain.clean_correct.mean() > 0.5


def test_prediction_is_a_stage_of_its_own(finished, options):
    run = evaluate({**SPEC, "prediction": {"n": 50, "alpha": 0.01}}, options)
    rows = run.source.predictions
    assert len(rows) == 24
    assert all(row.abstained == (row.p_value > 0.01) for row in rows)
    accuracy = np.mean([row.correct for row in rows[:12]])
    assert run.source.measured[0].smoothed_accuracy == pytest.approx(accuracy)


def test_python_api_certifies_what_the_spec_does(finished, cache):
    """The same module, seed, ids and batch size give the same counts, hence the same radii."""
    import torch

    digits = installed().find("dataset", "digits")
    images = digits(digits.Params()).load("test")
    mlp = installed().find("model", "mlp")
    module = mlp(mlp.Params()).build(Inputs(images.shape, 10), None)
    import json

    [weights] = [
        path.with_suffix(".safetensors")
        for path in (cache / "models").glob("*.json")
        if ((content := json.loads(path.read_text()))["noise"] or {}).get("sigma") == 0.25
        and content["model"]["training"]["epochs"] == 2
        and content["seed"] == 0
    ]
    load_weights(module, weights, "mlp")
    smoothed = SmoothedClassifier(module, noise("gaussian", sigma=0.25), 10, batch_size=64)
    certificates = smoothed.certify(torch.from_numpy(images.pixels(np.arange(12))), n0=20, n=200)
    expected = [one for one in load_run(finished).source.measured if one.sigma == 0.25]
    for one in expected:
        assert certificates.radius(one.norm).tolist() == one.radius.tolist()
    assert certificates.table().count("\n") == 12


def test_predict_abstains_on_a_coin():
    import torch

    class Coin(torch.nn.Module):
        def forward(self, x):
            return torch.stack([x[:, 0], -x[:, 0]], dim=1)

    smoothed = SmoothedClassifier(Coin(), noise("gaussian", sigma=1.0), 2)
    x = torch.tensor([[0.0, 0.0], [3.0, 0.0], [-3.0, 0.0]])
    predicted = smoothed.predict(x, n=200)
    assert predicted.abstained.tolist() == [True, False, False]
    assert predicted.classes[1:].tolist() == [0, 1]
    with pytest.raises(InputError, match="different integers"):
        smoothed.predict(x, ids=[1, 1, 2])
