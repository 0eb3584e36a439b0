"""Sums of independent losses: powers in Fourier space, in a window chosen beforehand, with every error bounded.

A circular convolution wraps: mass beyond the window reappears at its other end, where it may count on the unsafe side.
So the window is chosen by Chernoff's bound such that what lies beyond has at most the mass ``BEYOND`` per side.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
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
UNDERFLOW = -745.0
MAX_GROUPS = 4096
EVERY = 6
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


@dataclass(frozen=True)
class Bins:
    """Masses of one law at adjacent lattice points (m,). ``error``: bound of the error of their cumulative sums;
    ``apart``: of their own errors, all together."""

    mass: np.ndarray
    error: float
    apart: float

    def worse(self, slack: float) -> Bins:
        """With ``slack`` more mass that may be wrong."""
        return Bins(self.mass, self.error + slack, self.apart + slack)


@dataclass(frozen=True)
class Window:
    """Lattice points ``bottom`` + i, i < ``size``. ``outside``: mass of either law that may lie beyond and wrap."""

    bottom: int
    size: int
    step: float
    outside: float

    @property
    def losses(self) -> np.ndarray:
        return self.step * (self.bottom + np.arange(self.size))


def total(parts: Sequence[Part]) -> Total:
    """The law of the sum over all coordinates of all parts, whose lattices have one step.

    Raises ``ValueError`` when the window would need more than ``MAX_SIZE`` points.
    """
    losses, p, q = summed(parts)
    gone = gone_in_any((part.count, part.law.gone) for part in parts)
    return Total(losses, running_sum(p.mass), running_sum(q.mass), gone, p.error, q.error)


def gone_in_any(coordinates: Iterable[tuple[int, float]]) -> float:
    """P-mass at minus infinity in all coordinates together, from how many there are with how much of it each."""
    return -math.expm1(math.fsum(count * math.log1p(-min(gone, 1.0 - EPSILON)) for count, gone in coordinates))


def summed(parts: Sequence[Part]) -> tuple[np.ndarray, Bins, Bins]:
    """The lattice points, and what lies there under P and under Q; ``Bins`` bound wrapped mass and slack, too."""
    window = enclose(parts)
    slack = math.fsum(part.count * part.law.slack for part in parts) + window.outside
    powers = [_powers(part, window.size) for part in parts]
    p, q = (_bins([pair[side] for pair in powers], window) for side in (0, 1))
    return window.losses, p.worse(slack), q.worse(slack)


def enclose(parts: Sequence[Part]) -> Window:
    """A window for the sum. Raises ``ValueError`` when it would need more than ``MAX_SIZE`` points."""
    bottom, top = _window(parts, under_q=False), _window(parts, under_q=True)
    size = fft.next_fast_len(max(top - bottom + 1, 2), real=True)
    if size > MAX_SIZE:
        raise ValueError(f"the loss needs a window of {size} lattice points")
    step = parts[0].law.step
    first, last = step * bottom, step * (bottom + size - 1)
    outside = 2 * BEYOND * math.exp(max(0.0, -last, first))  # P = e^-L Q: the other law's mass out there
    return Window(bottom, size, step, outside)


def _window(parts: Sequence[Part], *, under_q: bool) -> int:
    """The lattice point beyond which at most BEYOND lies: Q-mass above it, or P-mass below it.

    Chernoff: P(L <= -m h) <= exp(K(t) - t m h), K(t) = ln E exp(-t L); the smallest m over a set of t.
    """
    step = parts[0].law.step
    sides = [(part.count, *_side(part.law, under_q)) for part in parts]
    if not all(len(losses) for _, losses, _ in sides):
        return 0
    extreme = sum(count * int(np.ceil(losses.max() / step)) for count, losses, _ in sides)
    groups = [(count, *_grouped(losses, mass)) for count, losses, mass in sides]
    tilts = _TILTS / math.sqrt(sum(part.count * _spread(part.law) for part in parts) + step**2)

    def reach(some: np.ndarray) -> np.ndarray:
        return (_exponent(groups, some) - math.log(BEYOND)) / (some * step)

    # K is convex, so the bound falls and then rises with t: the least is next to the least of a few.
    best = int(np.argmin(reach(tilts[::EVERY]))) * EVERY
    steps = float(np.min(reach(tilts[max(best - EVERY, 0) : best + EVERY + 1])))
    # The rounding of the exponent is far below the extra step; the sum can go no further than its extreme. Where hardly
    # any mass is finite the bound may lie beyond 0: the window holds 0 all the same, so that it is one.
    points = max(min(int(min(math.ceil(steps * (1 + 1e-9)) + 1, 2 * MAX_SIZE)), extreme), 0)
    return points if under_q else -points


def _side(law: LatticeLaw, under_q: bool) -> tuple[np.ndarray, np.ndarray]:
    """Losses and Q-masses, or losses with the other sign and P-masses."""
    mass = law.q if under_q else law.p
    here = np.flatnonzero(mass > 0)
    losses = law.losses[here]
    return losses if under_q else -losses, mass[here]


def _exponent(groups: Sequence[tuple[int, np.ndarray, np.ndarray]], tilts: np.ndarray) -> np.ndarray:
    """K(t)."""
    exponent = np.zeros(len(tilts))
    for count, losses, mass in groups:
        peak = np.outer(tilts, losses) + np.log(mass)
        largest = peak.max(axis=1)
        exponent += count * (largest + np.log(np.exp(peak - largest[:, np.newaxis]).sum(axis=1)))
    return exponent


def _grouped(losses: np.ndarray, mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fewer points, for bounds of the upper tail: neighbours together at the largest of their losses."""
    size = -(-len(losses) // MAX_GROUPS)
    starts = np.arange(0, len(losses), size)
    return np.maximum.reduceat(losses, starts), np.add.reduceat(mass, starts)


def _spread(law: LatticeLaw) -> float:
    """Second moment of the loss under P, finite part."""
    return float(np.sum(law.p * np.square(law.losses)))


def _bins(powers: Sequence[_Power], window: Window) -> Bins:
    logarithm = np.sum([power.logarithm for power in powers], axis=0)
    spectrum = np.zeros(len(logarithm), dtype=np.complex128)
    here = np.flatnonzero(logarithm.real > UNDERFLOW)
    spectrum[here] = np.exp(logarithm[here])
    ceiling = np.exp(np.minimum(sum(power.ceiling for power in powers), 1.0))
    error = ceiling * np.minimum(sum(power.relative for power in powers) + 12 * EPSILON, 2.0)
    return inverse(spectrum, error, window)


def inverse(spectrum: np.ndarray, error: np.ndarray, window: Window) -> Bins:
    """Masses from their characteristic function at the frequencies 0, ..., size / 2, each known up to ``error``."""
    size = window.size
    # The window starts at `bottom`: rotated so that this is index 0.
    here = np.flatnonzero(spectrum)
    turn = (here * (window.bottom % size)) % size * (2 * math.pi / size)
    turned = np.zeros(len(spectrum), dtype=np.complex128)
    turned[here] = spectrum[here] * np.exp(1j * turn)
    bins = fft.irfft(turned, size)
    error = error + 16 * EPSILON * np.abs(spectrum)
    rounding = _fft_error(bins) + 4 * math.sqrt(size) * EPSILON
    # A wrong coefficient at frequency f changes a cumulative sum by at most 1 / f of itself (both +-f together); all
    # bins together by sqrt(size) times their l2-norm, which is that of the coefficients.
    apart = math.sqrt(2.0) * float(np.linalg.norm(error)) + rounding
    return Bins(bins, float(np.sum(error / np.maximum(np.arange(len(error)), 1))) + rounding, apart)


@dataclass(frozen=True)
class _Power:
    """A characteristic function to a power: its logarithm, the log of a bound of its size, and an error relative to
    that bound."""

    logarithm: np.ndarray
    ceiling: np.ndarray
    relative: np.ndarray


def _powers(part: Part, size: int) -> list[_Power]:
    """Under P and under Q."""
    law, low = part.law, 0
    transforms = [transform(law.first, mass, size) for mass in (law.p, law.q)]
    if part.count >= DIRECT_POWER:
        most = min(DIRECT, max(DIRECT_TERMS // max(len(law.p), 1), 1))
        largest = np.abs([phi[:most] for phi, _ in transforms]).max(axis=0)
        faded = part.count * np.log(np.maximum(largest, 1e-300)) < VANISHED
        low = int(np.argmax(np.append(faded, True)))
    return [_power(*each, direct, part.count) for each, direct in zip(transforms, _direct(law, size, low), strict=True)]


def transform(first: int, mass: np.ndarray, size: int) -> tuple[np.ndarray, float]:
    """The characteristic function of ``mass`` (m,), which lies at lattice points from ``first`` on, at the frequencies
    0, ..., size / 2, and a bound of the error of every value."""
    folded = np.bincount((first + np.arange(len(mass))) % size, mass, size)
    return fft.rfft(folded), _fft_error(folded)


def _fft_error(values: np.ndarray) -> float:
    """Bound of the error of every value of a Fourier transform of ``values``, or of one that gave them."""
    return FFT_ERROR * math.log2(len(values)) * math.sqrt(len(values)) * float(np.linalg.norm(values))


def _power(phi: np.ndarray, error: float, direct: tuple[np.ndarray, np.ndarray], count: int) -> _Power:
    """abs(a^k - b^k) <= k abs(a - b) M^(k - 1), and <= 2 M^k, where M bounds abs(a) and abs(b). ``error``: of phi,
    whose lowest frequencies are known better: ``direct``, their logarithms and relative errors."""
    low = len(direct[0])
    magnitude = np.maximum(np.abs(phi), 1e-300)
    largest = magnitude + error
    largest[:low] = np.exp(direct[0].real) * (1.0 + direct[1])
    ceiling = count * np.log(largest)
    logarithm, relative = np.full(len(phi), UNDERFLOW + 0j), np.full(len(phi), 2.0)  # where the power has vanished
    here = np.flatnonzero(ceiling >= VANISHED)
    found = np.log(magnitude[here]) + 1j * np.angle(phi[here])
    share = error / largest[here]
    direct_here = int(np.searchsorted(here, low))
    found[:direct_here], share[:direct_here] = (each[here[:direct_here]] for each in direct)
    relative[here] = np.minimum(count * (share + EPSILON * np.abs(found)), 2.0)
    logarithm[here] = np.maximum(count * found.real, UNDERFLOW) + 1j * count * found.imag
    return _Power(logarithm, ceiling, relative)


def _direct(law: LatticeLaw, size: int, low: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """ln phi at the frequencies below ``low`` under both laws, and bounds of the relative errors of phi.

    From phi - 1 = sum of p (e^(-iwj) - 1) - missing: no digits are lost.
    """
    here = np.flatnonzero((law.p > 0) | (law.q > 0))
    turns = np.outer(np.arange(low), law.first + here) % size
    angle = np.arange(size) * (2 * math.pi / size)
    size_of = 2 * np.sin(angle / 2)[turns]
    real, imaginary = -np.square(size_of) / 2, -np.sin(angle)[turns]
    weight = np.stack([law.p[here], law.q[here]], axis=1)
    missing = np.array([law.gone, law.come])
    change = real @ weight + 1j * (imaginary @ weight) - missing
    value = log1p(change)
    absolute = size_of @ weight + missing
    rounding = (24 + math.log2(len(here) + 1)) * EPSILON
    error = rounding * (absolute / np.maximum(np.abs(1 + change), 1e-300) + np.abs(value))
    return [(value[:, side], error[:, side]) for side in (0, 1)]


def log1p(z: np.ndarray) -> np.ndarray:
    """ln(1 + z), also for small complex z, where numpy's real part loses all digits."""
    x, y = z.real, z.imag
    return np.asarray(0.5 * np.log1p(2 * x + np.square(x) + np.square(y)) + 1j * np.arctan2(y, 1 + x))


def running_sum(bins: np.ndarray) -> np.ndarray:
    """Cumulative sums with errors of order sqrt(n) roundings: within rows of a square, then over the rows."""
    side = math.isqrt(len(bins) - 1) + 1
    square = np.zeros(side * side)
    square[: len(bins)] = bins
    rows = np.cumsum(square.reshape(side, side), axis=1)
    before = np.concatenate([[0.0], np.cumsum(rows[:-1, -1])])
    return np.asarray((rows + before[:, np.newaxis]).ravel()[: len(bins)])
