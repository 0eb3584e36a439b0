"""Tables of the Neyman-Pearson solver: against closed forms, warm from storage, one- and two-sided."""

from __future__ import annotations

import math
from collections.abc import Mapping

import neyman_pearson_oracles as oracles
import numpy as np
import pytest

from robustbench_rs.api import MemoryTables, NoiseParams, ProductNoise
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.triangular import Triangular
from robustbench_rs_plugins.noises.uniform import Uniform
from robustbench_rs_plugins.solvers.neyman_pearson import NeymanPearsonSolver, library
from robustbench_rs_plugins.solvers.neyman_pearson.accounts import floor
from robustbench_rs_plugins.solvers.neyman_pearson.content import key
from robustbench_rs_plugins.solvers.neyman_pearson.survey import TOP

ONE = NoiseParams(scale=1.0)
TABLE = 1e-3
P = np.concatenate([0.5 + np.geomspace(1e-6, 0.4, 300), 1 - np.geomspace(0.1, 1.01e-7, 300)])


class Counting(MemoryTables):
    """Storage that says what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.saved: list[str] = []

    def load(self, key: str) -> Mapping[str, np.ndarray] | None:
        self.loaded.append(key)
        return super().load(key)

    def save(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        self.saved.append(key)
        super().save(key, arrays)


def solver(tables: MemoryTables | None = None) -> NeymanPearsonSolver:
    made = NeymanPearsonSolver()
    made.tables = tables or MemoryTables()
    return made


def exact(noise: ProductNoise, norm: float, dim: int, p_lower: np.ndarray, p_upper: np.ndarray) -> np.ndarray:
    form = noise.closed_form(norm, dim)
    assert form is not None
    assert form.exact
    return form.radius(p_lower, p_upper)


CASES = [
    (Gaussian, 1.0, 3072),
    (Gaussian, math.inf, 64),
    (Gaussian, math.inf, 3072),
    (Laplace, 1.0, 3072),
    (Uniform, 1.0, 8),
    (Uniform, math.inf, 2),
    pytest.param(Uniform, math.inf, 3072, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("family", "norm", "dim"), CASES)
def test_closed_forms(family: type[ProductNoise], norm: float, dim: int) -> None:
    """Never above; below, and the upper value above, by about the tolerance. Both one-sided and with a runner-up."""
    noise, storage = family(ONE), Counting()
    for p_lower, p_upper in (
        (P, 1 - P),
        (np.r_[P, P[::7] - 0.2], np.r_[np.maximum(0.3 * (1 - P), 1 - TOP), 0.2 * (1.1 - P[::7])]),
    ):
        asked = p_lower > p_upper
        truth = np.where(asked, exact(noise, norm, dim, p_lower, p_upper), 0.0)
        radii = solver(storage).radii(noise, norm, dim, p_lower, p_upper)
        width = TABLE * np.maximum(truth, floor(norm, dim))
        assert radii.guarantee == "proved"
        assert radii.details["table"] is True
        assert np.all(radii.radius <= truth * (1 + 1e-12))
        assert np.all(radii.radius >= truth - width)
        assert radii.upper is not None
        assert np.all(radii.upper[asked] >= truth[asked] * (1 - 1e-12))
        assert np.all(radii.upper[asked] <= (truth + 3 * width)[asked])
    assert len(storage.saved) == 2  # one table for both


def test_radii_do_not_depend_on_the_storage_nor_on_the_company() -> None:
    noise, storage = Laplace(ONE), MemoryTables()
    cold = solver(storage).radii(noise, math.inf, 8, P, 1 - P)
    warm = solver(storage).radii(noise, math.inf, 8, P[::-1], (1 - P)[::-1])
    assert warm.radius[::-1].tolist() == cold.radius.tolist()
    some = solver(storage).radii(noise, math.inf, 8, P[::20], (1 - P)[::20])
    assert some.radius.tolist() == cold.radius[::20].tolist()
    few = np.array([0.8, 0.9])
    alone = solver().radii(noise, math.inf, 8, few, 1 - few)
    assert solver(storage).radii(noise, math.inf, 8, few, 1 - few).radius.tolist() == alone.radius.tolist()


def test_radii_grow_with_p_lower_and_fall_with_p_upper() -> None:
    noise, made = Laplace(ONE), solver()
    assert np.all(np.diff(made.radii(noise, math.inf, 16, P, 1 - P).radius) >= 0)
    for p_upper in (0.05, 1e-3):
        p = P[p_upper < 1 - P]
        one, two = (made.radii(noise, math.inf, 16, p, b).radius for b in (1 - p, np.full(len(p), p_upper)))
        assert np.all(two >= one)


def test_beyond_the_end_of_the_table_the_last_radius_holds() -> None:
    noise, made = Gaussian(ONE), solver()
    p = np.concatenate([P, [1 - 1e-9, 1.0]])
    radii = made.radii(noise, math.inf, 16, p, 1 - p)
    assert radii.radius[-1] >= radii.radius[-2] >= radii.radius[-3] > 0
    assert radii.radius[-1] <= exact(noise, math.inf, 16, np.array([2 * TOP - 1]), np.array([2 - 2 * TOP]))[0] + 1
    assert radii.upper is not None
    assert math.isinf(radii.upper[-1])


@pytest.fixture
def gaussian_engine(monkeypatch: pytest.MonkeyPatch) -> oracles.GaussianEngine:
    """Tables are built from exact Gaussian curves, and the curves are counted."""
    engine, accounts = oracles.GaussianEngine(), library.Accounts
    monkeypatch.setattr(library, "Accounts", lambda *given: accounts(*given, engine))
    return engine


def test_a_table_is_built_once_and_shared(gaussian_engine: oracles.GaussianEngine) -> None:
    noise, storage = Gaussian(ONE), Counting()
    first = solver(storage).radii(noise, math.inf, 4, P, 1 - P)
    built = gaussian_engine.calls
    assert built > 0
    second = solver(storage).radii(Gaussian(NoiseParams(scale=3.0)), math.inf, 4, P, 1 - P)
    solver(storage).radii(noise, math.inf, 4, P, (1 - P) / 2)
    assert gaussian_engine.calls == built
    np.testing.assert_allclose(second.radius, 3 * first.radius, rtol=1e-12)
    solver(storage).radii(noise, math.inf, 5, P, 1 - P)
    assert gaussian_engine.calls > built


@pytest.mark.parametrize("damage", ["value", "shape", "missing", "foreign", "order"])
@pytest.mark.parametrize("which", ["table", "curves"])
def test_a_damaged_entry_is_not_believed(gaussian_engine: oracles.GaussianEngine, damage: str, which: str) -> None:
    noise, storage = Gaussian(ONE), Counting()
    p_upper = (1 - P) / 2
    truth = solver(storage).radii(noise, math.inf, 4, P, p_upper).radius
    built, name = gaussian_engine.calls, storage.saved[which == "curves"]
    arrays = {field: np.array(values) for field, values in (storage.load(name) or {}).items()}
    largest = max(arrays, key=lambda field: arrays[field].size)
    if damage == "value":
        arrays[largest].flat[0] += 1e-9
    elif damage == "shape":
        arrays[largest] = arrays[largest][..., :-1]
    elif damage == "missing":
        del arrays[largest]
    elif damage == "foreign":
        arrays = {"something": np.zeros(3)}
    else:
        arrays[largest] = arrays[largest][..., ::-1]
    storage.save(name, arrays)
    again = solver(storage).radii(noise, math.inf, 4, P, p_upper).radius
    assert gaussian_engine.calls == 2 * built
    assert again.tolist() == truth.tolist()


def test_the_key_names_the_content() -> None:
    class Wide(Laplace):
        def log_density(self, z: np.ndarray) -> np.ndarray:
            return -np.abs(z) * 0.999

    class Unclaimed(Laplace):
        symmetric = False

    class OtherCdf(Laplace):
        def cdf(self, z: np.ndarray) -> np.ndarray:
            return super().cdf(z) * (1 - 1e-12)

    one = key(Laplace(ONE), 2.0, 8, TABLE)
    assert (
        one == key(Laplace(NoiseParams(scale=2.0)), 2.0, 8, TABLE) == key(Laplace(NoiseParams(sigma=1.0)), 2, 8, TABLE)
    )
    others = [
        *(key(law(ONE), 2.0, 8, TABLE) for law in (Wide, Unclaimed, OtherCdf, Gaussian)),
        key(Laplace(ONE), 3.0, 8, TABLE),
        key(Laplace(ONE), 2.0, 9, TABLE),
        key(Laplace(ONE), 2.0, 8, 2 * TABLE),
    ]
    assert len({one, *others}) == 1 + len(others)


def test_a_ray_that_catches_up_only_late_hides_no_other() -> None:
    """Triangular noise in l2: one coordinate alone is worst only where its support ends, far beyond its last row."""
    noise, dim, tolerance = Triangular(ONE), 512, 5e-3
    p = np.array([0.9, 0.99, 0.999, 0.9999, 0.99999])
    solver = NeymanPearsonSolver(NeymanPearsonSolver.Params(tolerance=tolerance))
    many = np.concatenate([p, np.linspace(0.5, 0.99, 20)])
    found = solver.radii(noise, 2.0, dim, many, 1 - many)
    assert found.details["table"] is True
    for limit, radius in zip(p.tolist(), found.radius.tolist(), strict=False):
        single = NeymanPearsonSolver(NeymanPearsonSolver.Params(tolerance=1e-3))
        alone = single.radii(noise, 2.0, dim, np.array([limit]), np.array([1 - limit])).radius[0]
        assert radius == pytest.approx(alone, rel=1.3 * tolerance)
