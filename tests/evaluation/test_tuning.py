"""Noise optimisation in whole runs on the bundled digits: C-OPT, I-OPT, resuming, extending, sharding, refusing."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from robustbench_rs import compare, evaluate, load_run
from robustbench_rs.api import NoiseParams
from robustbench_rs.errors import InputError, RunError
from robustbench_rs.evaluation import RunOptions, describe_plan, merge_runs
from robustbench_rs.evaluation import load_run as load_run_with
from robustbench_rs.evaluation.objective import counts_for
from robustbench_rs.python_api import installed
from robustbench_rs.spec import spec_from_mapping
from robustbench_rs.statistics.binomial import lower_limit
from robustbench_rs.store import WHOLE_DATA_SET, open_run
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.solvers.closed_form import ClosedFormSolver

INPUTS = 10
ALPHA, SHARE, EVALUATIONS = 0.01, 0.2, 6
TRAINING = {"name": "noise-augmentation", "epochs": 3, "noise": {"name": "gaussian", "sigma": 0.4}}
SPEC = {
    "name": "tuned",
    "dataset": {"name": "digits", "limit": INPUTS},
    "defenses": [
        {
            "name": "g",
            "model": {"name": "mlp", "training": TRAINING},
            "noise": {"name": "gaussian", "sigma": 0.4},
        }
    ],
    "certification": {"n0": 20, "n": 200, "norms": [2, 1], "alpha": ALPHA},
    "optimize": {
        "mode": "c-opt",
        "over": {"sigma": [0.1, 1.0]},
        "n": 80,
        "evaluations": EVALUATIONS,
        "alpha_share": SHARE,
    },
    "report": {"formats": ["csv", "markdown"]},
    "executor": {"name": "local", "batch_size": 64},
}
MODES = ("c-opt", "i-opt")
TABLES = ("certificates.csv", "certified_accuracy.csv", "optimization.csv")


def changed(mode="c-opt", **keys):
    """The spec with some nested keys replaced, such as ``optimize__n=100``; ``...`` deletes a key."""
    spec = copy.deepcopy(SPEC)
    spec["optimize"]["mode"] = mode
    for path, value in keys.items():
        *parents, last = [int(key) if key.isdigit() else key for key in path.split("__")]
        place = spec
        for key in parents:
            place = place[key]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return spec


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def finished(cache, tmp_path_factory):
    """Mode -> the directory of a finished run; tests that go on in it copy it first."""
    found = {}
    for mode in MODES:
        found[mode] = tmp_path_factory.mktemp(mode) / "run"
        evaluate(changed(mode), RunOptions(out=found[mode], cache=cache))
    return found


@pytest.fixture
def options(cache, tmp_path):
    return RunOptions(out=tmp_path / "run", cache=cache)


def rows_of(path):
    """Counts and candidates: all that a run measured and chose."""
    with open_run(path / "run.sqlite") as store:
        counts = store._all("SELECT task, idx, stage, n, counts FROM counts ORDER BY 1, 2, 3")
        return counts, [store.candidates(row.id) for row in store.tasks()]


def counts_at(path, stage):
    with open_run(path / "run.sqlite") as store:
        [task] = store.tasks()
        return {index: counts.tolist() for index, counts in store.counts(task.id, stage).items()}


def tables_of(path):
    return [(path / "report" / name).read_bytes() for name in TABLES]


def plain_runs(sigmas, cache, out):
    """sigma -> (selection, estimation) counts of a run without optimisation of the same model."""
    spec = changed(optimize=..., defenses__0__noise__sigma=sorted(sigmas))
    evaluate(spec, RunOptions(out=out, cache=cache))
    with open_run(out / "run.sqlite") as store:
        return {
            row.details["noise"]["sigma"]: [
                {i: counts.tolist() for i, counts in store.counts(row.id, stage).items()}
                for stage in ("selection", "estimation")
            ]
            for row in store.tasks()
        }


def test_c_opt_evaluates_the_spec_first_and_takes_the_best(finished):
    rows = load_run(finished["c-opt"]).source.candidates
    assert [row.number for row in rows] == list(range(1, EVALUATIONS + 1))
    assert json.loads(rows[0].params) == {"sigma": 0.4}
    assert {row.index for row in rows} == {None}
    [best] = [row for row in rows if row.chosen]
    assert best.value == max(row.value for row in rows)
    assert {row.alpha for row in rows} == {ALPHA * SHARE}
    assert len({row.params for row in rows}) == EVALUATIONS


def test_the_objective_is_the_average_radius_that_the_tuning_draws_prove(finished):
    """Recomputed from the stored counts: labels against fresh limits at alpha * share / evaluations."""
    with open_run(finished["c-opt"] / "run.sqlite") as store:
        [task] = store.tasks()
        labels = dict(zip(store.inputs().indices.tolist(), store.inputs().labels.tolist(), strict=True))
        for row in store.candidates(task.id):
            [(_, counts)] = [
                (stage, store.counts(task.id, stage))
                for stage in {stage for _, stage in store.drawn(task.id)}
                if stage == f"tuning {json.dumps(row.params, separators=(',', ':'))}"
            ]
            hits = np.array([counts[index][label] for index, label in labels.items()])
            p = lower_limit(hits, 80, ALPHA * SHARE / EVALUATIONS)
            radii = ClosedFormSolver().radii(Gaussian(NoiseParams(sigma=row.params["sigma"])), 2.0, 64, p, 1 - p).radius
            assert row.value == pytest.approx(np.where(p > 0.5, radii, 0).mean(), abs=1e-15)


def test_c_opt_certifies_with_fresh_draws_of_the_chosen_noise(finished, cache, tmp_path):
    """Exactly those that a plain run with this noise makes: nothing of the tuning is left in them."""
    [best] = [row for row in load_run(finished["c-opt"]).source.candidates if row.chosen]
    sigma = json.loads(best.params)["sigma"]
    selection, estimation = plain_runs([sigma], cache, tmp_path / "plain")[sigma]
    assert counts_at(finished["c-opt"], "selection") == selection
    assert counts_at(finished["c-opt"], "estimation") == estimation


def test_i_opt_certifies_every_input_with_fresh_draws_of_its_own_noise(finished, cache, tmp_path):
    chosen = {
        row.index: json.loads(row.params)["sigma"]
        for row in load_run(finished["i-opt"]).source.candidates
        if row.chosen
    }
    assert sorted(chosen) == list(range(INPUTS))
    assert len(set(chosen.values())) > 1
    plain = plain_runs(set(chosen.values()), cache, tmp_path / "plain")
    for stage, number in (("selection", 0), ("estimation", 1)):
        drawn = counts_at(finished["i-opt"], stage)
        assert drawn == {index: plain[sigma][number][index] for index, sigma in chosen.items()}


@pytest.mark.parametrize("mode", MODES)
def test_limits_are_at_what_the_tuning_left_of_alpha(finished, mode):
    run = load_run(finished[mode])
    with open_run(finished[mode] / "run.sqlite") as store:
        [task] = store.tasks()
        selection, estimation = store.counts(task.id, "selection"), store.counts(task.id, "estimation")
    for one in run.source.measured:
        hits = np.array([estimation[i][selection[i].argmax()] for i in one.indices.tolist()])
        assert one.p_lower.tolist() == lower_limit(hits, 200, ALPHA - ALPHA * SHARE).tolist()
    budget = {share.purpose: share.alpha for share in run.source.budget}
    assert sum(budget.values()) == pytest.approx(ALPHA, rel=1e-15)
    assert [alpha for purpose, alpha in budget.items() if "tuning" in purpose] == [ALPHA * SHARE]
    assert {row.alpha for row in run.report().certificates} == {ALPHA - ALPHA * SHARE}


def test_i_opt_radii_are_those_of_each_inputs_own_noise(finished):
    run = load_run(finished["i-opt"])
    chosen = {row.index: json.loads(row.params)["sigma"] for row in run.source.candidates if row.chosen}
    for one in run.source.measured:
        assert set(one.guarantee) == {"proved (per-input noise)"} == {row.guarantee for row in run.source.candidates}
        assert (one.noise_params, one.sigma) == ('{"sigma": "per input"}', None)
        for i, index in enumerate(one.indices.tolist()):
            noise, p = Gaussian(NoiseParams(sigma=chosen[index])), one.p_lower[i : i + 1]
            expected = ClosedFormSolver().radii(noise, one.norm, 64, p, 1 - p).radius[0]
            assert one.radius[i] == (0.0 if one.abstained[i] else expected)
        assert (one.radius <= one.max_radius).all()


def test_i_opt_does_not_look_at_the_labels(cache, tmp_path):
    """With every label wrong each input gets the same noise; C-OPT, which tunes accuracy, then sees less."""
    digits = installed().find("dataset", "digits")
    images = digits(digits.Params()).load("test")
    found = {}
    for shift in (0, 1):
        file = tmp_path / f"{shift}.npz"
        np.savez(file, x_test=images.pixels(np.arange(6)), y_test=(images.labels[:6] + shift) % 10)
        keys = {
            "dataset": {"name": "npz", "path": str(file), "class_names": list(images.class_names)},
            "defenses__0__model__training": {**TRAINING, "dataset": {"name": "digits", "split": "train"}},
        }
        for mode in MODES:
            run = evaluate(changed(mode, **keys), RunOptions(out=tmp_path / f"{mode}{shift}", cache=cache))
            found[mode, shift] = [(row.index, row.params, row.value, row.chosen) for row in run.source.candidates]
    assert found["i-opt", 0] == found["i-opt", 1]
    assert max(value for _, _, value, _ in found["i-opt", 0]) > 0
    assert max(value for _, _, value, _ in found["c-opt", 0]) > 0
    assert max(value for _, _, value, _ in found["c-opt", 1]) < max(value for _, _, value, _ in found["c-opt", 0])


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


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("steps", [1, 2, 5, 8, 12, 13, 14])
def test_an_interrupted_run_ends_as_if_it_had_not_been(finished, options, mode, steps):
    with pytest.raises((StopError, RunError)):
        evaluate(changed(mode), replace(options, progress=StopAfter(steps)))
    evaluate(changed(mode), options)
    assert rows_of(options.out) == rows_of(finished[mode])
    assert tables_of(options.out) == tables_of(finished[mode])


@pytest.mark.parametrize("mode", MODES)
def test_running_again_draws_and_chooses_nothing(finished, options, mode):
    shutil.copytree(finished[mode], options.out)
    before = rows_of(options.out), tables_of(options.out)
    with open_run(options.out / "run.sqlite") as store:
        costs = store.costs()
    evaluate(changed(mode), options)
    assert (rows_of(options.out), tables_of(options.out)) == before
    with open_run(options.out / "run.sqlite") as store:
        assert store.costs() == costs
        assert [cost.samples for cost in costs if cost.stage == "tuning"] == [
            INPUTS * 80 * (EVALUATIONS + (mode == "i-opt"))
        ]


def test_an_unfinished_run_shows_nothing_of_noise_that_is_not_chosen_yet(options):
    with pytest.raises((StopError, RunError)):
        evaluate(changed(), replace(options, progress=StopAfter(6)))
    run = load_run(options.out)
    assert run.source.measured == []
    assert run.source.candidates == []


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"optimize__n": 90}, "optimize.n: stored 80, now 90"),
        ({"optimize__over": {"sigma": [0.2, 1.0]}}, "optimize.over.sigma: stored [0.1, 1.0], now [0.2, 1.0]"),
        ({"optimize__evaluations": 7}, "optimize.evaluations: stored 6, now 7"),
        ({"optimize__alpha_share": 0.3}, "optimize.alpha_share: stored 0.2, now 0.3"),
        ({"optimize__mode": "i-opt"}, "optimize.mode: stored 'c-opt', now 'i-opt'"),
        ({"optimize__norm": 1}, "optimize.norm: stored '2', now '1'"),
        ({"optimize__limit": 5}, "optimize.limit: stored None, now 5"),
        ({"optimize__solver": "closed-form"}, "optimize.solver: stored 'auto', now {"),
        (
            {"optimize__objective": {"name": "certified-accuracy", "radii": [0.1]}},
            "optimize.objective.name: stored 'acr'",
        ),
        ({"optimize": ...}, "optimize: stored {"),
        ({"certification__alpha": 0.02}, "optimize.alpha: stored 0.01, now 0.02"),
        ({"defenses__0__noise__sigma": 0.5}, "noise.sigma: stored 0.4, now 0.5"),
        ({"dataset__limit": INPUTS + 2}, f"optimize.inputs: stored {INPUTS}, now {INPUTS + 2}"),
    ],
)
def test_whatever_would_choose_other_noise_is_refused(finished, options, keys, named):
    shutil.copytree(finished["c-opt"], options.out)
    before = rows_of(options.out)
    with pytest.raises(InputError, match="holds another evaluation") as caught:
        evaluate(changed(**keys), options)
    assert named in str(caught.value)
    assert rows_of(options.out) == before


def test_a_run_without_optimisation_is_not_continued_by_one_with_it(options):
    evaluate(changed(optimize=...), options)
    with pytest.raises(InputError, match="optimize: stored None, now"):
        evaluate(changed(), options)


@pytest.mark.parametrize("mode", MODES)
def test_norms_and_draws_are_free(finished, options, mode):
    shutil.copytree(finished[mode], options.out)
    keys = {"certification__norms": [2, "inf"], "certification__n": 300, "optimize__norm": 2}
    extended = evaluate(changed(mode, **keys), options)
    whole = evaluate(changed(mode, **keys), replace(options, out=options.out.with_name("whole")))
    assert rows_of(options.out) == rows_of(options.out.with_name("whole"))
    assert [one.norm for one in extended.source.measured] == [2, np.inf]
    assert [one.radius.tolist() for one in extended.source.measured] == [
        one.radius.tolist() for one in whole.source.measured
    ]


@pytest.mark.parametrize(
    ("mode", "keys"),
    [("i-opt", {}), ("c-opt", {"optimize__dataset": {"name": "digits", "split": "train", "limit": 9}})],
)
def test_more_inputs_extend_where_the_choice_does_not_depend_on_them(options, mode, keys):
    small, large = changed(mode, dataset__limit=4, **keys), changed(mode, dataset__limit=6, **keys)
    evaluate(small, options)
    evaluate(large, options)
    whole = replace(options, out=options.out.with_name("whole"))
    evaluate(large, whole)
    assert rows_of(options.out) == rows_of(whole.out)
    assert tables_of(options.out) == tables_of(whole.out)


@pytest.mark.parametrize("mode", MODES)
def test_shards_merge_to_the_whole(finished, options, mode):
    parts = []
    for number in (1, 2):
        parts.append(options.out.with_name(f"shard{number}"))
        evaluate(changed(mode), replace(options, out=parts[-1], shard=(number, 2)))
    merged = merge_runs(parts, options.out, installed())
    assert rows_of(options.out) == rows_of(finished[mode])
    assert [one.radius.tolist() for one in merged.source.measured] == [
        one.radius.tolist() for one in load_run(finished[mode]).source.measured
    ]


def test_runs_with_and_without_optimisation_do_not_merge(finished, options, cache):
    plain = options.out.with_name("plain")
    evaluate(changed(optimize=...), RunOptions(out=plain, cache=cache))
    with pytest.raises(InputError, match="not of one evaluation: optimize differ"):
        merge_runs([plain, finished["c-opt"]], options.out, installed())


def test_runs_that_chose_differently_do_not_merge(finished, options):
    other = options.out.with_name("other")
    shutil.copytree(finished["c-opt"], other)
    with open_run(other / "run.sqlite", write=True) as store:
        store._connection.execute("UPDATE candidates SET chosen = 1 - chosen WHERE number < 3")
    with pytest.raises(RunError, match="chose different noise parameters"):
        merge_runs([finished["c-opt"], other], options.out, installed())
    assert not (options.out / "run.sqlite").exists()


@pytest.mark.slow
def test_two_workers_draw_the_same(finished, options):
    evaluate(
        changed("i-opt", executor={"name": "local", "batch_size": 64, "workers": 2}, optimize__evaluations=2), options
    )
    one = replace(options, out=options.out.with_name("one"))
    evaluate(changed("i-opt", optimize__evaluations=2), one)
    assert rows_of(options.out) == rows_of(one.out)


def test_c_opt_tunes_on_inputs_spread_over_the_data(options):
    evaluate(changed(optimize__limit=3, optimize__evaluations=2), options)
    with open_run(options.out / "run.sqlite") as store:
        [task] = store.tasks()
        assert sorted({index for index, stage in store.drawn(task.id) if stage.startswith("tuning")}) == [0, 3, 6]
        assert {row.index for row in store.candidates(task.id)} == {WHOLE_DATA_SET}


def test_tuning_on_the_evaluated_inputs_is_told_and_on_others_need_not_be(finished, options):
    [flag] = [flag for flag in load_run(finished["c-opt"]).source.flags if flag.kind == "tuned noise"]
    assert f"chosen on {INPUTS} of the evaluated inputs" in flag.message
    assert "optimistic" in flag.message
    other = {"name": "digits", "split": "train", "limit": 4}
    run = evaluate(changed(optimize__dataset=other, optimize__evaluations=2), options)
    assert not run.source.flags
    half = {"name": "digits", "offset": INPUTS - 3, "limit": 9}
    run = evaluate(changed(optimize__dataset=half, optimize__evaluations=2), replace(options, fresh=True))
    assert "chosen on 3 of the evaluated inputs" in run.source.flags[0].message


def test_a_tuning_data_set_of_other_shape_is_refused(options, tmp_path):
    np.savez(tmp_path / "other.npz", x_test=np.zeros((3, 1, 4, 4), dtype=np.float32), y_test=np.arange(3))
    with pytest.raises(InputError, match=r"optimize.dataset: its inputs have shape \(1, 4, 4\)"):
        evaluate(changed(optimize__dataset={"name": "npz", "path": str(tmp_path / "other.npz")}), options)


def test_another_objective_chooses_for_it(options):
    objective = {"name": "certified-accuracy", "radii": [0.3]}
    run = evaluate(changed(optimize__objective=objective, optimize__limit=8), options)
    rows = run.source.candidates
    assert {row.objective for row in rows} == {"certified accuracy at 0.3"}
    assert all(float(row.value * 8).is_integer() for row in rows)
    assert len({row.value for row in rows}) > 1


def test_a_start_without_radius_is_refused_before_any_draw(options):
    keys = {"defenses__0__noise": {"name": "laplace", "sigma": 0.4}, "optimize__solver": "closed-form"}
    with pytest.raises(InputError, match="optimize: no radius in norm 2 for the starting noise: no closed form"):
        evaluate(changed(**keys), options)
    assert rows_of(options.out)[0] == []


def test_a_weaker_label_never_wins():
    assert counts_for("proved", "proved")
    assert counts_for("proved", "searched")
    assert not counts_for("searched", "proved")
    assert not counts_for("estimated", "searched")
    assert not counts_for("", "estimated")


def test_alpha_is_derived_again_with_the_same_share(finished):
    strict = load_run_with(finished["c-opt"], installed(), certification={"alpha": 1e-4})
    for one in strict.source.measured:
        assert (one.alpha, one.level) == (1e-4, pytest.approx(8e-5))
    assert {row.alpha for row in strict.source.candidates} == {ALPHA * SHARE}
    [(purpose, alpha)] = [(each.purpose, each.alpha) for each in strict.source.budget if "tuning" in each.purpose]
    assert (purpose.endswith("(at alpha = 0.01, as it was made)"), alpha) == (True, ALPHA * SHARE)


def test_the_plan_says_what_is_tuned(tmp_path):
    spec = spec_from_mapping(changed("i-opt"), installed(), folder=tmp_path)
    text = describe_plan(spec, installed())
    assert "before that: tuning up to 6 x 80 for every input, to choose sigma: one for each input" in text
    assert '"mode":"i-opt"' in text


def test_runs_of_both_kinds_are_never_compared_with_each_other(finished, cache, tmp_path):
    evaluate(changed(optimize=..., name="plain"), RunOptions(out=tmp_path / "plain", cache=cache))
    report = compare([tmp_path / "plain", finished["c-opt"], finished["i-opt"]])
    kinds = [{test.first.source, test.second.source} for test in report.paired]
    assert kinds
    assert all(len(kind & {str(finished["i-opt"])}) == 0 for kind in kinds)
    own = {row.setting.source for row in report.summary if row.guarantee.endswith("(per-input noise)")}
    assert len(own) == 1
    assert not any(row.best for row in report.certified_accuracy if row.guarantee.endswith("(per-input noise)"))
    envelopes = [row for row in report.summary if row.setting.defense == "envelope"]
    assert envelopes
    assert {row.guarantee for row in envelopes} == {"proved"}
    flags = [flag for flag in report.flags if "a noise for each input instead of one noise for all" in flag.message]
    assert {flag.source for flag in flags} == own
