"""What reports call the data, on which comparability hangs."""

from __future__ import annotations

import pytest

from robustbench_rs.api import Choice
from robustbench_rs.evaluation.plan import plan
from robustbench_rs.evaluation.run import dataset_label
from robustbench_rs.python_api import installed
from robustbench_rs.spec import find_spec, load_spec


@pytest.mark.parametrize(
    ("params", "label"),
    [({}, "digits"), ({"split": "train"}, "digits/train"), ({"title": "mine", "split": "train"}, "mine")],
)
def test_label(params, label):
    component = installed().find("dataset", "digits")
    assert dataset_label(Choice(component, component.Params(**params))) == label


def test_cohen_spec_is_called_as_the_published_logs_are(tmp_path):
    spec = load_spec(find_spec("cifar10-cohen2019"), installed(), data=tmp_path)
    assert dataset_label(spec.dataset) == "cifar10"
    assert dataset_label(load_spec(find_spec("imagenet-cohen2019"), installed(), data=tmp_path).dataset) == "imagenet"


def test_a_title_does_not_change_what_is_counted():
    path = find_spec("quickstart")
    configs = [
        [task.config for task in plan(load_spec(path, installed(), settings=settings), installed())]
        for settings in ([], ["dataset.title=other"])
    ]
    assert configs[0] == configs[1]
