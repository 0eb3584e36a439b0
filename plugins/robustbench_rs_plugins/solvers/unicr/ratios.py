"""Log likelihood ratios of a shift, from the noise's own draws.

With z drawn from the noise, P its law and Q that of z + delta, the ratio r = dQ/dP has L = ln r with

    under P, at z:          L = ln mu(z - delta) - ln mu(z),
    under Q, at z + delta:  L = ln mu(z) - ln mu(z + delta).

The same z serve every shift (common random numbers), so that a radius is a smooth function of the direction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from robustbench_rs.api import Noise, ProductNoise
from robustbench_rs.errors import RunError

BLOCK = 1 << 14
"""Numbers worked on at once: 128 KiB, which stay in the processor's cache, and whose memory is reused (above that, the
allocator hands each array back to the system: measured seven times slower)."""
KEPT = 1 << 25
"""Numbers of one law that are kept in memory; more are drawn again, block by block, with every shift."""

Density = Callable[[np.ndarray], np.ndarray]


class Ratios:
    """Log ratios from ``count`` draws of a noise. ``key``: names the random stream; equal keys give equal draws."""

    def __init__(self, noise: Noise, count: int, key: tuple[int, ...]) -> None:
        self._noise, self._count, self._key = noise, count, key
        self._laws: dict[int, _Law] = {}

    def of(self, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """L under P and L under Q, (count,) each, infinities allowed, for a shift (d,) in input units.

        Independent, identically distributed coordinates are drawn only where the shift is not 0. Raises
        :class:`RunError` when the density vanishes at one of the noise's own draws, or is NaN.
        """
        if isinstance(self._noise, ProductNoise):
            shift = shift[shift != 0]
        return self._law(len(shift)).log_ratios(shift)

    def typical(self, dim: int) -> float:
        """Median size of a coordinate, in input units: a scale that every law has."""
        law = self._law(1 if isinstance(self._noise, ProductNoise) else dim)
        return float(np.median(np.abs(next(law.blocks())))) * law.unit

    def _law(self, dim: int) -> _Law:
        if dim not in self._laws:
            self._laws[dim] = _Law(self._noise, dim, self._count, self._key)
        return self._laws[dim]


class _Law:
    """Draws of the noise in ``dim`` coordinates, in multiples of ``unit``."""

    def __init__(self, noise: Noise, dim: int, count: int, key: tuple[int, ...]) -> None:
        self._noise, self._dim, self._count, self._key = noise, dim, count, key
        self.unit, self._density = _density(noise)
        self._rows = max(1, BLOCK // max(dim, 1))
        self._kept = list(self._drawn()) if count * dim <= KEPT else None
        with np.errstate(all="ignore"):
            self._base = np.concatenate([self._density(block) for block in self.blocks()])
        if not np.all(np.isfinite(self._base)):
            bad = self._base[~np.isfinite(self._base)][0]
            raise RunError(
                f"solver unicr: the log density of {noise.name} noise is {bad} at one of its own draws; "
                "its density and its sampler disagree"
            )

    def blocks(self) -> Iterator[np.ndarray]:
        return iter(self._kept) if self._kept is not None else self._drawn()

    def _drawn(self) -> Iterator[np.ndarray]:
        for start in range(0, self._count, self._rows):
            rng = np.random.default_rng([*self._key, self._dim, start])
            yield self._noise.draws(min(self._rows, self._count - start), self._dim, rng) / self.unit

    def log_ratios(self, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`Ratios.of`, for a shift (dim,) in input units."""
        before, after = np.empty(self._count), np.empty(self._count)
        z, moved, start = shift / self.unit, np.empty((self._rows, self._dim)), 0
        with np.errstate(all="ignore"):
            for block in self.blocks():
                rows, room = slice(start, start + len(block)), moved[: len(block)]
                before[rows] = self._density(np.subtract(block, z, out=room))
                after[rows] = self._density(np.add(block, z, out=room))
                start += len(block)
            found = before - self._base, self._base - after
        if np.isnan(found).any():
            raise RunError(f"solver unicr: the log density of {self._noise.name} noise is NaN beside its own draws")
        return found


def _density(noise: Noise) -> tuple[float, Density]:
    """A unit, and the joint log density of noise vectors (n, d) in multiples of it, up to one constant."""
    if isinstance(noise, ProductNoise) and np.all(np.isinf(noise.support)):
        return noise.scale, lambda z: np.asarray(noise.log_density(z).sum(axis=-1))
    return 1.0, _joint(noise)


def _joint(noise: Noise) -> Density:
    def joint(x: np.ndarray) -> np.ndarray:
        values = noise.joint_log_density(x)
        if values is None:
            raise RunError(f"solver unicr: {noise.name} noise states no joint density in {x.shape[-1]} dimensions")
        return np.asarray(values, dtype=np.float64)

    return joint
