"""From draws to radii, for base classifiers whose true robust radius under the noise is known.

At level alpha a certificate may be wrong with that frequency, not more. A setting is rejected when the number of wrong
ones among ``REPETITIONS`` independent certificates has probability below ``REJECT`` = 1e-9 at frequency alpha (exact
binomial tail). There are fewer than 1,000 settings: were the seeds not fixed, a sound chain from sampler to solver
would be rejected somewhere with probability below 1e-6.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from independent import laws, units
from scipy.optimize import brentq
from scipy.stats import binom

from robustbench_rs import SmoothedClassifier
from robustbench_rs.api import MemoryTables, Noise, Solver
from robustbench_rs.plugins import Registry

REPETITIONS, N0, N, ALPHA, REJECT = 160, 20, 120, 0.05, 1e-9
DIM = 4
TOP = 0.85
"""About the probability of the top class."""
NORMS = (1.0, 2.0, 3.0, math.inf)
PARAMS = {
    "generalized-normal": [{"beta": 0.6}, {"beta": 4.0}],
    "student-t": [{"df": 2.5}],
    "pareto": [{"a": 2.0}],
    "gaussian-laplace-mixture": [{"weight": 0.4}],
    "exponential-mix": [{"weight": 0.6}],
    "exp-l1": [{"k": 1.0}, {"k": 2.0}],
    "exp-l2": [{"k": 1.0, "j": 0.0}, {"k": 2.0, "j": 1.0}],
    "exp-linf": [{"k": 1.0, "j": 0.0}, {"k": 2.0, "j": 0.5}],
    "power-l2": [{"a": 7.0}],
    "power-linf": [{"a": 7.0}],
}
CASES = [(family, params) for family in units.FAMILIES for params in PARAMS.get(family, [{}])]


class Cells(torch.nn.Module):
    """Class 0 where every w.x lies below its limit, for the rows w of ``weights`` (k, d); class 1 elsewhere."""

    def __init__(self, weights: np.ndarray, limits: Sequence[float]) -> None:
        super().__init__()
        self.weights, self.limits = torch.tensor(weights, dtype=torch.float32), torch.tensor(limits)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        margin = (self.limits - x @ self.weights.T).amin(dim=1)
        return torch.stack([margin, -margin], dim=1)


@dataclass(frozen=True)
class Setting:
    """``radius``: the true one at the origin, where the smoothed class is 0, for each norm."""

    name: str
    model: torch.nn.Module
    radius: Callable[[float], float]


def half_space(noise: Noise, weights: np.ndarray, name: str) -> Setting:
    """w.x <= c. For symmetric noise the smoothed classifier is the same half-space, at l_p distance c / |w|_q."""
    drawn = noise.draws(20_000, DIM, np.random.default_rng(5)) @ weights
    limit = float(np.float32(np.quantile(drawn, TOP)))

    def radius(norm: float) -> float:
        dual = 1.0 if math.isinf(norm) else math.inf if norm == 1 else norm / (norm - 1)
        return limit / float(np.linalg.norm(weights, ord=dual))

    return Setting(name, Cells(weights[None], [limit]), radius)


def slab(law: laws.Law, scale: float) -> Setting:
    """abs(x_1) <= c: moving along the first axis is shortest in every norm, until half of the mass has left."""
    limit = float(np.float32(scale * law.quantile(0.5 + TOP / 2)))

    def excess(shift: float) -> float:
        return float(law.mass(np.array([-limit - shift, limit - shift]) / scale)[1]) - 0.5

    found = float(brentq(excess, 0.0, 2 * limit))
    axis = np.eye(DIM)[0]
    return Setting("slab", Cells(np.stack([axis, -axis]), [limit, limit]), lambda _: found)


def corner(law: laws.Law, scale: float) -> Setting:
    """x_1 <= a, x_2 <= b: the smoothed classifier's edge is F(a - u) F(b - v) = 1/2."""
    limits = [float(np.float32(scale * law.quantile(p))) for p in (0.9, 0.96)]

    def below(limit: float, shift: np.ndarray) -> np.ndarray:
        return law.mass((np.asarray(limit - shift) / scale)[..., None])[..., 0]

    first = np.linspace(0.0, limits[0], 400)
    second = np.array([_where(lambda v, u=u: below(limits[0], u) * below(limits[1], v), limits[1]) for u in first])
    edge = np.stack([first, second], axis=1)[np.isfinite(second)]
    return Setting(
        "corner", Cells(np.eye(DIM)[:2], limits), lambda norm: float(np.linalg.norm(edge, ord=norm, axis=1).min())
    )


