"""The training loop: epochs of noisy batches, with progress, checkpoints and resume."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import math
import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from robustbench_rs.api import Noise, TrainingRun
from robustbench_rs.errors import InputError, RobustbenchError, RunError, shorten
from robustbench_rs_plugins.training.batches import Batches
from robustbench_rs_plugins.training.settings import NoiseAugmentationParams
from robustbench_rs_plugins.training.state import State, load_state
from robustbench_rs_plugins.training.streams import Streams

SMALL_BATCH = 2**15
"""Numbers in a batch that torch itself does not split among threads. More than one would only wait for each other, and
where other work shares the processor that wait takes a hundred times longer than the training."""

NOTE_SECONDS = 0.5
"""Loss and accuracy are fetched from the device at most this often: each time makes it wait."""


class Loop:
    """One training."""

    def __init__(self, run: TrainingRun, settings: NoiseAugmentationParams) -> None:
        self.training, self.settings = run, settings
        self.device = torch.device(run.device)
        self.module = run.module.to(self.device)
        if not any(parameter.requires_grad for parameter in self.module.parameters()):
            raise InputError("training: the model has no parameters to train; give a checkpoint, or no training")
        self.batches = Batches(run.images, run.indices, self.device)
        self.optimizer = make_optimizer(settings, self.module)
        self.streams = Streams(run.seed, self.device)

    def run(self) -> None:
        """Train to the end; the module is left in evaluation mode. Raises ``RunError`` when the loss is not finite."""
        progress, epochs = self.training.progress, self.settings.epochs
        elements = self.settings.batch_size * math.prod(self.training.images.shape)
        with _reproducible(self.device), _one_thread_if(elements <= SMALL_BATCH):
            self.streams.seed_global()
            done = self._resume()
            progress.start("training", epochs * len(self.batches), done * len(self.batches))
            try:
                for epoch in range(done, epochs):
                    self._epoch(epoch)
                    self._save(epoch + 1)
            finally:
                progress.finish()
        self.module.eval()

    def _epoch(self, epoch: int) -> None:
        self.module.train()
        tally, noted, note = Tally(self.device), 0.0, ""
        streams, settings = self.streams, self.settings
        batches = self.batches.epoch(
            settings.batch_size, settings.augment == "crop-flip", streams.order, streams.augment
        )
        for clean, labels in batches:
            for group in self.optimizer.param_groups:
                group["lr"] = settings.rate(epoch, tally.rows / len(self.batches))
            self._step(clean, labels, tally)
            if time.monotonic() - noted > NOTE_SECONDS:
                noted, note = time.monotonic(), tally.note(epoch + 1, settings.epochs)
            self.training.progress.advance(len(labels), note)
        self.training.progress.advance(len(self.batches) - tally.rows, tally.note(epoch + 1, settings.epochs))
        if not (math.isfinite(tally.mean_loss) and self._weights_finite()):
            raise RunError(
                f"training diverged in epoch {epoch + 1}: loss {tally.mean_loss:g}; "
                f"lower 'learning_rate' (now {settings.learning_rate:g})"
            )

    def _step(self, clean: Tensor, labels: Tensor, tally: Tally) -> None:
        noisy = clean if self.training.noise is None else self._noisy(clean, self.training.noise)
        logits = self.module(noisy)
        if logits.ndim != 2 or logits.shape[1] <= self.batches.largest_label:
            raise InputError(
                f"training: the model's output has shape {tuple(logits.shape)}, "
                f"but labels go up to {self.batches.largest_label}; give it one output per class"
            )
        loss = nn.functional.cross_entropy(logits, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        tally.add(loss.detach(), logits.detach(), labels)

    def _weights_finite(self) -> bool:
        return all(bool(value.isfinite().all()) for value in self.module.state_dict().values())

    def _noisy(self, clean: Tensor, noise: Noise) -> Tensor:
        """``clean``, which may be overwritten, under fresh noise."""
        drawn = self._drawn(clean.shape, noise)
        try:
            noisy = noise.apply(clean, drawn, out=clean)
        except RobustbenchError:
            raise
        except Exception as error:
            raise RunError(f"noise {noise.name!r} could not be applied in training: {error!r}") from error
        _check_shape(noisy, clean.shape, noise)
        return noisy

    def _drawn(self, shape: torch.Size, noise: Noise) -> Tensor:
        try:
            drawn = noise.sample(tuple(shape), self.streams.noise, self.device, torch.float32)
        except RobustbenchError:
            raise
        except Exception as error:
            raise RunError(f"noise {noise.name!r} failed to sample in training: {error!r}") from error
        _check_shape(drawn, shape, noise)
        if not bool(drawn.isfinite().all()):
            raise RunError(f"noise {noise.name!r} drew a value in training that is not finite")
        return drawn

    def _save(self, epoch: int) -> None:
        state = State(
            identity=self._identity(),
            epoch=epoch,
            module=dict(self.module.state_dict()),
            optimizer=self.optimizer.state_dict(),
            generators=self.streams.state(),
        )
        try:
            state.save(self.training.state_file)
        except OSError as error:
            raise RunError(f"{self.training.state_file}: cannot save the training's state ({error})") from error

    def _resume(self) -> int:
        """Epochs already done: those of the state file, none if there is no usable one."""
        path = self.training.state_file
        if not path.exists():
            return 0
        fresh = copy.deepcopy((self.module.state_dict(), self.optimizer.state_dict(), self.streams.state()))
        try:
            state = load_state(path, self._identity())
            self._set(state.module, state.optimizer, state.generators)
        except Exception as error:  # a damaged state may fail anywhere; the training then starts anew
            self._set(*fresh)
            self.training.progress.say(
                f"{path}: training state not used ({shorten(str(error))}); training starts again"
            )
            return 0
        return state.epoch

    def _set(self, module: dict[str, Tensor], optimizer: dict[str, object], generators: dict[str, Tensor]) -> None:
        self.module.load_state_dict(module)
        self.optimizer.load_state_dict(optimizer)
        self.streams.restore(generators)

    def _identity(self) -> str:
        """Digest of what the training is: settings, seed, noise, data and device type."""
        run = self.training
        noise = None if run.noise is None else (run.noise.name, run.noise.params.model_dump(mode="json"))
        indices = hashlib.sha256(run.indices.tobytes()).hexdigest()
        facts = [
            self.settings.model_dump(mode="json", exclude={"noise", "dataset"}),
            run.seed,
            noise,
            run.images.digest,
            indices,
            self.device.type,
        ]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _check_shape(found: Tensor, shape: torch.Size, noise: Noise) -> None:
    if found.shape != shape:
        raise RunError(f"noise {noise.name!r} returned shape {tuple(found.shape)} in training, expected {tuple(shape)}")


def make_optimizer(settings: NoiseAugmentationParams, module: nn.Module) -> torch.optim.Optimizer:
    """The optimiser over all parameters of ``module``."""
    weights, rate, decay = module.parameters(), settings.learning_rate, settings.weight_decay
    if settings.optimizer == "adam":
        return torch.optim.Adam(weights, lr=rate, weight_decay=decay)
    return torch.optim.SGD(weights, lr=rate, momentum=settings.momentum, weight_decay=decay)


class Tally:
    """Loss and accuracy over an epoch so far, kept on the device."""

    def __init__(self, device: torch.device) -> None:
        self.rows = 0
        self._sums = torch.zeros(2, device=device)

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count one batch: ``loss`` its mean, ``logits`` (b, K)."""
        self.rows += len(labels)
        self._sums += torch.stack([loss * len(labels), (logits.argmax(1) == labels).sum()])

    @property
    def mean_loss(self) -> float:
        """Mean cross-entropy per image."""
        return float(self._sums[0]) / self.rows

    def note(self, epoch: int, epochs: int) -> str:
        """For the progress bar."""
        loss, right = (self._sums / self.rows).tolist()
        return f"epoch {epoch}/{epochs}, loss {loss:.3f}, accuracy {right:.1%}"


@contextlib.contextmanager
def _one_thread_if(small: bool) -> Iterator[None]:
    before = torch.get_num_threads()
    if small:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _reproducible(device: torch.device) -> Iterator[None]:
    """The same weights every time: deterministic convolutions, and torch's global generators put back afterwards."""
    devices = [device] if device.type == "cuda" else []
    with (
        torch.random.fork_rng(devices=devices),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
    ):
        yield
