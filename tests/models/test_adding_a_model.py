"""The example in docs/adding-a-model.md works as it stands."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest
import torch

from robustbench_rs.api import Inputs
from robustbench_rs.plugins import load_registry
from robustbench_rs_plugins.models.python import Python

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding-a-model.md"


def test_the_example(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "my_model.py"
    file.write_text(code, encoding="utf-8")
    model = load_registry([file]).find("model", "all-convolutional")
    module = model(model.Params(width=4)).build(Inputs((1, 8, 8), 10), None).eval()
    with torch.inference_mode():
        logits = module(torch.rand(3, 1, 8, 8))
    assert logits.shape == (3, 10)
    assert pickle.loads(pickle.dumps(module)) is not None
    with pytest.raises(ValueError, match="needs images"):
        model(model.Params()).build(Inputs((64,), 10), None)


def test_the_spec_without_a_plugin() -> None:
    (spec,) = re.findall(r"```yaml\nmodel: (.*?)\n```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    import yaml

    fields = yaml.safe_load(spec)
    assert fields.pop("name") == Python.name
    params = Python.Params(**fields)
    assert params.factory == "my_models:make"
    assert params.kwargs == {"width": 16}
