"""From a law and a shift to its trade-off function."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from robustbench_rs.statistics.coordinate import Coordinate
from robustbench_rs.statistics.tradeoff import two_scales
from robustbench_rs.statistics.tradeoff.cells import FARTHEST, Cells, Outline, cut, outline
from robustbench_rs.statistics.tradeoff.convolution import Part, Total, total
from robustbench_rs.statistics.tradeoff.curve import TradeOff, monotone
from robustbench_rs.statistics.tradeoff.lattice import (
    RARE,
    Atoms,
    LatticeLaw,
    frequent,
    likely,
    merged,
    onto_lattice,
    single_atoms,
)
from robustbench_rs.statistics.tradeoff.two_scales import Losses

COARSEST = 0.02
"""No lattice step is larger."""
FIRST_LOOK = 0.2
SECOND_LOOK = 10
"""Width of cells, in steps, that shows the variance of the loss; where it is far less than at first, it may be off."""
CAP = 2.0
"""Losses beyond count as this much where the step is chosen from the variance of the loss."""
CELLS_PER_STEP = 3
MAX_REACH = 1 << 17
"""Lattice points up to the largest loss of one coordinate."""
RARELY = 0.04
"""Mass, in all coordinates together, of losses that are summed on coarser lattices than the others."""
LONG = 8192
"""Steps up to the largest loss that one lattice is good for."""
FAR = 8.0
"""How far the largest loss must lie beyond those that are not rare, for two scales to pay."""
FLAT = 1e-12
ZERO = 1e-26


@dataclass(frozen=True)
class Group:
    """A shift of ``size`` (of z, signed) on ``count`` coordinates."""

    size: float
    count: int


def trade_off(law: Coordinate, shift: Sequence[Group], tolerance: float, *, optimistic: bool = False) -> TradeOff:
    """The trade-off function between noise with independent coordinates ~ ``law`` and the same noise, shifted.

    Coordinates in no group are not shifted and do not matter. Pessimistic by default: p_star too large, left too small;
    with ``optimistic`` the other way. ``tolerance``: wanted relative error of a radius read off it; not a promise,
    compare both sides for the gap that was reached. Raises ``ValueError`` when the lattice would need too much memory.
    """
    return Account(law, shift, tolerance).curve(optimistic=optimistic)


class Account:
    """The losses of one shift's coordinates, cut into cells; both sides of :func:`trade_off` from the same ones."""

    def __init__(self, law: Coordinate, shift: Sequence[Group], tolerance: float) -> None:
        self._groups = [group for group in shift if group.count > 0 and group.size != 0]
        if self._groups:
            coarse = [outline(law, group.size, FIRST_LOOK) for group in self._groups]
            width = SECOND_LOOK * _scales(self._groups, coarse, tolerance)[1]
            if width < FIRST_LOOK / SECOND_LOOK:
                coarse = [outline(law, each.size, width, done) for each, done in zip(self._groups, coarse, strict=True)]
            self._edge, self._step = _scales(self._groups, coarse, tolerance)
            width = self._step / CELLS_PER_STEP
            self._cells = [cut(law, each.size, width, begun) for each, begun in zip(self._groups, coarse, strict=True)]

    def curve(self, *, optimistic: bool = False) -> TradeOff:
        """As :func:`trade_off`. Raises ``ValueError`` when the lattice would need too much memory."""
        if not self._groups:
            return _identity(optimistic)
        proved = all(each.proved for each in self._cells)
        if sum(group.count for group in self._groups) == 1:
            return _curve(single(self._cells[0], optimistic), optimistic, proved)
        if self._edge:
            losses = self._losses(optimistic)
            if two_scales.applies(losses, self._edge):
                summed = two_scales.optimistic if optimistic else two_scales.pessimistic
                return _curve(summed(losses, self._step, self._edge), optimistic, proved)
        counts = [group.count for group in self._groups]
        laws = self._merged(counts) if optimistic else self._spread()
        return _curve(total([Part(*pair) for pair in zip(laws, counts, strict=True)]), optimistic, proved)

    def _losses(self, optimistic: bool) -> list[Losses]:
        found = []
        for cells, group in zip(self._cells, self._groups, strict=True):
            atoms = (likely if optimistic else frequent)(cells, group.count)
            moved = RARE / group.count if optimistic else 0.0
            found.append(Losses(atoms, group.count, cells.slack + moved))
        return found

    def _spread(self) -> list[LatticeLaw]:
        step, atoms = self._frequent
        return [onto_lattice(each, step, cells.slack) for each, cells in zip(atoms, self._cells, strict=True)]

    def _merged(self, counts: Sequence[int]) -> list[LatticeLaw]:
        step, _ = self._frequent
        return [merged(cells, step, count) for cells, count in zip(self._cells, counts, strict=True)]

    @cached_property
    def _frequent(self) -> tuple[float, list[Atoms]]:
        """The lattice's step, and atoms without rare losses. Rather a coarser lattice, which is as sound, than one
        without end: few laws have so long a loss so rarely."""
        atoms = [frequent(cells, group.count) for cells, group in zip(self._cells, self._groups, strict=True)]
        longest = max(float(np.max(np.abs(each.loss), initial=0.0)) for each in atoms)
        return max(self._step, longest / MAX_REACH), atoms


