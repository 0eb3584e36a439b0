"""Paired tests of defenses that saw the same inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from robustbench_rs.api.report import PairedTest
from robustbench_rs.reporting.comparison import Group, input_order, same_solver
from robustbench_rs.reporting.levels import Level
from robustbench_rs.statistics.binomial import holm, mcnemar_p_value

MAX_RADII = 20


def paired_tests(groups: Sequence[Group], radii: np.ndarray) -> list[PairedTest]:
    """Exact McNemar tests of all comparable pairs at the radii (g,) of the grid, Holm-corrected over all of them.

    Of a grid of more than 20 radii, 20 evenly spread ones are tested. Pairs whose radii were asked of different
    solvers are not tested: they share their counts.
    """
    tested = radii if len(radii) <= MAX_RADII else radii[np.linspace(0, len(radii) - 1, MAX_RADII).round().astype(int)]
    tests = [test for group in groups for test in _group_tests(group, tested)]
    adjusted = holm(np.array([test.p_value for test in tests])).tolist()
    return [replace(test, p_adjusted=p) for test, p in zip(tests, adjusted, strict=True)]


def _group_tests(group: Group, radii: np.ndarray) -> list[PairedTest]:
    if len(group) < 2:
        return []
    certified = [level.reach[input_order(level)] >= radii[:, None] for level in group]
    return [
        test
        for (i, first), (j, second) in combinations(enumerate(group), 2)
        if same_solver(first, second)
        for test in _pair_tests(first, second, certified[i], certified[j], radii)
    ]


def _pair_tests(
    first: Level, second: Level, by_first: np.ndarray, by_second: np.ndarray, radii: np.ndarray
) -> list[PairedTest]:
    only_first = np.count_nonzero(by_first & ~by_second, axis=1)
    only_second = np.count_nonzero(by_second & ~by_first, axis=1)
    p_values = mcnemar_p_value(only_first, only_second)
    return [
        PairedTest(first.setting, second.setting, radius, first.n_inputs, b, c, p, p)
        for radius, b, c, p in zip(
            radii.tolist(), only_first.tolist(), only_second.tolist(), p_values.tolist(), strict=True
        )
    ]
