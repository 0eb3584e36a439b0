"""The code that draws on a GPU, here on the CPU's memory: torch's float64 generators in place of numpy's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from exact import digits
from families import EXAMPLES, Example
from mpmath import gammainc, inf, mpf

from robustbench_rs.api import draws
from robustbench_rs.testing import sampler
from robustbench_rs.testing.result import run


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every device counts as one with float64 generators of its own."""
    monkeypatch.setattr(draws, "_on_host", lambda device: False)


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.shape in (None, 0.5, 1.5, 3.0, 2.5)], ids=str)
def test_the_law_is_the_same(example: Example, device: None) -> None:
    results = run(sampler.AGAINST_CDF, sampler.Sampled(example.make(scale=0.3)), "")
    results += run(sampler.CHECKS, example.make(scale=0.3), "")
    assert [f"{result.name}: {result.message}" for result in results if not result.passed] == []


@pytest.mark.parametrize("where", ["host", "device"])
@pytest.mark.parametrize("alpha", [1.0, 1.02, 1.5, 3.0, 21.0])
def test_gamma(alpha: float, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the incomplete gamma function, by Dvoretzky, Kiefer and Wolfowitz at 1e-9, and in both tails."""
    if where == "device":
        monkeypatch.setattr(draws, "_on_host", lambda device: False)
    n = 400_000
    drawn = draws.standard_gamma(alpha, (n // 10, 10), torch.Generator().manual_seed(7), "cpu")
    assert drawn.dtype == torch.float64
    g = np.sort(drawn.numpy().ravel())
    assert g[0] > 0
    spots = g[:: n // 64]
    with digits(20):
        truth = np.array([float(1 - gammainc(mpf(alpha), mpf(float(x)), inf, regularized=True)) for x in spots])
    limit = np.sqrt(np.log(2e9) / (2 * n))
    assert np.max(np.abs(np.arange(0, n, n // 64) / n - truth)) <= limit
    with digits(20):
        far = float(gammainc(mpf(alpha), mpf(float(g[-40])), inf, regularized=True))
        near = float(gammainc(mpf(alpha), 0, mpf(float(g[39])), regularized=True))
    for mass in (far, near):  # of the 40th draw from either end: gamma(40), beyond 7 and 110 with chances below 1e-12
        assert 7 / n < mass < 110 / n


def test_gamma_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="multiply one of alpha"):
        draws.standard_gamma(0.5, (3,), torch.Generator(), "cpu")


def test_signed_tail() -> None:
    """Uniform once 1 is added to what is negative, with both tails down to the smallest of so many draws."""
    w = draws.signed_tail((400_000,), torch.Generator().manual_seed(8), "cpu").numpy()
    assert np.all(np.abs(w) <= 0.5)
    assert np.all(w != 0)
    u = np.sort(np.where(w < 0, w + 1, w))
    assert np.max(np.abs(u - (np.arange(len(u)) + 0.5) / len(u))) <= np.sqrt(np.log(2e9) / (2 * len(u)))
    for tail in (w[w > 0], -w[w < 0]):  # the smallest of n: P(n min > 21) = exp(-21) = 8e-10
        assert len(w) * np.min(tail) < 21


def test_rounded_once() -> None:
    z = torch.tensor([1.0, -1e300, 1e-3], dtype=torch.float64)
    half = draws.rounded(z.clone(), 3.0, "cpu", torch.bfloat16)
    assert half.tolist() == [3.0, -torch.finfo(torch.bfloat16).max, torch.tensor(3e-3).to(torch.bfloat16).item()]
    assert draws.rounded(z.clone(), 3.0, "cpu", torch.float64).tolist() == [3.0, -3e300, 3e-3]
