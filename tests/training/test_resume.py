"""An interrupted training ends with the same bits as an uninterrupted one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from robustbench_rs.api import Images, Inputs
from robustbench_rs_plugins.models.small_cnn import SmallCnn
from robustbench_rs_plugins.training.noise_augmentation import NoiseAugmentation

from .conftest import Listener, MakeRun, Stopped

EPOCHS = 4
SETTINGS = [
    {"optimizer": "sgd", "momentum": 0.9, "schedule": "cosine"},
    {"optimizer": "sgd", "momentum": 0.0, "schedule": "step", "milestones": (2,)},
    {"optimizer": "adam", "learning_rate": 0.01, "schedule": "constant", "augment": "crop-flip"},
]


def make_module() -> nn.Module:
    """Batch normalisation has running statistics, dropout draws from torch's global generator."""
    torch.manual_seed(0)
    network = SmallCnn(SmallCnn.Params(width=4)).build(Inputs((3, 8, 8), 3), None)
    network.features.append(nn.Dropout(0.3))
    return network


def train(run: Any, settings: dict[str, Any]) -> dict[str, Tensor]:
    NoiseAugmentation(NoiseAugmentation.Params(**{"epochs": EPOCHS, "batch_size": 16, **settings})).train(run)
    return run.module.state_dict()


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("images_before_stop", [30, 60, 130, 239])
def test_same_bits(colours: Images, make_run: MakeRun, settings: dict[str, Any], images_before_stop: int) -> None:
    whole = train(make_run(make_module(), colours, state="whole"), settings)
    with pytest.raises(Stopped):
        train(make_run(make_module(), colours, progress=Listener(images_before_stop), state="cut"), settings)
    torch.manual_seed(99)  # another process would not have this process's generator state either
    listener = Listener()
    resumed = train(make_run(make_module(), colours, progress=listener, state="cut"), settings)
    assert listener.started_at == images_before_stop // 60 * 60
    assert listener.messages == []
    assert same(whole, resumed)


def test_same_bits_with_two_threads(colours: Images, make_run: MakeRun) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        test_same_bits(colours, make_run, SETTINGS[0], 130)
    finally:
        torch.set_num_threads(before)


def test_interrupted_again_and_again(colours: Images, make_run: MakeRun) -> None:
    whole = train(make_run(make_module(), colours, state="whole"), SETTINGS[0])
    for _ in range(EPOCHS - 1):
        with pytest.raises(Stopped):
            train(make_run(make_module(), colours, progress=Listener(70), state="cut"), SETTINGS[0])
    assert same(whole, train(make_run(make_module(), colours, state="cut"), SETTINGS[0]))


def test_finished_training_is_not_repeated(colours: Images, make_run: MakeRun) -> None:
    whole = train(make_run(make_module(), colours), SETTINGS[0])
    listener = Listener()
    assert same(whole, train(make_run(make_module(), colours, progress=listener), SETTINGS[0]))
    assert listener.advanced == 0


@pytest.mark.parametrize("damage", ["truncated", "rubbish", "empty", "other module", "other format", "half a state"])
def test_damaged_state_starts_again(colours: Images, make_run: MakeRun, damage: str) -> None:
    whole = train(make_run(make_module(), colours, state="whole"), SETTINGS[0])
    with pytest.raises(Stopped):
        train(make_run(make_module(), colours, progress=Listener(130)), SETTINGS[0])
    listener = Listener()
    run = make_run(make_module(), colours, progress=listener)
    content = run.state_file.read_bytes()
    state = torch.load(run.state_file, weights_only=True)
    if damage in ("truncated", "rubbish", "empty"):
        run.state_file.write_bytes({"truncated": content[:-100], "rubbish": b"rubbish", "empty": b""}[damage])
    elif damage == "other module":
        state["module"]["fc.bias"] = torch.zeros(17)
        torch.save(state, run.state_file)
    elif damage == "other format":
        torch.save(state | {"format": 0}, run.state_file)
    else:
        del state["generators"]["order"]
        torch.save(state, run.state_file)
    assert same(whole, train(run, SETTINGS[0]))
    assert listener.started_at == 0
    assert len(listener.messages) == 1
    assert "training state not used" in listener.messages[0]


@pytest.mark.parametrize("change", ["settings", "seed", "noise", "images"])
def test_state_of_another_training_is_not_resumed(colours: Images, make_run: MakeRun, change: str) -> None:
    def run(progress: Listener | None = None, changed: bool = True, state: str = "state") -> Any:
        options = {"seed": {"seed": 7}, "noise": {"sigma": 0.5}, "images": {"limit": 59}}.get(change, {})
        return make_run(make_module(), colours, progress=progress, state=state, **(options if changed else {}))

    other = SETTINGS[0] | ({"weight_decay": 0.01} if change == "settings" else {})
    train(run(changed=False), SETTINGS[0])
    fresh = train(run(state="fresh"), other)
    listener = Listener()
    assert same(fresh, train(run(listener), other))
    assert "other settings or data" in listener.messages[0]
