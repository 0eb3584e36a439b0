"""Big comparisons stay quick."""

from __future__ import annotations

import time

import numpy as np

from robustbench_rs.reporting import build_report


def test_twelve_levels_of_ten_thousand_certificates(source, measured):
    rng = np.random.default_rng(0)
    sources = [
        source(measured(rng.exponential(0.5, 10_000), rng.random(10_000) < 0.7, sigma=0.1 * (i + 1)), name=f"s{i}")
        for i in range(12)
    ]
    # Processor time, so that a busy machine does not decide.
    start = time.process_time()
    report = build_report(sources, [0.25 * i for i in range(8)], "t")
    assert time.process_time() - start < 2.0
    assert len(report.certificates) == 120_000
