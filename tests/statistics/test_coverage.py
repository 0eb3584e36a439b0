"""A slice of ``benchmarks/coverage.py``: the fraction of certificates with too large a radius is at most alpha.

Seeds are fixed; were they not, a sound bound would fail with probability below 1e-8 per setting, 1e-6 altogether.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from robustbench_rs.api import Limits
from robustbench_rs_plugins.bounds.clopper_pearson import ClopperPearson

CERTIFICATES = 20_000


def test_all_settings_with_simulated_counts(coverage: ModuleType) -> None:
    done = 0
    for i, setting in enumerate(coverage.settings()):
        if "sampled" in setting.name:
            continue
        outcome = coverage.simulate(setting, CERTIFICATES, np.random.default_rng([11, i]))
        assert outcome.p_value >= coverage.REJECT, (setting.name, setting.noise.name, outcome.failures)
        done += 1
    assert done > 40


@pytest.mark.parametrize("family", ["gaussian", "laplace", "uniform"])
def test_through_the_real_sampler(coverage: ModuleType, family: str) -> None:
    (setting,) = (s for s in coverage.settings() if "sampled" in s.name and s.noise.name == family)
    outcome = coverage.simulate(setting, CERTIFICATES // 5, np.random.default_rng(13))
    assert outcome.p_value >= coverage.REJECT
    assert outcome.abstentions < CERTIFICATES // 5


class JustTheFrequency(ClopperPearson):
    """The empirical frequency instead of a bound: wrong half of the time."""

    def limits(self, counts: np.ndarray, classes: np.ndarray, alpha: float) -> Limits:
        frequency = counts[np.arange(len(counts)), classes] / counts.sum(axis=1)
        return Limits(frequency, 1 - frequency)


class TwiceAlpha(ClopperPearson):
    """A bound at twice the level that it is asked for."""

    def limits(self, counts: np.ndarray, classes: np.ndarray, alpha: float) -> Limits:
        return super().limits(counts, classes, 2 * alpha)


@pytest.mark.parametrize("wrong", [JustTheFrequency(), TwiceAlpha()])
def test_an_unsound_bound_is_noticed(coverage: ModuleType, wrong: ClopperPearson) -> None:
    from dataclasses import replace

    setting = next(s for s in coverage.settings() if s.name == "half-space p=0.9" and s.alpha == 0.05)
    outcome = coverage.simulate(replace(setting, bound=wrong), CERTIFICATES, np.random.default_rng(17))
    assert outcome.p_value < coverage.REJECT
