"""Derandomised splitting noise (Levine and Feizi 2021, "Improved, deterministic smoothing for l1 certified robustness":
DSSN): certificates without any probability, for images of a fixed number of grey levels."""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache, partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from robustbench_rs.api import ClosedForm, Condition, Noise, Params, hookimpl
from robustbench_rs.statistics.rounding import certified, down, up
from robustbench_rs_plugins.noises.splitting import check_precision, middles

if TYPE_CHECKING:
    import torch

MOST = 2**20
"""Draws at most: beyond it, trying all of them for every input is out of reach."""
ROOM = 0.02
"""How far 2 scale levels may lie from a whole number: 0.249 is read as 127 / 510."""

SLACK = 1e-6
"""Of a draw: how near to a whole number of draws N p counts as that number, for p is a rounded share."""


class DeterministicSplittingParams(Params):
    """Pixels are k / ``levels``. The number of draws, 2 ``scale`` ``levels``, is whole; ``scale`` is set to fit it."""

    levels: int = Field(default=255, ge=1, le=65_535, description="Pixels are k / levels for k = 0, ..., levels.")
    scale: float = Field(gt=0, description="Half the distance of two neighbouring cuts; 2 scale levels is whole.")
    seed: int = Field(default=0, ge=0, lt=2**63, description="Of the fixed offsets between the pixels' cuts.")

    @field_validator("scale")
    @classmethod
    def _whole(cls, scale: float, info: ValidationInfo) -> float:
        levels = info.data.get("levels")
        return scale if levels is None else _draws(scale, levels) / (2 * levels)


def _draws(scale: float, levels: int) -> int:
    """2 scale levels, a whole number. Raises ``ValueError`` naming the nearest scales of which it is one."""
    wanted = 2 * scale * levels
    if wanted > MOST:
        raise ValueError(f"2 scale levels = {wanted:g} draws are too many to try all: at most {MOST}")
    number = max(1, round(wanted))
    if abs(wanted - number) > ROOM:
        low = max(1, math.floor(wanted))
        raise ValueError(
            f"2 scale levels = {wanted:g} is no whole number of draws; the nearest scales with {levels} levels are "
            f"{low / (2 * levels)!r} and {(low + 1) / (2 * levels)!r}"
        )
    return number


