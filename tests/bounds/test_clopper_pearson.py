"""The Clopper-Pearson bound on class counts."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from robustbench_rs.statistics.binomial import lower_limit, upper_limit
from robustbench_rs.testing import check_component
from robustbench_rs_plugins.bounds.clopper_pearson import ClopperPearson, ClopperPearsonParams, robustbench_rs_bounds

COUNTS = np.array([[900, 60, 40], [10, 500, 490], [0, 1000, 0], [334, 333, 333]])
CLASSES = np.array([0, 1, 0, 0])
BOTH = ClopperPearson(ClopperPearsonParams(runner_up=True))


@pytest.mark.parametrize("runner_up", [False, True])
def test_conformance(runner_up: bool) -> None:
    results = check_component(ClopperPearson, [ClopperPearsonParams(runner_up=runner_up)])
    assert len(results) == 10
    assert [f"{result.name}: {result.message}" for result in results if not result.passed] == []


def test_binary() -> None:
    limits = ClopperPearson().limits(COUNTS, CLASSES, 0.001)
    assert limits.p_lower.tolist() == lower_limit(np.array([900, 500, 0, 334]), 1000, 0.001).tolist()
    assert limits.p_upper.tolist() == (1 - limits.p_lower).tolist()
    assert ClopperPearson().budget(0.001) == {"lower limit of the top class": 0.001}


def test_runner_up_takes_half_of_alpha_each() -> None:
    limits = BOTH.limits(COUNTS, CLASSES, 0.002)
    assert limits.p_lower.tolist() == lower_limit(np.array([900, 500, 0, 334]), 1000, 0.001).tolist()
    others = upper_limit(np.array([60, 490, 1000, 333]), 1000, 0.001)
    assert limits.p_upper.tolist() == np.minimum(others, 1 - limits.p_lower).tolist()
    assert limits.p_upper[0] < 1 - limits.p_lower[0]
    assert sum(BOTH.budget(0.002).values()) == 0.002
    assert COUNTS[0].tolist() == [900, 60, 40]


def test_rows_may_have_different_numbers_of_draws() -> None:
    limits = ClopperPearson().limits(np.array([[10, 0], [100, 0]]), np.array([0, 0]), 0.05)
    assert limits.p_lower == pytest.approx([0.05**0.1, 0.05**0.01], rel=1e-11)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="must lie"):
        ClopperPearson().limits(np.array([[-1, 5]]), np.array([0]), 0.01)
    with pytest.raises(ValueError, match="alpha"):
        ClopperPearson().limits(COUNTS, CLASSES, 1.5)
    with pytest.raises(ValidationError):
        ClopperPearsonParams.model_validate({"runnerup": True})
    assert robustbench_rs_bounds() == [ClopperPearson]
