"""The example in docs/adding-a-training.md works as it stands, resume included."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor, nn

from robustbench_rs.api import Images, Training
from robustbench_rs.errors import InputError
from robustbench_rs.plugins import load_registry
from robustbench_rs_plugins.training.noise_augmentation import NoiseAugmentation

from .conftest import Listener, MakeRun, Stopped

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding-a-training.md"


@pytest.fixture
def stability(tmp_path: Path) -> type[Training]:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "my_training.py").write_text(code, encoding="utf-8")
    return load_registry([tmp_path / "my_training.py"]).find("training", "stability")


def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def test_the_example_learns_and_resumes(stability: type[Training], digits: Images, make_run: MakeRun) -> None:
    def train(listener: Listener, state: str) -> Tensor:
        run = make_run(module(), digits, limit=600, progress=listener, state=state)
        stability(stability.Params(epochs=15)).train(run)
        return run.module[1].weight

    whole = train(Listener(), "whole")
    with pytest.raises(Stopped):
        train(Listener(stop_after=1300), "cut")
    assert torch.equal(train(Listener(), "cut"), whole)

    x = torch.from_numpy(digits.pixels(range(600, 1437))).flatten(1)
    y = torch.from_numpy(digits.labels[600:])
    assert float(((x @ whole.T).argmax(1) == y).float().mean()) > 0.8


def test_the_example_without_noise(stability: type[Training], digits: Images, make_run: MakeRun) -> None:
    with pytest.raises(InputError, match="'stability' needs noise"):
        stability().train(make_run(module(), digits, sigma=None))


def test_the_papers_setting_is_accepted() -> None:
    (spec,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    fields = yaml.safe_load(spec)["training"]
    assert fields.pop("name") == NoiseAugmentation.name
    fields["weight_decay"] = float(fields["weight_decay"])  # plain YAML 1.1 reads 1e-4 as text; specs do not
    params = NoiseAugmentation.Params(**fields)
    assert params.rate(30, 0) == pytest.approx(0.01)
