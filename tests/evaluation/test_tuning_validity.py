"""Choosing noise spends no certificate: a classifier that is a coin under every noise, tuned input by input.

The smoothed coin has no class, so every certificate of it is false, and choosing the best of many candidates is
choosing the luckiest. Failures over the inputs are independent (streams are keyed by the input), so their number is
compared with Bin(inputs, level): seeds are fixed; were they not, a sound pipeline would fail a test with probability
below 1e-7 each.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import binom

from robustbench_rs import evaluate, load_run
from robustbench_rs.evaluation import RunOptions
from robustbench_rs.plugins import load_registry
from robustbench_rs.statistics.binomial import lower_limit
from robustbench_rs.store import open_run

INPUTS, N, EVALUATIONS = 1500, 60, 8
ALPHA, SHARE = 0.1, 0.5
FALSE_ALARM = 1e-7
COIN = f"""
import numpy as np
import torch
from robustbench_rs.api import ArrayImages, Dataset, Model, hookimpl

class Grey(Dataset):
    name = "grey"

    def load(self, split):
        pixels = np.full(({INPUTS}, 1, 2, 2), 0.5, dtype=np.float32)
        return ArrayImages(pixels, np.zeros({INPUTS}, dtype=int), ["a", "b"])

class Sign(torch.nn.Module):
    def forward(self, x):
        first = x[:, 0, 0, :1] - 0.5
        return torch.cat([first, -first], dim=1)

class Coin(Model):
    name = "coin"
    needs_weights = False

    def build(self, inputs, importer):
        return Sign()

@hookimpl
def robustbench_rs_datasets():
    return [Grey]

@hookimpl
def robustbench_rs_models():
    return [Coin]
"""


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A finished I-OPT run of the coin, and the tasks' id."""
    folder = tmp_path_factory.mktemp("coin")
    (folder / "coin.py").write_text(COIN)
    registry = load_registry([folder / "coin.py"])
    spec = {
        "name": "coin",
        "dataset": "grey",
        "defenses": [{"name": "c", "model": "coin", "noise": {"name": "gaussian", "sigma": 0.5}}],
        "certification": {"n0": 20, "n": N, "alpha": ALPHA, "norms": [2]},
        "optimize": {
            "mode": "i-opt",
            "over": {"sigma": [0.25, 1.0]},
            "solver": "closed-form",
            "n": N,
            "evaluations": EVALUATIONS,
            "alpha_share": SHARE,
        },
        "report": {"formats": ["csv"]},
        "executor": {"name": "local", "batch_size": 1024},
    }
    evaluate(spec, RunOptions(out=folder / "run", cache=folder / "cache"), registry=registry)
    return folder / "run", registry


def too_many(failures: int, level: float) -> bool:
    """Whether so many failures of INPUTS refute that each has a probability of at most ``level``."""
    return bool(binom.sf(failures - 1, INPUTS, level) < FALSE_ALARM)


def test_certificates_after_the_choice_keep_their_level(tuned):
    [measured] = load_run(tuned[0], registry=tuned[1]).source.measured
    assert measured.level == pytest.approx(ALPHA * (1 - SHARE))
    failures = int(np.count_nonzero(~measured.abstained))
    assert failures > 0
    assert not too_many(failures, measured.level)


def test_the_candidates_of_an_input_keep_their_joint_level(tuned):
    """A value above 0 says that the coin has a class there: at most alpha * share of the inputs have any."""
    lucky = {row.index for row in load_run(tuned[0], registry=tuned[1]).source.candidates if row.value > 0}
    assert not too_many(len(lucky), ALPHA * SHARE)


def test_certifying_on_the_draws_that_chose_would_not(tuned):
    """The same counts, used as UniCR's code uses them: the best candidate's own draws, at the certificate's level."""
    with open_run(tuned[0] / "run.sqlite") as store:
        [task] = store.tasks()
        classes = {index: int(counts.argmax()) for index, counts in store.counts(task.id, "tuning classes").items()}
        stages = {}
        for row in store.candidates(task.id):
            stage = f"tuning {json.dumps(row.params, separators=(',', ':'))}"
            stages.setdefault(stage, []).append(row.index)
        hits = {}
        for stage, indices in stages.items():
            counts = store.counts(task.id, stage)
            for index in indices:
                hits.setdefault(index, []).append(int(counts[index][classes[index]]))
    best = np.array([max(each) for each in hits.values()])
    assert len(best) == INPUTS
    failures = int(np.count_nonzero(lower_limit(best, N, ALPHA * (1 - SHARE)) > 0.5))
    assert too_many(failures, ALPHA * (1 - SHARE))
