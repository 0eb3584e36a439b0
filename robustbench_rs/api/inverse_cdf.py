"""Inverse-cdf sampling on any device: the default sampler of a family that is known by its density alone."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from robustbench_rs.statistics.inverse_table import SMALLEST, InverseTable

if TYPE_CHECKING:
    import torch


def inverse_cdf(table: InverseTable, u: torch.Tensor) -> torch.Tensor:
    """Quantiles (float64) of ``u`` (float64 in (0, 1)), same shape and device, up to ``table.error`` in u."""
    import torch

    knots, coefficients = _on_device(table, str(u.device))
    w = torch.where(u < 0.5, u.clamp(min=SMALLEST), (u - 1.0).clamp(max=-SMALLEST))
    i = torch.bucketize(w, knots).sub_(1).clamp_(0, len(knots) - 2)
    t = w.sub_(knots[i])
    z = coefficients[3][i]
    for power in (2, 1, 0):
        z = z.mul_(t).add_(coefficients[power][i])
    return z


@lru_cache(maxsize=32)
def _on_device(table: InverseTable, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The table is sent to a device once, not with every block of draws."""
    import torch

    return torch.from_numpy(table.knots).to(device), torch.from_numpy(table.coefficients.copy()).to(device)
