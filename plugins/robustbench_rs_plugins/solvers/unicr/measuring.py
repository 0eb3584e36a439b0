"""Whether every direction tried is certified at a given length: by estimate, or confirmed by a sound bound."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from robustbench_rs.api import Noise
from robustbench_rs_plugins.solvers.unicr.directions import length
from robustbench_rs_plugins.solvers.unicr.power import Power
from robustbench_rs_plugins.solvers.unicr.ratios import Ratios
from robustbench_rs_plugins.solvers.unicr.scaling import Lattice, answers
from robustbench_rs_plugins.solvers.unicr.settings import UnicrParams
from robustbench_rs_plugins.solvers.unicr.sound import confirmed_margin, log_kappas

MEASURE, CONFIRM = 3, 4
"""Names of the random streams."""
LADDER = (1.0, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 0.0)
"""Octaves below the planned radius at which it is confirmed, in this order."""

Margin = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(shift (d,), inputs (k,)) -> Q(A) - Q(B) (k,)."""


class Ball:
    """The shifts of one p-norm in ``directions`` (each (d,)), for limits ``p_lower``, ``p_upper`` (m,)."""

    def __init__(
        self,
        noise: Noise,
        norm: float,
        params: UnicrParams,
        directions: list[np.ndarray],
        p_lower: np.ndarray,
        p_upper: np.ndarray,
    ) -> None:
        self._units = [direction / length(direction, norm) for direction in directions]
        self._p_lower, self._p_upper = p_lower, p_upper
        self._delta = params.alpha / len(directions)
        self._measure = Ratios(noise, params.draws, (params.seed, MEASURE))
        self._confirm = Ratios(noise, params.draws, (params.seed, CONFIRM))
        typical = self._measure.typical(len(directions[0]))
        self.lattice = Lattice(typical * min(1 / length(unit, 2) for unit in self._units), params.steps)

    def estimated(self, scan: bool) -> np.ndarray:
        """Lattice indices (m,) of the largest estimated scale at which every direction is certified."""
        return self.lattice.largest(self._everywhere(self._estimate), len(self._p_lower), scan)

    def confirmed(self, scan: bool) -> np.ndarray:
        """Lattice indices (m,) of scales at which, for each input with probability at least 1 - alpha, every direction
        tried is certified.

        The scales of the ladder and all kappas are chosen on the measuring draws, planned so that the bound is likely
        to succeed. The bound itself uses fresh draws. Per direction, at level alpha / directions, the scales are tested
        in their fixed order up to the first failure (fixed-sequence testing, Maurer, Hothorn and Lehmacher 1995): an
        error needs the first scale that is truly uncertified to pass, so the steps of the ladder take no shares.
        """
        plan = self.lattice.largest(self._everywhere(self._plan), len(self._p_lower), scan)
        best = np.full(len(plan), -self.lattice.limit)
        inputs = np.flatnonzero(np.abs(plan) < self.lattice.limit)
        for octaves in LADDER:
            index = plan[inputs] - int(octaves * self.lattice.steps)
            good = answers(self._everywhere(self._confirmed), index, inputs)
            inputs, index = inputs[good], index[good]
            best[inputs] = index
        return best

    def _everywhere(self, margin: Margin) -> Callable[[int, np.ndarray], np.ndarray]:
        """Whether the margin is positive in every direction; one is asked only about inputs that all before passed."""

        def certified(index: int, inputs: np.ndarray) -> np.ndarray:
            good = np.ones(len(inputs), dtype=bool)
            scale = float(self.lattice.scale(np.array(index)))
            for unit in self._units:
                if not good.any():
                    break
                good[good] = margin(unit * scale, inputs[good]) > 0
            return good

        return certified

    def _estimate(self, shift: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        return Power.of(*self._measure.of(shift)).margin(self._p_lower[inputs], self._p_upper[inputs])

    def _plan(self, shift: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        """What the sound bound would give if the measuring draws were fresh."""
        return self._bounded(self._measure, shift, inputs)

    def _confirmed(self, shift: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        return self._bounded(self._confirm, shift, inputs)

    def _bounded(self, ratios: Ratios, shift: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        p_lower, p_upper = self._p_lower[inputs], self._p_upper[inputs]
        log_kappa = log_kappas(Power.of(*self._measure.of(shift)), p_lower, p_upper)
        return confirmed_margin(ratios.of(shift)[1], log_kappa, p_lower, p_upper, self._delta)
