"""A smoothed classifier in Python: predict and certify batches of inputs without a spec."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from robustbench_rs.api import ArrayImages, Bound, Choice, Chunk, MemoryTables, Noise, Tables
from robustbench_rs.api.report import norm_name, round_down
from robustbench_rs.errors import InputError
from robustbench_rs.evaluation.certify import Bounded, bound_counts, predict
from robustbench_rs.evaluation.devices import resolve_devices
from robustbench_rs.evaluation.enumeration import CERTAIN, Enumeration, predict_exactly
from robustbench_rs.evaluation.options import RunOptions
from robustbench_rs.evaluation.plan import ENUMERATION, ESTIMATION, PREDICTION, SELECTION
from robustbench_rs.evaluation.solving import Asked, Solved, solve
from robustbench_rs.evaluation.tables import DiskTables
from robustbench_rs.plugins import Registry
from robustbench_rs.python_api import installed
from robustbench_rs.sampling import SamplingJob, StageRequest, block_rows


@dataclass(frozen=True)
class Predictions:
    """``classes`` (m,) int64, meaningless where ``abstained`` (m,) bool; two-sided p-values (m,)."""

    classes: np.ndarray
    abstained: np.ndarray
    p_value: np.ndarray


@dataclass(frozen=True)
class Certificates:
    """A batch of certificates: each holds with probability at least 1 - ``alpha`` over its draws, per input.

    ``alpha`` is 0 where all ``n`` draws of the noise were tried. What certificates presuppose: ``noise.condition``.
    """

    bounded: Bounded
    noise: Noise
    dim: int
    n: int
    alpha: float
    registry: Registry
    tables: Tables = field(default_factory=MemoryTables)

    @property
    def classes(self) -> np.ndarray:
        """Certified classes (m,), meaningless where :attr:`abstained`."""
        return self.bounded.classes

    @property
    def abstained(self) -> np.ndarray:
        return self.bounded.abstained

    @property
    def p_lower(self) -> np.ndarray:
        return self.bounded.p_lower

    def solved(self, norm: float = 2, solver: str = "auto") -> Solved:
        """Radii with their guarantee, the solver behind each, and known upper values. Raises :class:`InputError`."""
        asked: Asked = "auto" if solver == "auto" else self._choice(solver)
        limits = (self.bounded.p_lower, self.bounded.p_upper)
        found, refused = solve(asked, self.registry, self.noise, float(norm), *limits, self.dim, self.tables)
        if not found:
            raise InputError(f"no radius in norm {norm_name(norm)}: {'; '.join(item.reason for item in refused)}")
        return found[0]

    def radius(self, norm: float = 2, solver: str = "auto") -> np.ndarray:
        """Certified radii (m,) in input units, 0 where abstained."""
        return self.solved(norm, solver).radius

    def table(self, norms: Sequence[float] = (2,)) -> str:
        """One line per input, for reading: class, limits, radii (rounded down) with their labels."""
        solved = [self.solved(norm) for norm in norms]
        heads = [f"R(l{norm_name(norm)}) {item.label}" for norm, item in zip(norms, solved, strict=True)]
        lines = ["\t".join(["input", "class", "p_lower", *heads])]
        for i in range(len(self.classes)):
            name = "abstain" if self.abstained[i] else str(self.classes[i])
            radii = [round_down(float(item.radius[i]), 4) for item in solved]
            lines.append("\t".join([str(i), name, round_down(float(self.p_lower[i]), 6), *radii]))
        return "\n".join(lines)

    def _choice(self, solver: str) -> Asked:
        try:
            component: Any = self.registry.find("solver", solver)
        except LookupError as error:
            raise InputError(str(error.args[0])) from None
        return Choice(component, component.Params())


class SmoothedClassifier:
    """g(x) = argmax_c P(f(x + noise) = c) for any torch module f (Cohen et al. 2019).

    Radii are in the units of ``x`` as it is given here: a normalising layer belongs inside ``model``. Draws are keyed
    by (``seed``, id of the input, stage), so repeating a call repeats its result bit for bit.
    """

    def __init__(
        self,
        model: nn.Module,
        noise: Noise,
        num_classes: int,
        *,
        seed: int = 0,
        device: str = "auto",
        batch_size: int | None = None,
        bound: str = "clopper-pearson",
        registry: Registry | None = None,
    ) -> None:
        self.model = model
        self.noise = noise
        self.num_classes = num_classes
        self.seed = seed
        self.device = resolve_devices(device)[0]
        self.batch_size = batch_size
        self.registry = registry or installed()
        self.tables = DiskTables(RunOptions().cache)
        component: Any = self.registry.find("bound", bound)
        self.bound: Bound = component(component.Params())

    def predict(
        self, x: torch.Tensor, n: int = 1000, alpha: float = 0.001, *, ids: Sequence[int] | None = None
    ) -> Predictions:
        """Algorithm PREDICT on a batch ``x`` (m, \\*shape): the class of g, or abstention; wrong at level ``alpha``.

        ``ids`` name the random streams of the inputs, by default their positions. Of noise that lists its draws all are
        tried in place of ``n``: then the class is certain, and abstention is a tie.
        """
        _check_level(n, alpha)
        if self.noise.outcomes is not None:
            exact = predict_exactly(self._count(x, {ENUMERATION: self.noise.outcomes}, ids)[ENUMERATION])
            return Predictions(exact.predictions, exact.abstained, exact.p_value)
        counts = self._count(x, {PREDICTION: n}, ids)[PREDICTION]
        predicted = predict(counts, alpha)
        return Predictions(predicted.predictions, predicted.abstained, predicted.p_value)

    def certify(
        self,
        x: torch.Tensor,
        n0: int = 100,
        n: int = 100_000,
        alpha: float = 0.001,
        *,
        ids: Sequence[int] | None = None,
    ) -> Certificates:
        """Algorithm CERTIFY on a batch ``x`` (m, \\*shape): ``n0`` draws choose the class, ``n`` others bound it.

        Of noise that lists its draws (``noise.outcomes``) all are tried, and ``n0``, ``n`` and ``alpha`` do not matter.
        """
        _check_level(min(n0, n), alpha)
        if self.noise.outcomes is not None:
            return self._certify_exactly(x, self.noise.outcomes, ids)
        counts = self._count(x, {SELECTION: n0, ESTIMATION: n}, ids)
        bounded = bound_counts(counts[SELECTION], counts[ESTIMATION], self.bound, alpha)
        return Certificates(bounded, self.noise, int(np.prod(x.shape[1:])), n, alpha, self.registry, self.tables)

    def _certify_exactly(self, x: torch.Tensor, outcomes: int, ids: Sequence[int] | None) -> Certificates:
        counts = self._count(x, {ENUMERATION: outcomes}, ids)[ENUMERATION]
        bounded = bound_counts(counts, counts, Enumeration(), CERTAIN)
        dim = int(np.prod(x.shape[1:]))
        return Certificates(bounded, self.noise, dim, outcomes, CERTAIN, self.registry, self.tables)

    def _count(self, x: torch.Tensor, stages: dict[str, int], ids: Sequence[int] | None) -> dict[str, np.ndarray]:
        """Class counts (m, K) of each stage."""
        names = _check_ids(range(len(x)) if ids is None else ids, len(x))
        images = _Batch(x, names, self.num_classes)
        requests = tuple(StageRequest(index, stage, 0, n) for stage, n in stages.items() for index in names)
        counts = {stage: np.zeros((len(x), self.num_classes), dtype=np.int64) for stage in stages}
        row = {index: i for i, index in enumerate(names)}

        def keep(chunk: Chunk) -> None:
            for part in chunk.counts:
                counts[part.stage][row[part.index]] += part.counts

        rows = block_rows(int(np.prod(x.shape[1:])), self.device.partition(":")[0])
        SamplingJob(
            module=self.model,
            noise=self.noise,
            images=images,
            requests=requests,
            seed=self.seed,
            num_classes=self.num_classes,
            rows=rows,
            batch_size=self.batch_size,
        ).run(self.device, keep)
        return counts


class _Batch(ArrayImages):
    """A batch of inputs of any finite value, known by their ids."""

    pixel_range = (-math.inf, math.inf)

    def __init__(self, x: torch.Tensor, ids: Sequence[int], num_classes: int) -> None:
        pixels = x.detach().to("cpu", torch.float32).numpy()
        super().__init__(pixels, np.zeros(len(pixels), dtype=np.int64), [str(i) for i in range(num_classes)])
        self._row = {index: i for i, index in enumerate(ids)}

    def pixels(self, indices: np.ndarray) -> np.ndarray:
        return super().pixels(np.array([self._row[int(index)] for index in indices], dtype=np.int64))


def _check_ids(ids: Sequence[int], size: int) -> list[int]:
    names = [int(index) for index in ids]
    if len(names) != size or len(set(names)) != size:
        raise InputError(f"ids must be {size} different integers, one per input: equal ids would share their noise")
    return names


def _check_level(n: int, alpha: float) -> None:
    if n < 1:
        raise InputError(f"the number of draws must be at least 1, not {n}")
    if not 0 < alpha < 1:
        raise InputError(f"alpha must lie strictly between 0 and 1, not {alpha}")
