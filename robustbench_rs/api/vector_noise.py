"""Noise whose coordinates are not independent."""

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np

from robustbench_rs.api.component import Params
from robustbench_rs.api.noise import Noise


class VectorNoise(Noise):
    """Noise x = scale * z over the whole input, known by the joint density of z.

    A family implements ``log_density`` and ``sample``, and :meth:`std` when it accepts ``sigma``.
    """

    def __init__(self, params: Params | None = None) -> None:
        super().__init__(params)
        if self.sigma is not None and type(self).std is VectorNoise.std:
            raise ValueError(f"{self.name} noise states no standard deviation: give 'scale' instead of 'sigma'")

    @abstractmethod
    def log_density(self, z: np.ndarray) -> np.ndarray:
        """Log density of vectors z (..., d), float64, shape (...); the additive constant may be missing."""

    def std(self, dim: int) -> float:  # noqa: ARG002
        """Standard deviation of one coordinate of z in ``dim`` dimensions; infinite where it does not exist."""
        return math.nan

    def scale_in(self, dim: int) -> float:
        """x / z, in input units. Raises ``ValueError`` when ``sigma`` is given but does not exist."""
        given: float | None = getattr(self.params, "scale", None)
        if given is not None:
            return given
        std = self.std(dim)
        if not math.isfinite(std):
            raise ValueError(
                f"{self.name} noise has no finite standard deviation in {dim} dimensions: give 'scale', not 'sigma'"
            )
        return float(getattr(self.params, "sigma")) / std  # noqa: B009

    def problem(self, dim: int) -> str | None:
        try:
            self.scale_in(dim)
        except ValueError as error:
            return str(error)
        return None

    @property
    def sigma(self) -> float | None:
        """As given: from a scale it follows only together with the dimension, see :meth:`sigma_in`."""
        given: float | None = getattr(self.params, "sigma", None)
        return given

    def sigma_in(self, dim: int) -> float | None:
        if self.sigma is not None:
            return self.sigma
        sigma = self.scale_in(dim) * self.std(dim)
        return sigma if math.isfinite(sigma) else None

    def joint_log_density(self, x: np.ndarray) -> np.ndarray:
        x = np.asarray(x, dtype=np.float64)
        with np.errstate(all="ignore"):
            return self.log_density(x / self.scale_in(x.shape[-1]))
