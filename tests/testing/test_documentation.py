"""The complete examples of docs/adding-a-{noise,solver,bound}.md: loaded as files, checked, and used."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm

from robustbench_rs.api import Bound, Component, NoiseParams, ProductNoise, Solver
from robustbench_rs.plugins import load_registry
from robustbench_rs.testing import check_component
from robustbench_rs_plugins.bounds.clopper_pearson import ClopperPearson
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.solvers.closed_form import ClosedFormSolver

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {"noise": "raised-cosine", "solver": "total-variation", "bound": "chernoff"}


def load(kind: str, folder: Path) -> type[Component]:
    """The example of a page, through the registry, as with ``-p FILE``."""
    text = (DOCS / f"adding-a-{kind}.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    file = folder / f"{kind}_of_the_documentation.py"
    file.write_text(code, encoding="utf-8")
    return load_registry([file]).find(kind, PAGES[kind])


@pytest.mark.parametrize("kind", PAGES)
def test_example_passes_its_conformance_suite(kind: str, tmp_path: Path) -> None:
    results = check_component(load(kind, tmp_path))
    assert len(results) >= 10
    assert not any("not checked" in result.message for result in results)
    assert [f"{result.name}: {result.message}" for result in results if not result.passed] == []


def test_raised_cosine_against_its_formulas(tmp_path: Path) -> None:
    """cdf (1 + z + sin(pi z)/pi)/2, variance 1/3 - 2/pi^2: cdf, sampler and the l1 radius follow from the density."""
    family = load("noise", tmp_path)
    noise = family(family.Params.model_validate({"sigma": 0.25}))
    assert isinstance(noise, ProductNoise)
    assert noise.std == pytest.approx(math.sqrt(1 / 3 - 2 / math.pi**2), rel=1e-12)
    z = np.linspace(-1, 1, 101)
    assert noise.cdf(z) == pytest.approx((1 + z + np.sin(np.pi * z) / np.pi) / 2, abs=1e-14)
    drawn = noise.sample((100_000,), torch.Generator().manual_seed(0), "cpu", torch.float32)
    assert float(drawn.abs().max()) <= noise.scale
    radii = ClosedFormSolver().radii(noise, 1.0, 64, np.array([0.5, 0.9, 0.999]), np.array([0.5, 0.1, 0.001]))
    reached = radii.radius / noise.scale
    p = (1 + reached + np.sin(np.pi * reached) / np.pi) / 2
    assert radii.guarantee == "proved"
    assert p == pytest.approx([0.5, 0.9, 0.999], abs=1e-12)
    assert np.all(p[1:] <= [0.9, 0.999])
    assert "l1" in str(ClosedFormSolver().refusal(noise, math.inf, 64))


def test_total_variation_is_below_the_exact_radius(tmp_path: Path) -> None:
    """And is the theorem's: at its radius the total variation, by quadrature of the densities, is (pA - pB) / 2."""
    solver = load("solver", tmp_path)()
    assert isinstance(solver, Solver)
    noise = Gaussian(NoiseParams(sigma=0.5))
    p = np.array([0.6, 0.9, 0.99])
    ours = solver.radii(noise, 2.0, 10, p, 1 - p).radius
    exact = ClosedFormSolver().radii(noise, 2.0, 10, p, 1 - p).radius
    assert np.all(ours < exact)
    x, width = np.linspace(-8, 8, 400_001, retstep=True)
    for radius, limit in zip(ours, p, strict=True):
        distance = 0.5 * width * np.sum(np.abs(norm.pdf(x, 0, 0.5) - norm.pdf(x, radius, 0.5)))
        assert distance == pytest.approx(limit - 0.5, abs=1e-6)


def test_chernoff_is_just_below_clopper_pearson(tmp_path: Path) -> None:
    bound = load("bound", tmp_path)()
    assert isinstance(bound, Bound)
    counts, first = np.array([[900, 100], [1000, 0], [510, 490]]), np.zeros(3, dtype=np.int64)
    ours, best = (b.limits(counts, first, 0.001).p_lower for b in (bound, ClopperPearson()))
    assert np.all(ours <= best)
    assert np.all(ours > best - 0.03)
    assert ours[1] == pytest.approx(0.001 ** (1 / 1000), rel=1e-9)


def test_labels_page_says_what_is_exact() -> None:
    """Every closed form of the first-party noises claims to be exact and proved, as the page's table says."""
    text = (DOCS / "labels.md").read_text(encoding="utf-8")
    registry = load_registry()
    for name in ("gaussian", "laplace", "uniform"):
        assert f"| `{name}` |" in text
        family = registry.find("noise", name)
        noise = family(family.Params.model_validate({"scale": 1.0}))
        forms = [noise.closed_form(norm, 7) for norm in (1.0, 2.0, 3.0, math.inf)]  # type: ignore[attr-defined]
        assert all(form.exact and form.guarantee == "proved" for form in forms if form is not None)
        assert [form is not None for form in forms] == [True, *[name != "laplace"] * 3]
