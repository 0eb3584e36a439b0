"""Noise whose density depends on one norm of the whole vector only (Yang et al. 2020, "all shapes and sizes")."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from robustbench_rs.api.component import Params
from robustbench_rs.api.cone import BALLS, directions, numpy_directions, second_moment, vector_norm
from robustbench_rs.api.vector_noise import VectorNoise

if TYPE_CHECKING:
    import torch

    from robustbench_rs.statistics.radial import NormLaw


class RadialNoise(VectorNoise):
    """Noise x = scale * rho * u: u from the cone measure of the unit sphere of l_q, q = ``ball``; rho >= 0 independent.

    A family implements :meth:`log_radial` and :meth:`norm_law`; sampler, density and standard deviation follow. What it
    says of its score makes the differential method applicable; a fact that is not claimed is not used.
    """

    ball: float = 2.0
    """q: 1, 2 or ``math.inf``."""
    continuous: bool = False
    """The density of z is absolutely continuous away from 0: no jump, also none at the end of its support."""
    score_turns: tuple[float, ...] = ()
    """Ascending rho between which :meth:`score` is monotone."""

    def __init__(self, params: Params | None = None) -> None:
        super().__init__(params)
        if self.ball not in BALLS:
            raise ValueError(f"{self.name} noise: ball must be 1, 2 or inf, not {self.ball}")

    @abstractmethod
    def log_radial(self, rho: np.ndarray) -> np.ndarray:
        """Log density of vectors z of norm ``rho``, any shape; the additive constant may be missing."""

    @abstractmethod
    def norm_law(self, dim: int) -> NormLaw:
        """The law of rho, the norm of z. Raises ``ValueError`` in dimensions in which the density has no integral."""

    def score(self, rho: np.ndarray) -> np.ndarray:
        """-d log density / d rho at ``rho`` in [0, inf], any shape, >= 0; needed only together with ``continuous``."""
        raise NotImplementedError(f"{self.name} noise states no score")

    def score_parts(self, dim: int) -> Sequence[tuple[float, NormLaw]]:
        """E[score(rho); rho in A] as a sum of weight * P(A under a law), for every set A; weights >= 0.

        An infinite weight says that the mean does not exist; needed only together with ``continuous``.
        """
        raise NotImplementedError(f"{self.name} noise states no score")

    def problem(self, dim: int) -> str | None:
        try:
            self.norm_law(dim)
        except ValueError as error:
            return str(error)
        return super().problem(dim)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return self.log_radial(vector_norm(np.asarray(z, dtype=np.float64), self.ball))

    def std(self, dim: int) -> float:
        return math.sqrt(self.norm_law(dim).moment(2) * second_moment(self.ball, dim))

    def sample(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str, dtype: torch.dtype
    ) -> torch.Tensor:
        """Norms are drawn in float64, directions in ``dtype`` (half precision: in float32), in one pass.

        A norm beyond the range of ``dtype`` becomes the largest one inside.
        """
        import torch

        from robustbench_rs.api.draws import host_generator, on_host

        count, dim = shape[0], math.prod(shape[1:])
        law, scale = self.norm_law(dim), self.scale_in(dim)
        place: torch.device | str = "cpu" if on_host(device) else device
        working = torch.promote_types(dtype, torch.float32)
        largest = torch.finfo(dtype).max * 0.99
        rho = torch.from_numpy(scale * law.draw(count, host_generator(generator))).clamp_(max=largest).to(place)
        vectors, norms = directions(self.ball, count, dim, generator, place, working)
        factor = rho.div_(norms).clamp_(max=torch.finfo(working).max).to(working)
        return vectors.mul_(factor[:, None]).reshape(shape).to(dtype).to(device)

    def draws(self, count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
        """As :meth:`sample`, in numpy alone."""
        rho = self.scale_in(dim) * self.norm_law(dim).draw(count, rng)
        return np.asarray(rho[:, None] * numpy_directions(self.ball, count, dim, rng))
