"""The solver unicr as a component: claims, refusals, determinism, and what it leaves untouched."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from pydantic import ValidationError

from robustbench_rs.api import MemoryTables, Noise, NoiseParams, ProductNoise
from robustbench_rs.errors import RunError
from robustbench_rs.testing import check_component
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.noises.laplace import Laplace
from robustbench_rs_plugins.noises.uniform import Uniform
from robustbench_rs_plugins.solvers.unicr import UnicrParams, UnicrSolver, robustbench_rs_solvers
from robustbench_rs_plugins.solvers.unicr import ratios as ratios_module
from robustbench_rs_plugins.solvers.unicr.ratios import Ratios

SIGMA = NoiseParams(sigma=0.5)
FAST = UnicrParams(draws=400, pilot=100)
P = np.array([0.55, 0.7, 0.9, 0.99])


class NoDensity(Gaussian):
    """A sampler alone."""

    name = "no-density"

    def joint_log_density(self, x: np.ndarray) -> np.ndarray | None:  # type: ignore[override]
        return None


class Multiplied(Noise):
    """A density, of something that is not added."""

    name = "multiplied"

    def sample(self, shape, generator, device, dtype):
        raise NotImplementedError

    def apply(self, inputs, drawn, out=None):
        return inputs * drawn

    def joint_log_density(self, x: np.ndarray) -> np.ndarray:
        return -np.square(x).sum(axis=-1)


class Contradicting(ProductNoise):
    """Draws from [-1, 1], and a density that vanishes on half of it."""

    name = "contradicting"
    support = (0.0, math.inf)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return -z

    def draws(self, count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
        return rng.uniform(-1, 1, (count, dim))


class Recording(Gaussian):
    """Keeps what it drew."""

    name = "recording"
    drawn: ClassVar[list[np.ndarray]] = []

    def draws(self, count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
        self.drawn.append(super().draws(count, dim, rng))
        return self.drawn[-1]


@pytest.mark.parametrize("sound", [False, True])
def test_conformance(sound: bool) -> None:
    examples = [FAST.model_copy(update={"sound": sound})]
    results = check_component(UnicrSolver, examples, noises=[Laplace(SIGMA), Uniform(SIGMA)])
    assert len(results) > 80
    assert [f"{result.name}: {result.message}" for result in results if not result.passed] == []
    assert robustbench_rs_solvers() == [UnicrSolver]


def test_it_is_an_estimate_without_upper_value() -> None:
    """The smallest of a few directions is no bound of the smallest of all, on neither side once it is simulated."""
    for sound in (False, True):
        radii = UnicrSolver(UnicrParams(draws=400, pilot=100, sound=sound)).radii(Gaussian(SIGMA), 2.0, 5, P, 1 - P)
        assert radii.guarantee == "estimated"
        assert radii.upper is None
        assert radii.details["sound"] is sound
        assert ("alpha" in radii.details) is sound
    assert UnicrSolver.strongest == "estimated"


def test_an_input_does_not_depend_on_the_others() -> None:
    """Alone, together, in any order, repeated, with known or unknown tables: the same float."""
    solver, noise = UnicrSolver(FAST), Laplace(SIGMA)
    together = solver.radii(noise, 2.0, 7, P, 1 - P).radius
    mixed = UnicrSolver(FAST).radii(noise, 2.0, 7, P[[2, 0, 2, 1, 3]], 1 - P[[2, 0, 2, 1, 3]]).radius
    assert mixed.tolist() == together[[2, 0, 2, 1, 3]].tolist()
    for i in range(len(P)):
        assert UnicrSolver(FAST).radii(noise, 2.0, 7, P[[i]], 1 - P[[i]]).radius.tolist() == [together[i]]


def test_monotone_on_a_fine_grid() -> None:
    lower = np.linspace(0.5, 0.99, 99)
    for norm in (1.0, 2.0, 3.5, math.inf):
        one_sided = UnicrSolver(FAST).radii(Laplace(SIGMA), norm, 3, lower, 1 - lower).radius
        two_sided = UnicrSolver(FAST).radii(Laplace(SIGMA), norm, 3, lower, (1 - lower) / 2).radius
        assert np.all(np.diff(one_sided) >= 0)
        assert np.all(np.diff(two_sided) >= 0)
        assert np.all(two_sided >= one_sided)
        assert one_sided[-1] > one_sided[20] > 0


def test_seed_matters_and_is_all_that_does() -> None:
    radii = [
        UnicrSolver(FAST.model_copy(update={"seed": seed})).radii(Gaussian(SIGMA), 2.0, 5, P, 1 - P).radius.tolist()
        for seed in (0, 0, 1)
    ]
    assert radii[0] == radii[1] != radii[2]


def test_directions_are_kept_in_the_tables() -> None:
    """The search runs once; measuring again with other limits draws from the known directions."""
    tables = MemoryTables()
    first, second = UnicrSolver(FAST), UnicrSolver(FAST.model_copy(update={"draws": 500}))
    first.tables = second.tables = tables
    Recording.drawn.clear()
    first.radii(Recording(SIGMA), 2.0, 5, P, 1 - P)
    searched = len(Recording.drawn)
    Recording.drawn.clear()
    second.radii(Recording(SIGMA), 2.0, 5, P, 1 - P)
    assert len(Recording.drawn) < searched
    other = UnicrSolver(FAST)
    other.tables = tables
    for law, norm, dim in ((Laplace(SIGMA), 2.0, 5), (Recording(SIGMA), 1.0, 6), (Recording(SIGMA), 2.0, 6)):
        kept = other.radii(law, norm, dim, P, 1 - P)
        alone = UnicrSolver(FAST).radii(law, norm, dim, P, 1 - P)
        assert kept.radius.tolist() == alone.radius.tolist()
        assert kept.details == alone.details


@pytest.mark.parametrize("kept", [0, 1 << 25])
def test_draws_need_not_fit_into_memory(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn again with every shift, or kept: the same ratios, which are those of the whole matrix at once."""
    monkeypatch.setattr(ratios_module, "KEPT", kept)
    noise, shift = Laplace(SIGMA), np.linspace(0.1, 0.3, 3000)
    before, after = Ratios(noise, 23, (1, 2)).of(shift)
    rows = ratios_module.BLOCK // 3000
    z = np.concatenate(
        [noise.draws(min(rows, 23 - i), 3000, np.random.default_rng([1, 2, 3000, i])) for i in range(0, 23, rows)]
    )
    scale = 0.5 / math.sqrt(2)
    assert before == pytest.approx(np.sum(np.abs(z) - np.abs(z - shift), axis=1) / scale, rel=1e-10, abs=1e-8)
    assert after == pytest.approx(np.sum(np.abs(z + shift) - np.abs(z), axis=1) / scale, rel=1e-10, abs=1e-8)