class DeterministicSplitting(Noise):
    """Not added: every pixel becomes the middle of the piece of [0, 1] that it lies in, for each of N = 2 scale levels
    sets of cuts, all of which are tried.

    As ``splitting``, but the cuts of all pixels move together: draw number b cuts pixel i at
    (2 ((b + v_i) mod N) + 1) / (2 levels) + 2 scale j for every integer j, with offsets v_i fixed by ``seed`` and the
    number of pixels. Class probabilities are exact shares of N, and certificates hold with certainty: for perturbed
    images on the grid of ``levels`` only.

    All arithmetic is in integers, in units of 1 / (2 levels): pixels are even and cuts odd, so they never meet, and the
    integers are small enough for float32 to be exact. No floating-point gap is left between theorem and code.
    """

    name = "deterministic-splitting"
    Params: ClassVar[type[Params]] = DeterministicSplittingParams
    params: DeterministicSplittingParams
    pixel_range = (0.0, 1.0)

    @property
    def pixel_levels(self) -> int:
        return self.params.levels

    @property
    def outcomes(self) -> int:
        return round(2 * self.params.scale * self.params.levels)

    @property
    def condition(self) -> Condition:
        grid = f"whose pixels are multiples of 1/{self.params.levels} in [0, 1]"
        return Condition(
            "(inputs on the grid)", f"radii hold for perturbed inputs {grid}, and say nothing of any others"
        )

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        """Outcomes with random numbers. Raises ``ValueError`` for half precisions, which do not hold the integers."""
        import torch

        numbers = torch.randint(self.outcomes, shape[:1], generator=generator, device=device)
        return self._cuts(numbers, shape, dtype)

    def outcome(
        self, first: int, shape: tuple[int, ...], device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        """The first cuts above 0 of draws ``first``, ..., odd integers in units of 1 / (2 levels)."""
        import torch

        return self._cuts(torch.arange(first, first + shape[0], device=device), shape, dtype)

    def apply(self, inputs: torch.Tensor, drawn: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """The middles of the pieces; pixels are rounded to the grid first, so that only their numbers k count."""
        levels = self.params.levels
        cells = inputs.mul(levels).round_().mul_(2)
        return middles(cells, drawn, 2 * self.outcomes, 2 * levels, out).div_(2 * levels)

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:
        """l1 (and every norm in one dimension): scale (pA - pB), for perturbed inputs on the grid.

        Proof (as of Levine and Feizi 2021, Theorem 2, which leaves the dependence between pixels open). Let x and y
        have pixels k_i / q and l_i / q, q = ``levels``, and let N = 2 scale q draws have the cuts
        (2 ((b + v_i) mod N) + 1) / (2q) + j N / q. In units of 1 / (2q), cuts of pixel i between x_i and y_i are odd
        numbers between 2 k_i and 2 l_i, of which there are abs(k_i - l_i), one for every residue (b + v_i) mod N in
        turn. As b runs through its N values, so does (b + v_i) mod N: exactly
        min(N, abs(k_i - l_i)) draws separate x_i from y_i. Where a draw separates no pixel, both images become the same
        one, for a middle depends on the piece alone. So at most D = q |x - y|_1 draws (union bound, whatever the v_i)
        give the classifier different images, and no class changes its count by more. The top class, with kA draws
        against kB, stays the top class while kA - kB > 2 D: while |x - y|_1 < (kA - kB) / (2q) = scale (pA - pB).

        No larger distance than D / q holds for every classifier, D = (kA - kB) / 2 rounded up to an integer, if D <= q
        and no two draws make the same image of x = 0: let y be 0 but for y_1 = D / q. The D draws that separate them
        make images of x that no draw makes of y, and the reverse (with its lower end above 0, the piece of y_1 has a
        middle that no piece at 0 has). A classifier may give the former to the top class and the latter to the other,
        and share out what is left as it likes: then kA - D <= kB + D at y. Limits stand for counts: pA for kA = N pA
        rounded up, pB for kB = N pB rounded down.
        """
        if norm != 1 and dim != 1:
            return None
        return ClosedForm(self._radius, "Levine and Feizi 2021, DSSN", exact=False, upper=partial(self._upper, dim))

    def _cuts(self, numbers: torch.Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        check_precision(self.name, dtype)
        dim = math.prod(shape[1:])
        shifts = _offsets_on(self.params.seed, dim, self.outcomes, str(numbers.device))
        cuts = numbers.remainder(self.outcomes).int()[:, None] + shifts  # below 2^21: int32 is enough, and faster
        return cuts.remainder_(self.outcomes).mul_(2).add_(1).reshape(shape).to(dtype)

    def _radius(self, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        gap = np.asarray(p_lower, dtype=np.float64) - np.asarray(p_upper, dtype=np.float64)
        return certified(down(self.params.scale * gap), p_lower, p_upper)

    def _upper(self, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        top = np.ceil(self.outcomes * np.asarray(p_lower) - SLACK)
        other = np.floor(self.outcomes * np.asarray(p_upper) + SLACK)
        steps = np.ceil((top - other) / 2)
        known = self._told_apart(dim) & (steps <= self.params.levels)
        return certified(np.where(known, up(steps / self.params.levels), math.inf), p_lower, p_upper)

    def _told_apart(self, dim: int) -> bool:
        """Whether no two draws make the same image of 0.

        Draws with (b + v_i) mod N < levels for some i cut that pixel's [0, 1] where no other draw does; those with no
        such i leave every pixel whole.
        """
        starts = np.unique(-offsets(self.params.seed, dim, self.outcomes) % self.outcomes)
        gaps = np.diff(starts, append=starts[0] + self.outcomes)
        return int(np.maximum(gaps - self.params.levels, 0).sum()) <= 1


@lru_cache(maxsize=8)
def offsets(seed: int, dim: int, number: int) -> np.ndarray:
    """v_i in {0, ..., ``number`` - 1} (dim,), int64, from a hash alone: the same on every machine, in every version."""
    key = f"robustbench_rs|{DeterministicSplitting.name}|{seed}|{dim}".encode()
    words = np.frombuffer(hashlib.shake_128(key).digest(8 * dim), dtype="<u8")
    found = (words % np.uint64(number)).astype(np.int64)
    found.setflags(write=False)
    return found


@lru_cache(maxsize=8)
def _offsets_on(seed: int, dim: int, number: int, device: str) -> torch.Tensor:
    import torch

    with torch.inference_mode(False):  # else training could not use what certifying has cached
        return torch.from_numpy(offsets(seed, dim, number).astype(np.int32)).to(device)


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [DeterministicSplitting]