def _where(kept: Callable[[np.ndarray], np.ndarray], end: float) -> float:
    """Where ``kept`` falls to 1/2 between 0 and ``end``; infinite where it is not above before."""
    return float(brentq(lambda v: float(kept(np.array(v))) - 0.5, 0.0, end)) if kept(np.array(0.0)) > 0.5 else math.inf


def settings(family: str, params: dict[str, float], noise: Noise) -> list[Setting]:
    weights = np.array([1.0, -2.0, 0.5, 1.0])
    found = [half_space(noise, np.eye(DIM)[0], "axis"), half_space(noise, weights, "oblique")]
    law = laws.law(family, params)
    if law is not None:
        found += [slab(law, noise.scale), corner(law, noise.scale)]
    return found


def failures(noise: Noise, setting: Setting, registry: Registry, norms: Sequence[float], seed: int = 1) -> list[int]:
    """How many of the certificates are wrong, for each norm in which there are any."""
    smoothed = SmoothedClassifier(setting.model, noise, 2, seed=seed, device="cpu", batch_size=4096, registry=registry)
    smoothed.tables = MemoryTables()
    found = smoothed.certify(torch.zeros(REPETITIONS, DIM), N0, N, ALPHA)
    counted = []
    for norm in norms:
        if _offered(registry, noise, norm):
            truth = np.where(found.classes == 0, setting.radius(norm), 0.0)
            radius = found.radius(norm)
            counted.append(int(np.sum(~found.abstained & (radius > truth))))
            assert np.any(radius > 0)
    return counted


def _offered(registry: Registry, noise: Noise, norm: float) -> bool:
    solvers = [component() for component in registry.components(Solver.kind)]
    sources = [norm, 1.0, 2.0, math.inf] if 1 < norm < math.inf else [norm]
    return any(
        solver.refusal(noise, source, DIM) is None and solver.label(noise, source, DIM) == "proved"
        for solver in solvers
        for source in sources
    )


def rejected(wrong: int) -> bool:
    return bool(binom.sf(wrong - 1, REPETITIONS, ALPHA) < REJECT)


@pytest.mark.parametrize(("family", "params"), CASES, ids=lambda value: value if isinstance(value, str) else None)
def test_wrong_certificates_are_as_rare_as_stated(family: str, params: dict[str, float]) -> None:
    noise = units.make(family, params, 0.4)
    done = 0
    for i, setting in enumerate(settings(family, params, noise)):
        wrong = failures(noise, setting, units.registry(False), NORMS, seed=i)
        done += len(wrong)
        assert not any(map(rejected, wrong)), (setting.name, wrong)
    assert done >= 4


class Louder(Noise):
    """Draws of another noise, scaled by a factor that the certified law does not know."""

    def __init__(self, other: Noise, factor: float) -> None:
        self._other, self._factor = other, factor
        self.name, self.params = other.name, other.params

    def sample(self, shape, generator, device, dtype):
        return self._other.sample(shape, generator, device, dtype).mul_(self._factor)

    def closed_form(self, norm, dim):
        return self._other.closed_form(norm, dim)


@pytest.mark.parametrize(("factor", "wrong"), [(1.0, False), (0.7, True)])
def test_draws_from_another_law_are_noticed(factor: float, wrong: bool) -> None:
    noise = units.make("gaussian", {}, 0.4)
    setting = half_space(noise, np.eye(DIM)[0], "axis")
    (count,) = failures(Louder(noise, factor), setting, units.registry(False), [2.0])
    assert rejected(count) == wrong


def test_a_radius_that_looks_at_sigma_alone_is_noticed() -> None:
    """Cohen's radius for noise with heavier tails, on a half-space: the certified law is not the sampled one."""
    gaussian, other = units.make("gaussian", {}, 0.4), units.make("student-t", {"df": 2.5}, 0.4 / math.sqrt(5))
    setting = half_space(other, np.eye(DIM)[0], "axis")

    class Disguised(Louder):
        """Samples Student's t, certifies as Gaussian."""

        def closed_form(self, norm, dim):
            return gaussian.closed_form(norm, dim)

    (count,) = failures(Disguised(other, 1.0), setting, units.registry(False), [2.0])
    assert rejected(count)