def test_independent_coordinates_are_drawn_only_where_the_shift_is() -> None:
    shift = np.zeros(150_528)
    shift[[7, 99]] = 0.3, -0.2
    Recording.drawn.clear()
    wide = Ratios(Recording(SIGMA), 50, (1, 2)).of(shift)
    assert sum(drawn.size for drawn in Recording.drawn) == 100
    narrow = Ratios(Recording(SIGMA), 50, (1, 2)).of(np.array([0.3, -0.2]))
    assert [part.tolist() for part in wide] == [part.tolist() for part in narrow]


def test_pyswarms_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyswarms", None)
    refusal = UnicrSolver().refusal(Gaussian(SIGMA), 2.0, 3)
    assert refusal is not None
    assert "pyswarms" in refusal
    assert "robustbench-rs[unicr]" in refusal
    with pytest.raises(ValueError, match="pip install"):
        UnicrSolver().radii(Gaussian(SIGMA), 2.0, 3, P, 1 - P)


def test_pyswarms_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed, and cannot be imported: a message, not an ImportError."""
    monkeypatch.setitem(sys.modules, "pyswarms.single.global_best", None)
    with pytest.raises(RunError, match="importing it failed"):
        UnicrSolver(FAST).radii(Gaussian(SIGMA), 2.0, 3, P, 1 - P)


SIDE_EFFECTS = """
import logging, sys
import numpy as np
from robustbench_rs.api import NoiseParams
from robustbench_rs_plugins.noises.gaussian import Gaussian
from robustbench_rs_plugins.solvers.unicr import UnicrParams, UnicrSolver
assert "pyswarms" not in sys.modules and "torch" not in sys.modules
configure, before = logging.config.dictConfig, np.random.get_state()
solver = UnicrSolver(UnicrParams(draws=200, pilot=100))
solver.radii(Gaussian(NoiseParams(sigma=1.0)), 2.0, 3, np.array([0.9]), np.array([0.1]))
after = np.random.get_state()
assert "pyswarms" in sys.modules and "torch" not in sys.modules and "matplotlib" not in sys.modules
assert np.array_equal(before[1], after[1]) and before[2:] == after[2:]
assert logging.config.dictConfig is configure
assert logging.getLogger().handlers == [] and logging.getLogger().level == logging.WARNING
"""


def test_the_swarm_leaves_no_trace(tmp_path: Path) -> None:
    """No report.log, no handlers on the root logger, numpy's global generator as before, and nothing heavy imported."""
    done = subprocess.run(
        [sys.executable, "-c", SIDE_EFFECTS], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_refusals() -> None:
    solver = UnicrSolver()
    missing: Noise = NoDensity(SIGMA)
    assert "no joint density" in (solver.refusal(missing, 2.0, 3) or "")
    assert "added" in (solver.refusal(Multiplied(SIGMA), 2.0, 3) or "")
    assert "start at 1" in (solver.refusal(Gaussian(SIGMA), 0.5, 3) or "")
    assert solver.refusal(Gaussian(SIGMA), 1.7, 3) is None


def test_a_density_that_contradicts_its_sampler_is_found() -> None:
    with pytest.raises(RunError, match=r"contradicting.*disagree"):
        UnicrSolver(FAST).radii(Contradicting(NoiseParams(scale=1.0)), 2.0, 3, P, 1 - P)


@pytest.mark.parametrize("fields", [{"draws": 5}, {"levels": []}, {"levels": [0.5]}, {"alpha": 0}, {"wings": 2}])
def test_parameters_are_checked(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        UnicrParams.model_validate(fields)
