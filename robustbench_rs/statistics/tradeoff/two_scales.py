"""Sums of many losses that are mostly small and rarely large, on a fine lattice and a few coarse ones.

Where the loss of a coordinate has a long tail (at the ends of a support, at a pole), a lattice that is fine enough for
the bulk is too long for the tail. So the finite losses are cut into classes, |loss| <= x_0 < x_1 < x_2 < ..., of which
all but the first are rare, even in all k coordinates together. Let M be the law of the losses up to x_{j-1}, m_P and
m_Q its masses under the two laws, b that of the losses in class j, and T_j the law of the total of k coordinates up to
class j (all sub-measures). With N coordinates in class j,

    T_j = T_{j-1} + rest,    rest = sum over N >= 1 of C(k, N) M^{*(k-N)} * b^{*N}.

T_0 is summed as ever, on the fine lattice. The rest, which is rare, is coarse:

*Pessimistic.* Every coordinate in class j also brings an independent observation from M / m, which only adds
information. Then rest = T_{j-1} * [(1 + b/m)^{*k} - 1], b_P / m_P and b_Q / m_Q being at losses ln(b_Q m_P / b_P m_Q).
Both factors are spread onto a lattice as coarse as befits class j, the first as a whole: once, and not for each
coordinate.

*Optimistic.* Where a loss is big (beyond x_0), only the highest class that occurs counts, its losses, and the sum S of
the first k - n coordinates with small losses; n is so large that more than n big ones have hardly any mass, which is
paid for as an error. That is a garbling. S does not depend on where the big losses are, so with S of mass 1 under both
laws, rest = m^k S * [(1 + b/m)^{*k} - 1], of losses that are k ln(m_Q / m_P) larger. Both factors are moved onto the
coarse lattice by :mod:`garbling`; S, where it is too narrow for this, into one point.

The pieces make one law of the total loss. In each the likelihood ratio is e^loss, so sorting all by their losses gives
the best tests. Several groups: their brackets are multiplied before the 1 is subtracted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from robustbench_rs.statistics.tradeoff.cells import exact_sum
from robustbench_rs.statistics.tradeoff.convolution import (
    EPSILON,
    Bins,
    Part,
    Total,
    Window,
    enclose,
    gone_in_any,
    inverse,
    log1p,
    running_sum,
    summed,
    transform,
)
from robustbench_rs.statistics.tradeoff.lattice import Atoms, LatticeLaw, lowered, onto_lattice

RESOLUTION = 30
"""Lattice points up to the smallest loss of a class."""
RATIO = 16.0
"""Largest to smallest loss of a class."""
DROPPED = 1e-14
"""Mass of more big coordinates than an optimistic law allows for."""
COARSER = 4
"""An optimistic sum that only goes with big losses needs no finer lattice."""
MADE_UP = 1e-12
"""Of the mass; a lattice law that is farther from a garbling than this is none."""
MOST = 0.25
"""Mass of the big losses of one coordinate, relative to its small ones."""

Piece = tuple[np.ndarray, Bins, Bins]
"""A part of the law of the total: losses, and its masses there under P and Q."""
Class = tuple[float, float]
"""Sizes of losses, the first not included."""


@dataclass(frozen=True)
class Losses:
    """One group of ``count`` coordinates. ``slack``: as of :class:`LatticeLaw`."""

    atoms: Atoms
    count: int
    slack: float

    def masses(self, edge: float) -> tuple[float, float]:
        """Of losses up to ``edge``, under P and under Q."""
        near = np.abs(self.atoms.loss) <= edge
        return exact_sum(self.atoms.p[near]), exact_sum(self.atoms.q[near])

    def small(self, edge: float) -> Atoms:
        """Losses up to ``edge``; all other mass is at the infinities."""
        near = np.abs(self.atoms.loss) <= edge
        p, q = self.atoms.p, self.atoms.q
        gone, come = self.atoms.gone + exact_sum(p[~near]), self.atoms.come + exact_sum(q[~near])
        return Atoms(self.atoms.loss[near], p[near], q[near], gone, come)

    def big(self, here: Class) -> Atoms:
        """Losses of a class, relative to those of all classes before."""
        p, q = self.masses(here[0])
        size = np.abs(self.atoms.loss)
        inside = (size > here[0]) & (size <= here[1])
        loss = self.atoms.loss[inside] + math.log(p / q)
        return Atoms(loss, self.atoms.p[inside] / p, self.atoms.q[inside] / q, 0.0, 0.0)


def applies(groups: Sequence[Losses], edge: float) -> bool:
    """Whether big losses are rare enough in each coordinate for ln(1 + b/m)."""
    pairs = (pair for each in groups for pair in zip(each.masses(edge), each.masses(math.inf), strict=True))
    return all(0 < whole <= (1.0 + MOST) * small for small, whole in pairs)


def pessimistic(groups: Sequence[Losses], step: float, edge: float) -> Total:
    """The law of the total loss. ``step``: of the fine lattice, ``edge``: x_0.

    Raises ``ValueError`` when a window would need too many points.
    """
    pieces = [summed([Part(onto_lattice(each.small(edge), step, each.slack), each.count) for each in groups])]
    before, slack = _atoms(pieces[0])
    for here in _classes(groups, edge):
        step = here[0] / RESOLUTION
        law = onto_lattice(before, step, slack)
        pieces.append(_rest(law, [Part(onto_lattice(each.big(here), step, 0.0), each.count) for each in groups]))
        added, error = _atoms(pieces[-1])
        before, slack = _together(_finite(law), added), slack + error
    return _joined(groups, pieces, 0.0)


def optimistic(groups: Sequence[Losses], step: float, edge: float) -> Total:
    """As :func:`pessimistic`."""
    pieces = [summed([Part(lowered(each.small(edge), step, each.slack), each.count) for each in groups])]
    most, missed = _most(groups, edge)
    sums, slack = _fewer(groups, most, step, edge)
    for here in _classes(groups, edge):
        step = here[0] / RESOLUTION
        law = _narrowed(sums, step, slack)
        rest = _rest(law, [Part(_scaled(each.big(here), step), each.count) for each in groups])
        pieces.append(_times(rest, *_powers(groups, here[0])))
        sums, slack = _finite(law), law.slack
    return _joined(groups, pieces, missed)


def _classes(groups: Sequence[Losses], edge: float) -> Iterator[Class]:
    """Those in which there are losses."""
    size = np.concatenate([np.abs(each.atoms.loss) for each in groups])
    farthest = float(np.max(size, initial=0.0))
    start = edge
    while start < farthest:
        end = RATIO * start
        if np.any((size > start) & (size <= end)):
            yield start, end
        start = end


def _atoms(sums: Piece) -> tuple[Atoms, float]:
    """A piece without negative masses, and a bound of all their errors, also where those of one law are had from those
    of the other."""
    losses, p, q = sums
    here = (p.mass > 0) | (q.mass > 0)
    ours, theirs = (np.maximum(each.mass[here], 0.0) for each in (p, q))
    return Atoms(losses[here], ours, theirs, 0.0, 0.0), p.apart + q.apart


def _finite(law: LatticeLaw) -> Atoms:
    here = (law.p > 0) | (law.q > 0)
    return Atoms(law.losses[here], law.p[here], law.q[here], 0.0, 0.0)


def _together(one: Atoms, other: Atoms) -> Atoms:
    loss, p, q = (np.concatenate([getattr(one, name), getattr(other, name)]) for name in ("loss", "p", "q"))
    return Atoms(loss, p, q, 0.0, 0.0)


def _most(groups: Sequence[Losses], edge: float) -> tuple[int, float]:
    """n, and a bound of the probability of more than n big losses: P(N > n) <= E C(N, n + 1) <= nu^(n+1) / (n+1)!"""
    big = [each.big((edge, math.inf)) for each in groups]
    rate = math.fsum(
        each.count * max(exact_sum(law.p), exact_sum(law.q)) for each, law in zip(groups, big, strict=True)
    )
    most, bound = 0, rate
    while bound > DROPPED:
        most += 1
        bound *= rate / (most + 1)
    return most, bound


def _fewer(groups: Sequence[Losses], dropped: int, step: float, edge: float) -> tuple[Atoms, float]:
    """S, with masses of 1 under both laws, and its error."""
    parts = [
        Part(lowered(each.small(edge), COARSER * step, each.slack), each.count - dropped)
        for each in groups
        if each.count > dropped
    ]
    if not parts:
        one = np.ones(1)
        return Atoms(np.zeros(1), one, one, 0.0, 0.0), 0.0
    sums, slack = _atoms(summed(parts))
    p, q = exact_sum(sums.p), exact_sum(sums.q)
    return Atoms(sums.loss + math.log(p / q), sums.p / p, sums.q / q, 0.0, 0.0), 2 * slack / min(p, q)


def _narrowed(sums: Atoms, step: float, slack: float) -> LatticeLaw:
    """S on a lattice; nothing is known of it where there is no garbling of this kind."""
    law = lowered(sums, step, slack)
    if law.slack <= slack + MADE_UP:
        return law
    return LatticeLaw(step, 0, np.ones(1), np.ones(1), 0.0, 0.0, slack)


def _scaled(atoms: Atoms, step: float) -> LatticeLaw:
    """:func:`lowered` as if the masses were about 1, for its roundings are absolute."""
    mass = max(exact_sum(atoms.p), exact_sum(atoms.q))
    if mass == 0:
        return onto_lattice(atoms, step, 0.0)
    law = lowered(Atoms(atoms.loss, atoms.p / mass, atoms.q / mass, 0.0, 0.0), step, 0.0)
    return replace(law, p=law.p * mass, q=law.q * mass, slack=law.slack * mass)


def _powers(groups: Sequence[Losses], edge: float) -> tuple[float, float]:
    """ln m_P^k and ln m_Q^k, of losses up to ``edge``."""
    masses = [each.masses(edge) for each in groups]
    log_p, log_q = (
        math.fsum(each.count * math.log(mass[side]) for each, mass in zip(groups, masses, strict=True))
        for side in (0, 1)
    )
    return log_p, log_q


def _times(piece: Piece, log_p: float, log_q: float) -> Piece:
    losses, *laws = piece
    p, q = (
        Bins(law.mass * factor, law.error * factor, law.apart * factor)
        for law, factor in zip(laws, (math.exp(log_p), math.exp(log_q)), strict=True)
    )
    return losses + (log_q - log_p), p, q


def _rest(law: LatticeLaw, bigs: Sequence[Part]) -> Piece:
    """``law`` * [product of (1 + b/m)^{*k} - 1]."""
    window = enclose([Part(law, 1), *(Part(_or_none(big.law), big.count) for big in bigs)])
    p, q = (_product(law, bigs, window, under_q=side) for side in (False, True))
    return window.losses, p, q


def _or_none(law: LatticeLaw) -> LatticeLaw:
    """1 + b/m."""
    first, last = min(law.first, 0), max(law.first + len(law.p), 1)
    p, q = (np.pad(mass, (law.first - first, last - law.first - len(mass))) for mass in (law.p, law.q))
    p[-first] += 1.0
    q[-first] += 1.0
    return replace(law, first=first, p=p, q=q)


def _product(law: LatticeLaw, bigs: Sequence[Part], window: Window, *, under_q: bool) -> Bins:
    """Its masses under one law.

    |e^b - 1| <= e^nu nu, and an error eta of b changes it by at most e^nu (e^eta - 1), where nu bounds
    |b| = |sum of k ln(1 + z)|: |ln(1 + z)| <= |z| / (1 - |z|), its derivative is at most 1 / (1 - |z|).
    """
    sums, sums_error, mass = _transform(law, window, under_q)
    power, nu, eta, made_up = np.zeros(len(sums), dtype=np.complex128), 0.0, 0.0, 0.0
    for big in bigs:
        value, error, rate = _transform(big.law, window, under_q)
        power += big.count * log1p(value)
        nu += big.count * rate / (1.0 - rate)
        eta += big.count * (error + 16 * EPSILON * rate) / (1.0 - rate)
        made_up += big.count * big.law.slack / (1.0 - rate)
    change = math.exp(nu) * nu
    error = mass * (math.exp(nu) * math.expm1(eta) + 16 * EPSILON * change) + sums_error * change
    found = inverse(sums * np.expm1(power), np.full(len(sums), error), window)
    moved = window.outside + law.slack * change + mass * math.exp(nu) * math.expm1(made_up)
    return found.worse(moved)


def _transform(law: LatticeLaw, window: Window, under_q: bool) -> tuple[np.ndarray, float, float]:
    """The characteristic function of its masses, a bound of the error of every value, and of their size."""
    mass = law.q if under_q else law.p
    phi, error = transform(law.first, mass, window.size)
    return phi, error, exact_sum(mass) + error


def _joined(groups: Sequence[Losses], pieces: Sequence[Piece], error: float) -> Total:
    """All pieces in one list, sorted by loss. ``error``: of either law, beyond those of the pieces."""
    losses = np.concatenate([piece[0] for piece in pieces])
    order = np.argsort(losses, kind="stable")
    owner = np.repeat(np.arange(len(pieces)), [len(piece[0]) for piece in pieces])[order]
    below_p, below_q = np.zeros(len(order)), np.zeros(len(order))
    for i, (_, p, q) in enumerate(pieces):
        seen = np.cumsum(owner == i)
        below_p += np.concatenate([[0.0], running_sum(p.mass)])[seen]
        below_q += np.concatenate([[0.0], running_sum(q.mass)])[seen]
    gone = gone_in_any((each.count, each.atoms.gone) for each in groups)
    error += len(pieces) * EPSILON
    error_p = error + math.fsum(p.error for _, p, _ in pieces)
    error_q = error + math.fsum(q.error for _, _, q in pieces)
    return Total(losses[order], below_p, below_q, gone, error_p, error_q)