def _scales(groups: Sequence[Group], coarse: Sequence[Outline], tolerance: float) -> tuple[float, float]:
    """The largest of the small losses [0: all losses on one lattice], and the (fine) lattice's step."""
    step = _step(groups, coarse, tolerance, CAP)
    counts = np.concatenate([np.full(len(cells.p), group.count) for group, cells in zip(groups, coarse, strict=True)])
    mass = counts * np.concatenate([np.maximum(cells.p, cells.q) for cells in coarse])
    size = np.concatenate([_sizes(cells) for cells in coarse])
    finite = np.concatenate([np.isfinite(cells.loss[:-1]) | np.isfinite(cells.loss[1:]) for cells in coarse])
    mass, size = mass[finite], np.minimum(size[finite], FARTHEST)
    order = np.argsort(-size)
    beyond = np.cumsum(mass[order])
    edge, longest = (float(np.append(size[order], 0.0)[np.searchsorted(beyond, rare)]) for rare in (RARELY, RARE))
    if longest <= max(LONG * step, FAR * edge) or edge == 0:
        return 0.0, step
    return edge, _step(groups, coarse, tolerance, min(edge, CAP))


def _sizes(cells: Outline) -> np.ndarray:
    """Of losses, the largest on each cell."""
    size = np.abs(np.nan_to_num(cells.loss, nan=math.inf))
    return np.asarray(np.maximum(size[:-1], size[1:]))


def _step(groups: Sequence[Group], coarse: Sequence[Outline], tolerance: float, cap: float) -> float:
    """h = sqrt(3 tol Var L / k), Var L the variance of the total loss: both sides then lie within about tol.

    Losses beyond ``cap`` count as that. The largest loss is a multiple of h where it is attained on a set of positive
    mass.
    """
    variance, count = 0.0, 0
    for group, cells in zip(groups, coarse, strict=True):
        variance += group.count * float(np.sum(cells.p * np.square(np.minimum(_sizes(cells), cap))))
        count += group.count
    if variance <= ZERO * count:  # every finite loss is 0: any lattice is exact
        return COARSEST
    step = min(COARSEST, math.sqrt(3 * tolerance * variance / count))
    flat = max(_flat(cells) for cells in coarse)
    return flat / math.ceil(flat / step) if flat > step else step


def _flat(cells: Outline) -> float:
    """The largest finite loss, where it is attained on a whole cell of some mass; else 0."""
    with np.errstate(invalid="ignore"):
        constant = np.abs(np.diff(cells.loss)) <= FLAT
    here = constant & (cells.p > 1e-6) & np.isfinite(cells.loss[1:])
    return float(np.max(np.abs(cells.loss[1:][here]), initial=0.0))


def single(cells: Cells, optimistic: bool) -> Total:
    """One coordinate needs no lattice: its atoms, sorted."""
    atoms = single_atoms(cells, optimistic=optimistic)
    order = np.argsort(atoms.loss, kind="stable")
    below_p, below_q = (np.cumsum(mass[order]) for mass in (atoms.p, atoms.q))
    error = cells.slack + len(order) * 2.0**-53
    return Total(atoms.loss[order], below_p, below_q, atoms.gone, error, error)


def _curve(sums: Total, optimistic: bool, proved: bool) -> TradeOff:
    kept_p = monotone(np.concatenate([[sums.gone], sums.gone + sums.below_p]))
    kept_q = monotone(np.concatenate([[0.0], sums.below_q]))
    losses = np.concatenate([[-math.inf], sums.losses])
    return TradeOff(losses, kept_p, kept_q, sums.error_p, sums.error_q, optimistic, proved)


def _identity(optimistic: bool) -> TradeOff:
    """No shift: a class keeps what it has."""
    ends = np.array([0.0, 1.0])
    return TradeOff(np.array([-math.inf, 0.0]), ends, ends, 0.0, 0.0, optimistic, True)
