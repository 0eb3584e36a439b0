"""The law of the loss of one coordinate on the lattice {j h}, more (or, for upper values, less) informative than it is.

With r = e^L, the law of r under P determines T, and T falls as the law grows in convex order. So a mean-preserving
spread errs on the safe side, a merging on the other. In terms of H(x) = E_P[(x - r)_+], which is convex and determines
the law: a spread raises H, a merging lowers it (:mod:`garbling`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from robustbench_rs.statistics.tradeoff.cells import FARTHEST, Cells, exact_sum
from robustbench_rs.statistics.tradeoff.garbling import Half, garbled, largest_excess

RARE = 1e-13
"""Mass in all coordinates together that may be moved to the infinities."""
ON_NODE = 1e-9
"""Atoms closer to a lattice point, in steps, lie on it."""


@dataclass(frozen=True)
class LatticeLaw:
    """Masses ``p``, ``q`` (m,) under both laws at losses (``first`` + i) ``step``; ``gone``: P-mass at minus infinity,
    ``come``: Q-mass at plus infinity. ``slack``: bound of the total-variation error of either law."""

    step: float
    first: int
    p: np.ndarray
    q: np.ndarray
    gone: float
    come: float
    slack: float

    @property
    def losses(self) -> np.ndarray:
        return self.step * (self.first + np.arange(len(self.p)))


@dataclass(frozen=True)
class Atoms:
    """Losses (finite) with masses under both laws, and what lies at the infinities."""

    loss: np.ndarray
    p: np.ndarray
    q: np.ndarray
    gone: float
    come: float


def frequent(cells: Cells, count: int = 1) -> Atoms:
    """Each cell's mass moved to its extreme ratios, keeping both masses, without losses that hardly ever occur in
    ``count`` coordinates: those are taken as infinite. A spread, as is :func:`onto_lattice`."""
    return _cut_rare(single_atoms(cells), count)


def merged(cells: Cells, step: float, count: int = 1) -> LatticeLaw:
    """A law on the lattice that is less informative: every cell one atom, and these moved by :mod:`garbling`."""
    return lowered(likely(cells, count), step, cells.slack + RARE / count)


def likely(cells: Cells, count: int = 1) -> Atoms:
    """Every cell as one atom, without losses that hardly ever occur: a merging up to a slack of RARE / ``count``."""
    return _cut_rare(single_atoms(cells, optimistic=True), count)


def lowered(atoms: Atoms, step: float, slack: float) -> LatticeLaw:
    """The atoms moved to the lattice by :mod:`garbling`; their masses need not add up to 1."""
    law = onto_lattice(atoms, step, slack)
    return _lowered(law, _inner(atoms, law))


def single_atoms(cells: Cells, *, optimistic: bool = False) -> Atoms:
    """One coordinate's loss: cells at their extreme ratios, or, for an optimistic law, each as one atom."""
    if not optimistic:
        return _to_extremes(cells)
    inside = (cells.p > 0) & (cells.q > 0)
    gone, come = exact_sum(cells.p[~inside]), exact_sum(cells.q[~inside])
    p, q = cells.p[inside], cells.q[inside]
    # The quotient of two tiny masses may be all rounding: what it cannot be is not believed.
    loss = np.clip(np.log(q) - np.log(p), cells.low[inside], cells.high[inside])
    return _cut_far(Atoms(loss, p, q, gone, come))


def _to_extremes(cells: Cells) -> Atoms:
    """Two atoms per cell. Mass whose quotient lies outside the extremes (by rounding, or at the end of a support) goes
    to the infinity on its side, which is pessimistic."""
    far = (cells.low > FARTHEST) | (cells.high < -FARTHEST)
    low = np.where((cells.low < -FARTHEST) | far, 0.0, np.exp(np.clip(cells.low, -FARTHEST, FARTHEST)))
    high = np.where((cells.high > FARTHEST) | far, math.inf, np.exp(np.clip(cells.high, -FARTHEST, FARTHEST)))
    with np.errstate(all="ignore"):
        come = np.where(np.isinf(high), 0.0, np.maximum(cells.q - cells.p * high, 0.0))
        q = cells.q - come
        gone = np.where(low == 0, 0.0, np.maximum(cells.p - q / low, 0.0))
        p = cells.p - gone
        both = (low > 0) & np.isfinite(high)
        share = np.where(both & (high > low), (q - p * low) / (high - low), 0.0)
        # (0, high): all of q at high. (low, inf): all of p at low. (0, inf): everything at the infinities.
        p_high = np.where(both, np.clip(share, 0.0, p), np.where(np.isfinite(high) & (high > 0), q / high, 0.0))
        p_low = np.where(low > 0, p - p_high, 0.0)
        q_high = np.where(both, np.minimum(p_high * high, q), np.where(np.isfinite(high), q, 0.0))
        q_low = np.where(both, q - q_high, np.where(low > 0, p_low * low, 0.0))
    loss, p_all, q_all = (np.concatenate(pair) for pair in ((cells.low, cells.high), (p_low, p_high), (q_low, q_high)))
    kept = np.isfinite(loss) & ((p_all > 0) | (q_all > 0))
    lost, won = np.maximum(cells.p - p_high - p_low, 0.0), np.maximum(cells.q - q_high - q_low, 0.0)
    return _cut_far(Atoms(loss[kept], p_all[kept], q_all[kept], exact_sum(lost), exact_sum(won)))


