"""Binomial limits and tests, normal quantiles, and laws known by their density: numpy and scipy only."""

from __future__ import annotations

from robustbench_rs.statistics.binomial import (
    accuracy_interval,
    holm,
    largest_limit,
    lower_limit,
    mcnemar_p_value,
    top_two_p_value,
    upper_limit,
)
from robustbench_rs.statistics.normal import normal_isf_down, normal_quantile_down, normal_quantile_up
from robustbench_rs.statistics.tabulated import TabulatedLaw

__all__ = [
    "TabulatedLaw",
    "accuracy_interval",
    "holm",
    "largest_limit",
    "lower_limit",
    "mcnemar_p_value",
    "normal_isf_down",
    "normal_quantile_down",
    "normal_quantile_up",
    "top_two_p_value",
    "upper_limit",
]
