"""Splitting noise (Levine and Feizi 2021, "Improved, deterministic smoothing for l1 certified robustness": SSN)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from robustbench_rs.api import ClosedForm, Noise, Params, hookimpl
from robustbench_rs.statistics.rounding import certified, down, up

if TYPE_CHECKING:
    import torch


class SplittingParams(Params):
    """Pieces of [0, 1] that are not cut off by its ends have the length ``2 scale``, in pixel units."""

    scale: float = Field(gt=0, description="Half the distance of two neighbouring cuts.")


class Splitting(Noise):
    """Not added: every pixel becomes the middle of the random piece of [0, 1] that it lies in.

    For each pixel the line is cut at s + 2 scale k for every integer k, s uniform on (0, 2 scale), independently of the
    other pixels. Pieces contain their upper end. There is no standard deviation, and no density of a noise.
    """

    name = "splitting"
    Params: ClassVar[type[Params]] = SplittingParams
    params: SplittingParams
    pixel_range = (0.0, 1.0)

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        """The cuts s. Raises ``ValueError`` for half precisions, on whose numbers pixels and cuts would often meet."""
        from robustbench_rs.api.draws import rounded, uniform

        check_precision(self.name, dtype)
        return rounded(uniform(shape, generator, device), self._period, device, dtype)

    def apply(self, inputs: torch.Tensor, drawn: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """The middles of the pieces; in floating point, too, they depend on pixels through the pieces' numbers only."""
        return middles(inputs, drawn, self._period, 1.0, out)

    def closed_form(self, norm: float, dim: int) -> ClosedForm | None:
        """l1 (and every norm in one dimension): scale (pA - pB); exact if ``scale`` <= 1.

        Proof (Levine and Feizi 2021, Theorem 2). Give x and y the same cuts. If none of them separates x_i from y_i
        (lies in [x_i, y_i) or [y_i, x_i)), then both lie in one piece and get the same value, for that value depends on
        the piece alone. The cuts of a pixel have the distance 2 scale and a uniform phase: one separates x_i from y_i
        with probability min(1, |x_i - y_i| / (2 scale)). So the classifier is given two different inputs with
        probability at most |x - y|_1 / (2 scale), whatever the dependence between pixels (union bound), and no class
        changes its probability by more. The top class stays the top class while pA - pB > 2 |x - y|_1 / (2 scale). For
        y outside [0, 1] the same holds.

        Exact: let x be 0, and y be 0 but for y_1 = t <= min(1, 2 scale). Different pieces of [0, 1] have different
        middles, so a classifier sees the piece of pixel 1. Pieces that hold both points are equally likely under both
        inputs; those that hold only x_1, or only y_1, have mass t / (2 scale) each. The worst classifier gives all of
        the former to the top class and all of the latter to one other class: with t = scale (pA - pB) they tie. For
        scale > 1 there may be no such y with pixels in [0, 1].
        """
        if norm != 1 and dim != 1:
            return None
        return ClosedForm(self._radius, "Levine and Feizi 2021, Theorem 2", self._within, upper=self._upper)

    @property
    def _period(self) -> float:
        return 2.0 * self.params.scale

    @property
    def _within(self) -> bool:
        """Whether [0, 1] is large enough for every shift that the theorem's equality needs."""
        return self.params.scale <= 1.0

    def _radius(self, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        return certified(down(self.params.scale * _gap(p_lower, p_upper)), p_lower, p_upper)

    def _upper(self, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
        reached = up(self.params.scale * _gap(p_lower, p_upper))
        known = np.where(self._within | (reached <= 1.0), reached, math.inf)
        return certified(known, p_lower, p_upper)


def middles(
    inputs: torch.Tensor, cuts: torch.Tensor, period: float, top: float, out: torch.Tensor | None
) -> torch.Tensor:
    """Middles of the pieces of [0, ``top``] that ``inputs`` lie in, cut at ``cuts`` + ``period`` k for integers k.

    Otherwise as ``Noise.apply``.
    """
    import torch

    ends = torch.sub(inputs, cuts, out=out).div_(period).ceil_().mul_(period).add_(cuts)
    begins = (ends - period).clamp_(min=0.0)
    return ends.clamp_(max=top).add_(begins).mul_(0.5)


def check_precision(name: str, dtype: torch.dtype) -> None:
    """``ValueError`` for precisions in which cuts and pixels would often meet."""
    import torch

    if torch.finfo(dtype).bits < 32:
        coarse = str(dtype).removeprefix("torch.")
        raise ValueError(f"cuts of {name} noise are not drawn in {coarse}: it is too coarse, use float32")


def _gap(p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
    return np.asarray(p_lower, dtype=np.float64) - np.asarray(p_upper, dtype=np.float64)


@hookimpl
def robustbench_rs_noises() -> list[type[Noise]]:
    return [Splitting]
