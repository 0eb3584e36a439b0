"""docs/noises.md says what the code does: names, densities, parameters, facts, deviations, norms with radii."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from families import EXAMPLES, Example
from scipy.special import gamma

from robustbench_rs.api import Noise, NoiseParams, ProductNoise, RadialNoise
from robustbench_rs.plugins import load_registry
from robustbench_rs_plugins.solvers.differential import DifferentialSolver

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "noises.md").read_text(encoding="utf-8")
NORMS = (1.0, 1.5, 2.0, 3.0, math.inf)
WORDS = {
    "every p": set(NORMS),
    "p = 1, p >= 2": {1.0, 2.0, 3.0, math.inf},
    "p = 1, p = inf": {1.0, math.inf},
    "p = inf": {math.inf},
    "p = 1": {1.0},
    "none": set(),
}
FUNCTIONS: dict[str, Any] = {
    "exp": np.exp,
    "sqrt": np.sqrt,
    "cosh": np.cosh,
    "maximum": np.maximum,
    "gamma": gamma,
    "pi": math.pi,
    "inf": math.inf,
    "abs": np.abs,
}


def table(title: str) -> dict[str, list[str]]:
    """Name -> the other cells, of the first table below a heading."""
    lines = PAGE.split(f"## {title}")[1].split("## ")[0].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|---"))
    found = {}
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        found[name.strip("`")] = cells
    return found


PRODUCT, RADIAL = table("Independent coordinates"), table("Norm-radial families")


def value(cell: str, **known: Any) -> Any:
    """A formula of the page."""
    return eval(cell.strip("`"), {"__builtins__": {}}, {**FUNCTIONS, **known})


def norms(cell: str) -> set[float]:
    """The longest words at the beginning."""
    return WORDS[max((words for words in WORDS if cell.startswith(words)), key=len)]


def offered(noise: Noise, dim: int) -> set[float]:
    return {norm for norm in NORMS if noise.closed_form(norm, dim) is not None}


def test_every_family_is_on_the_page() -> None:
    families = load_registry().components("noise")
    assert {cls.name for cls in families if issubclass(cls, ProductNoise)} == set(PRODUCT)
    assert {cls.name for cls in families if issubclass(cls, RadialNoise)} == set(RADIAL)
    others = {cls.name for cls in families} - set(PRODUCT) - set(RADIAL)
    assert all(f"`{name}` " in PAGE.split("## Not added")[1] for name in others)


def test_every_product_family_has_a_sampler_there() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE.split("| name | sampler")[1], re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z0-9-]+)`", row)}
    assert set(PRODUCT) <= named


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_product_family(example: Example) -> None:
    density, parameter, log_concave, std, forms = PRODUCT[example.family.name]
    known = {} if example.key is None else {example.key: example.shape}
    noise = example.make()
    z = np.array([-3.0, -0.9, -0.2, 0.1, 0.5, 0.99, 2.0])
    ours, theirs = noise.density(z), value(density, z=z, **known)
    assert theirs == pytest.approx(ours * (theirs[3] / ours[3]), rel=1e-11, abs=1e-300)
    assert re.findall(r"`(\w+)`", parameter) == list(known)
    assert bool(value(log_concave, **known)) == noise.log_concave
    if std.startswith("`"):
        assert float(value(std, **known)) == pytest.approx(noise.std, rel=1e-12)
    expected = norms(forms) if "where log-concave" not in forms or noise.log_concave else set()
    assert offered(noise, 7) == expected
    form = noise.closed_form(1.0, 7)
    assert form is None or form.exact == ("lower bound" not in forms)


def test_limits_of_the_parameters() -> None:
    fields = {name: load_registry().find("noise", name).Params.model_json_schema()["properties"] for name in PRODUCT}
    for name, (_, parameter, *_rest) in PRODUCT.items():
        extra = {key: schema for key, schema in fields[name].items() if key not in NoiseParams.model_fields}
        for key, schema in extra.items():
            low, high = schema["minimum"], schema.get("maximum")
            limits = f">= {low:g}" if high is None else f"in [{low:g}, {high:g}]"
            assert parameter == f"`{key}` {limits}"


RADIAL_EXAMPLES = [
    ("exp-l2", {"k": 1.0, "j": 0.0}),
    ("exp-l2", {"k": 2.0, "j": 0.0}),
    ("exp-l2", {"k": 1.5, "j": 2.0}),
    ("exp-linf", {"k": 1.0, "j": 0.0}),
    ("exp-linf", {"k": 2.0, "j": 1.0}),
    ("exp-l1", {"k": 1.0}),
    ("exp-l1", {"k": 2.0}),
    ("power-l2", {"a": 8.5}),
    ("power-l2", {"a": 12.0}),
    ("power-linf", {"a": 8.5}),
    ("power-linf", {"a": 12.0}),
    ("uniform-l2-ball", {}),
]


@pytest.mark.parametrize(("name", "params"), RADIAL_EXAMPLES)
def test_radial_family(name: str, params: dict[str, float]) -> None:
    density, parameters, exists, variance, forms, differential = RADIAL[name]
    family = load_registry().find("noise", name)
    noise = family(family.Params.model_validate({"scale": 1.0, **params}))
    assert isinstance(noise, RadialNoise)
    assert re.findall(r"`(\w+)`", parameters) == list(params)
    assert name.endswith({1.0: "l1", 2.0: "l2", math.inf: "linf"}[noise.ball]) or name == "uniform-l2-ball"
    x = np.array([[0.1, 0.2], [0.5, -0.7], [0.0, 0.9]])
    norm = np.linalg.norm(x, ord=noise.ball, axis=1)
    ours, theirs = np.exp(noise.log_density(x)), value(density, norm=norm, **params)
    assert theirs == pytest.approx(ours * theirs[0] / ours[0], rel=1e-12)
    for dim in (1, 2, 7, 9, 12):
        assert (noise.problem(dim) is None) == bool(value(exists, d=dim, **params)), dim
    assert noise.std(7) ** 2 == pytest.approx(float(value(variance, d=7, **params)), rel=1e-10)
    solver = DifferentialSolver()
    assert {p for p in NORMS if solver.refusal(noise, p, 7) is None} == norms(differential)
    assert offered(noise, 7) == _expected(forms, params)


def _expected(forms: str, params: dict[str, float]) -> set[float]:
    """Entries are separated by semicolons; what follows 'if' are the powers that they are for."""
    found: set[float] = set()
    for entry in forms.split("; "):
        simple = params.get("j", 0.0) == 0 and (params.get("k") == 1 or (params.get("k") == 2 and "or 2" in entry))
        if "if" not in entry or simple:
            found |= norms(entry)
    return found
