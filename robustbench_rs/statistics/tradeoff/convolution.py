"""Sums of independent losses: powers in Fourier space, in a window chosen beforehand, with every error bounded.

A circular convolution wraps: mass beyond the window reappears at its other end, where it may count on the unsafe side.
So the window is chosen by Chernoff's bound such that what lies beyond has at most the mass ``BEYOND`` per side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft

from robustbench_rs.statistics.tradeoff.lattice import LatticeLaw

BEYOND = 1e-15
"""Mass that the window may leave out on a side."""
MAX_SIZE = 1 << 23
EPSILON = 2.0**-53
FFT_ERROR = 8 * EPSILON
"""Relative l2-error of a fast Fourier transform per factor of two of its length (Higham 2002, section 24.1)."""
DIRECT = 256
"""So many low frequencies are summed directly where powers are high: their error does not grow with the power."""
DIRECT_TERMS = 1 << 23
"""Fewer where the law has so many points that their sums would cost more than all the rest."""
DIRECT_POWER = 128
VANISHED = -45.0
"""Powers below e^-45 need no precision."""
MAX_GROUPS = 4096
_TILTS = np.geomspace(1e-3, 1e5, 65)


@dataclass(frozen=True)
class Part:
    """``count`` independent coordinates with the same law of the loss."""

    law: LatticeLaw
    count: int


@dataclass(frozen=True)
class Total:
    """Distribution of the total loss at lattice points: masses of {L <= ``losses``} under P and Q, finite losses only.

    ``error_p``, ``error_q``: bounds of the error of every entry, wrapped mass included. ``gone``: P-mass at minus
    infinity; it is not part of ``below_p``.
    """

    losses: np.ndarray
    below_p: np.ndarray
    below_q: np.ndarray
    gone: float
    error_p: float
    error_q: float


def total(parts: Sequence[Part]) -> Total:
    """The law of the sum over all coordinates of all parts, whose lattices have one step.

    Raises ``ValueError`` when the window would need more than ``MAX_SIZE`` points.
    """
    step = parts[0].law.step
    bottom, top = _window(parts, under_q=False), _window(parts, under_q=True)
    size = fft.next_fast_len(max(top - bottom + 1, 2), real=True)
    if size > MAX_SIZE:
        raise ValueError(f"the loss needs a window of {size} lattice points")
    below_p, error_p = _cumulative(parts, bottom, size, under_q=False)
    below_q, error_q = _cumulative(parts, bottom, size, under_q=True)
    slack = math.fsum(part.count * part.law.slack for part in parts)
    gone = -math.expm1(math.fsum(part.count * math.log1p(-min(part.law.gone, 1.0 - EPSILON)) for part in parts))
    losses = step * (bottom + np.arange(size))
    outside = 2 * BEYOND * math.exp(max(0.0, -losses[-1], losses[0]))  # P = e^-L Q: the other law's mass out there
    return Total(losses, below_p, below_q, gone, error_p + outside + slack, error_q + outside + slack)


def _window(parts: Sequence[Part], *, under_q: bool) -> int:
    """The lattice point beyond which at most BEYOND lies: Q-mass above it, or P-mass below it.

    Chernoff: P(L <= -m h) <= exp(K(t) - t m h), K(t) = ln E exp(-t L); the smallest m over a set of t.
    """
    step = parts[0].law.step
    exponent = np.zeros(len(_TILTS))
    extreme = 0
    tilts = _TILTS / math.sqrt(sum(part.count * _spread(part.law) for part in parts) + step**2)
    for part in parts:
        law, mass = part.law, part.law.q if under_q else part.law.p
        here = np.flatnonzero(mass > 0)
        if not len(here):
            return 0
        losses, mass = _grouped(law.losses[here] if under_q else -law.losses[here], mass[here])
        peak = np.outer(tilts, losses) + np.log(mass)
        largest = peak.max(axis=1)
        exponent += part.count * (largest + np.log(np.exp(peak - largest[:, np.newaxis]).sum(axis=1)))
        extreme += part.count * int(np.ceil(losses.max() / step))
    steps = float(np.min((exponent - math.log(BEYOND)) / (tilts * step)))
    # The rounding of the exponent is far below the extra step; the sum can go no further than its extreme. Where hardly
    # any mass is finite the bound may lie beyond 0: the window holds 0 all the same, so that it is one.
    reach = max(min(int(min(math.ceil(steps * (1 + 1e-9)) + 1, 2 * MAX_SIZE)), extreme), 0)
    return reach if under_q else -reach


def _grouped(losses: np.ndarray, mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fewer points, for bounds of the upper tail: neighbours together at the largest of their losses."""
    size = -(-len(losses) // MAX_GROUPS)
    starts = np.arange(0, len(losses), size)
    return np.maximum.reduceat(losses, starts), np.add.reduceat(mass, starts)


def _spread(law: LatticeLaw) -> float:
    """Second moment of the loss under P, finite part."""
    return float(np.sum(law.p * np.square(law.losses)))


def _cumulative(parts: Sequence[Part], bottom: int, size: int, *, under_q: bool) -> tuple[np.ndarray, float]:
    """Mass of {L <= bottom + i} for i < size, and a bound of its error."""
    powers = [_power(part, size, under_q=under_q) for part in parts]
    frequency = np.arange(size // 2 + 1)
    # The window starts at `bottom`: rotated so that this is index 0.
    turn = (frequency * (bottom % size)) % size * (2 * math.pi / size)
    spectrum = np.exp(sum(power.logarithm for power in powers) + 1j * turn)
    ceiling = np.exp(np.minimum(sum(power.ceiling for power in powers), 1.0))
    error = ceiling * np.minimum(sum(power.relative for power in powers) + 16 * EPSILON, 2.0)
    bins = fft.irfft(spectrum, size)
    # A wrong coefficient at frequency f changes a cumulative sum by at most 1 / f of itself (both +-f together).
    bound = float(np.sum(error / np.maximum(frequency, 1)))
    bound += FFT_ERROR * math.log2(size) * math.sqrt(size) * float(np.linalg.norm(bins))
    return _running_sum(bins), bound + 4 * math.sqrt(size) * EPSILON


@dataclass(frozen=True)
class _Power:
    """A characteristic function to a power: its logarithm, the log of a bound of its size, and an error relative to
    that bound."""

    logarithm: np.ndarray
    ceiling: np.ndarray
    relative: np.ndarray


def _power(part: Part, size: int, *, under_q: bool) -> _Power:
    """abs(a^k - b^k) <= k abs(a - b) M^(k - 1), and <= 2 M^k, where M bounds abs(a) and abs(b)."""
    law, count = part.law, part.count
    mass, missing = (law.q, law.come) if under_q else (law.p, law.gone)
    folded = np.bincount((law.first + np.arange(len(mass))) % size, mass, size)
    phi = fft.rfft(folded)
    error = np.full(len(phi), FFT_ERROR * math.log2(size) * math.sqrt(size) * float(np.linalg.norm(folded)))
    magnitude = np.maximum(np.abs(phi), 1e-300)
    logarithm = np.log(magnitude) + 1j * np.angle(phi)
    if count >= DIRECT_POWER:
        most = min(DIRECT, max(DIRECT_TERMS // max(len(mass), 1), 1))
        low = int(np.argmax(np.append(count * logarithm[:most].real < VANISHED, True)))
        logarithm[:low], relative = _direct(law.first, mass, missing, size, low)
        magnitude[:low] = np.exp(logarithm[:low].real)
        error[:low] = relative * magnitude[:low]
    largest = magnitude + error
    relative = np.minimum(count * (error / largest + EPSILON * np.abs(logarithm)), 2.0)
    total_logarithm = np.maximum(count * logarithm.real, -745.0) + 1j * count * logarithm.imag
    return _Power(total_logarithm, count * np.log(largest), relative)


def _direct(first: int, mass: np.ndarray, missing: float, size: int, low: int) -> tuple[np.ndarray, np.ndarray]:
    """ln phi at the frequencies below ``low`` from phi - 1 = sum of p (e^(-iwj) - 1) - missing: no digits are lost."""
    here = np.flatnonzero(mass > 0)
    turns = np.outer(np.arange(low), first + here) % size
    angle = turns * (2 * math.pi / size)
    real, imaginary = -2 * np.square(np.sin(angle / 2)), -np.sin(angle)
    weight = mass[here]
    change = real @ weight + 1j * (imaginary @ weight) - missing
    value = np.log1p(change)
    absolute = np.hypot(real, imaginary) @ weight + missing
    rounding = (8 + math.log2(len(here) + 1)) * EPSILON
    return value, rounding * (absolute / np.maximum(np.abs(1 + change), 1e-300) + np.abs(value))


def _running_sum(bins: np.ndarray) -> np.ndarray:
    """Cumulative sums with errors of order sqrt(n) roundings: within rows of a square, then over the rows."""
    side = math.isqrt(len(bins) - 1) + 1
    square = np.zeros(side * side)
    square[: len(bins)] = bins
    rows = np.cumsum(square.reshape(side, side), axis=1)
    before = np.concatenate([[0.0], np.cumsum(rows[:-1, -1])])
    return np.asarray((rows + before[:, np.newaxis]).ravel()[: len(bins)])