def _reach(atoms: Atoms, count: int) -> float:
    size = np.abs(atoms.loss)
    order = np.argsort(-size)
    rare = int(np.searchsorted(count * np.cumsum((atoms.p + atoms.q)[order]), RARE))
    return float(size[order[min(rare, len(order) - 1)]]) if len(order) else 0.0


def _cut_rare(atoms: Atoms, count: int) -> Atoms:
    """Without losses that hardly ever occur, under either law: a lattice up to them would be long."""
    return _cut_far(atoms, _reach(atoms, count))


def _cut_far(atoms: Atoms, farthest: float = FARTHEST) -> Atoms:
    """Losses beyond +-``farthest``: P to minus infinity, Q to plus infinity.

    That is pessimistic. An optimistic law may only move masses below RARE, which its slack pays for.
    """
    near = np.abs(atoms.loss) <= farthest
    gone, come = atoms.gone + exact_sum(atoms.p[~near]), atoms.come + exact_sum(atoms.q[~near])
    return Atoms(atoms.loss[near], atoms.p[near], atoms.q[near], gone, come)


def onto_lattice(atoms: Atoms, step: float, slack: float) -> LatticeLaw:
    """Each atom split between its two neighbours, keeping P- and Q-mass: linear in e^L."""
    place = atoms.loss / step
    on = _on_node(place)
    below = np.where(on, np.rint(place), np.floor(place))
    rest = np.where(on, 0.0, place - below)
    up_p, up_q = _shares(rest, step)
    first = int(below.min(initial=0.0))
    index = (below - first).astype(np.int64)
    size = int(index.max(initial=0)) + 2
    p, q = (
        np.bincount(index, mass * (1.0 - up), size) + np.bincount(index + 1, mass * up, size)
        for mass, up in ((atoms.p, up_p), (atoms.q, up_q))
    )
    used = int(np.flatnonzero((p > 0) | (q > 0)).max(initial=0)) + 1
    return LatticeLaw(step, first, p[:used], q[:used], atoms.gone, atoms.come, slack)


def _on_node(place: np.ndarray) -> np.ndarray:
    on: np.ndarray = np.abs(place - np.rint(place)) < ON_NODE
    return on


def _inner(atoms: Atoms, law: LatticeLaw) -> list[tuple[np.ndarray, np.ndarray]]:
    """Masses strictly between lattice points j and j + 1, and the excess of a chord there (m - 1,): of P with x = e^L,
    and of Q with x = e^-L."""
    place = atoms.loss / law.step
    off = np.flatnonzero(~_on_node(place))
    off = off[np.argsort(place[off], kind="stable")]
    interval = np.floor(place[off])
    up_p, up_q = _shares(place[off] - interval, law.step)
    index, size = (interval - law.first).astype(np.int64), len(law.p) - 1
    return [
        (np.bincount(index, mass[off], size), largest_excess(index, up, mass[off], size))
        for mass, up in ((atoms.p, up_p), (atoms.q, up_q))
    ]


def _shares(rest: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Of the P-mass and of the Q-mass ``rest`` steps above a point, what goes to the next one."""
    # t of the P-mass: e^(rest h) = 1 + t (e^h - 1); of the Q-mass, t e^h e^(-rest h).
    up_p = np.expm1(rest * step) / math.expm1(step)
    return up_p, up_p * np.exp((1.0 - rest) * step)


def _lowered(law: LatticeLaw, inner: list[tuple[np.ndarray, np.ndarray]]) -> LatticeLaw:
    """The lattice law made less informative than the atoms that it came from; L = 0 becomes one of its points."""
    below, above = max(-law.first, 1), max(law.first + len(law.p) - 1, 1)
    around = (law.first + below, above - (law.first + len(law.p) - 1))
    p, q = np.pad(law.p, around), np.pad(law.q, around)
    (c_p, excess_p), (c_q, excess_q) = ([np.pad(each, around) for each in pair] for pair in inner)
    losses = law.step * np.arange(-below, above + 1)
    lower = Half(np.exp(losses[: below + 1]), p[: below + 1], c_p[:below], excess_p[:below])
    upper = Half(np.exp(-losses[below:])[::-1], q[below:][::-1], c_q[below:][::-1], excess_q[below:][::-1])
    new_p, new_q, made_up = garbled(lower, upper)
    reversed_q = new_q[::-1]
    p = np.concatenate([new_p, reversed_q[1:] * np.exp(-losses[below + 1 :])])
    q = np.concatenate([new_p[:-1] * np.exp(losses[:below]), reversed_q])
    return LatticeLaw(law.step, -below, p, q, law.gone, law.come, law.slack + made_up)
