"""Norm-radial families: conformance, the law of norm and direction of what is sampled, and clear refusals."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.special import betainc, ndtr

from robustbench_rs.api import Noise, RadialNoise
from robustbench_rs.api.cone import numpy_directions, second_moment
from robustbench_rs.statistics.radial import sphere
from robustbench_rs.testing import check_component
from robustbench_rs_plugins.noises import exp_l1, exp_l2, exp_linf, power_l2, power_linf, uniform_l2_ball
from robustbench_rs_plugins.noises.exp_l1 import ExpL1
from robustbench_rs_plugins.noises.exp_l2 import ExpL2
from robustbench_rs_plugins.noises.exp_linf import ExpLinf
from robustbench_rs_plugins.noises.power_l2 import PowerL2
from robustbench_rs_plugins.noises.power_linf import PowerLinf
from robustbench_rs_plugins.noises.uniform_l2_ball import UniformL2Ball

MODULES = [exp_l2, exp_linf, exp_l1, power_linf, power_l2, uniform_l2_ball]
DRAWS, DIM = 20_000, 12
LIMIT = math.sqrt(math.log(2e9) / (2 * DRAWS))
"""Dvoretzky-Kiefer-Wolfowitz-Massart at a false-alarm rate of 1e-9."""


def make(family: type[RadialNoise], **params: float) -> RadialNoise:
    given = params if "sigma" in params else {"scale": 1.0, **params}
    return family(family.Params.model_validate(given))


NOISES = [
    make(ExpL2, k=1.0),
    make(ExpL2, k=0.3, j=2.5),
    make(ExpL2, k=3.0, j=10.5),
    make(ExpLinf, k=1.0),
    make(ExpLinf, k=10.0, j=4.0),
    make(ExpL1, k=1.0),
    make(ExpL1, k=4.0),
    make(PowerLinf, a=12.7),
    make(PowerL2, a=40.0),
    make(UniformL2Ball),
]


@pytest.mark.parametrize(
    ("family", "examples"),
    [
        (ExpL2, [{"scale": 1.0}, {"sigma": 0.5, "k": 3.0, "j": 0.5}]),
        (ExpLinf, [{"sigma": 0.5, "k": 2.0, "j": 0.9}]),
        (ExpL1, [{"sigma": 1.0, "k": 2.0}]),
        (PowerLinf, [{"sigma": 1.0, "a": 530.0}]),
        (PowerL2, [{"sigma": 0.25, "a": 700.0}]),
        (UniformL2Ball, [{"sigma": 1.0}]),
    ],
)
def test_conformance(family: type[RadialNoise], examples: list[dict[str, float]]) -> None:
    results = check_component(family, [family.Params.model_validate(example) for example in examples])
    assert len(results) > 15
    assert [f"{result.name}: {result.message}" for result in results if not result.passed] == []


@pytest.mark.parametrize("module", MODULES)
def test_hook(module: object) -> None:
    (family,) = module.robustbench_rs_noises()  # type: ignore[attr-defined]
    assert issubclass(family, Noise)


def distance(cdf: np.ndarray) -> float:
    """Kolmogorov's distance of values of the cdf at draws from the uniform law."""
    u = np.sort(cdf)
    n = len(u)
    return float(max(np.max(np.arange(1, n + 1) / n - u), np.max(u - np.arange(n) / n)))


def _drawn(noise: RadialNoise, dim: int, how: str) -> np.ndarray:
    if how == "numpy":
        return noise.draws(DRAWS, dim, np.random.default_rng(11))
    dtype = torch.float32 if how == "torch32" else torch.float64
    return noise.sample((DRAWS, dim), torch.Generator().manual_seed(11), "cpu", dtype).double().numpy()


@pytest.mark.parametrize("how", ["torch64", "torch32", "numpy"])
@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: f"{noise.name}-{noise.params.model_dump()}")
def test_norms_and_directions(noise: RadialNoise, how: str) -> None:
    """The norm has its law, the direction the cone measure's, and neither tells about the other."""
    z = _drawn(noise, DIM, how)
    rho = np.linalg.norm(z, ord=noise.ball, axis=1)
    cdf = noise.norm_law(DIM).cdf(rho)
    assert distance(cdf) < LIMIT
    u = z / rho[:, None]
    for coordinate in (0, DIM - 1):
        assert distance(_coordinate_cdf(noise.ball, u[:, coordinate])) < LIMIT
    # Signs of coordinates, and norm and direction: independent fair coins; P(a mean is off by 6.5 sd) < 1e-10.
    for first, second in ((u[:, 0] > 0, u[:, 1] > 0), (cdf > 0.5, u[:, 0] > 0), (cdf > 0.5, _large(u))):
        assert abs(np.mean(first == second) - 0.5) < 6.5 * 0.5 / math.sqrt(DRAWS)


def _large(u: np.ndarray) -> np.ndarray:
    """Half of the directions, by a statistic that is even in u: the first coordinate in size against the second."""
    return np.abs(u[:, 0]) > np.abs(u[:, 1])


def _coordinate_cdf(ball: float, t: np.ndarray) -> np.ndarray:
    """The law of one coordinate of the cone measure; where it has atoms (+-1 in l-inf) they are spread evenly."""
    if ball == 2:
        above = sphere.tail(np.arctanh(np.abs(t)), DIM)
        return np.where(t < 0, above, 1 - above)
    if ball == 1:
        return 0.5 + np.sign(t) * 0.5 * betainc(1, DIM - 1, np.abs(t))
    spread = np.random.default_rng(0).uniform(0, 0.5 / DIM, len(t))
    inner = 0.5 / DIM + (1 - 1 / DIM) * (1 + t) / 2
    on_face = np.abs(t) > 1 - 1e-6  # rounding in float32
    return np.where(on_face, np.where(t < 0, spread, 1 - spread), inner)


def test_special_cases_are_the_product_laws() -> None:
    """exp(-|x|_2^2) has normal coordinates of variance 1/2, exp(-|x|_1) Laplace ones."""
    normal = _drawn(make(ExpL2, k=2.0), DIM, "torch64")
    laplace = _drawn(make(ExpL1, k=1.0), DIM, "torch64")
    for column in (0, 5):
        assert distance(ndtr(normal[:, column] * math.sqrt(2))) < LIMIT
        x = laplace[:, column]
        assert distance(np.where(x < 0, 0.5 * np.exp(-np.abs(x)), 1 - 0.5 * np.exp(-np.abs(x)))) < LIMIT


@pytest.mark.parametrize("ball", [1.0, 2.0, math.inf])
@pytest.mark.parametrize("dim", [1, 2, 30])
def test_second_moment_of_the_cone_measure(ball: float, dim: int) -> None:
    """Hoeffding, squares in [0, 1]: P(a mean of n is off by t) <= 2 exp(-2 n t^2); here below 1e-9."""
    u = numpy_directions(ball, 50_000, dim, np.random.default_rng(3))
    assert np.linalg.norm(u, ord=ball, axis=1) == pytest.approx(1.0)
    limit = math.sqrt(math.log(2e9) / (2 * len(u)))
    assert abs(np.mean(u[:, 0] ** 2) - second_moment(ball, dim)) < limit


@pytest.mark.parametrize(
    ("noise", "variance"),
    [
        (make(ExpL2, k=1.0), lambda d: d + 1),
        (make(ExpL2, k=2.0), lambda d: 0.5),
        (make(ExpLinf, k=1.0), lambda d: (d + 1) * (d + 2) / 3),
        (make(ExpL1, k=1.0), lambda d: 2.0),
        (make(PowerLinf, a=4000.5), lambda d: (d + 1) * (d + 2) / (3 * (3999.5 - d) * (3998.5 - d))),
        (make(PowerL2, a=4000.5), lambda d: (d + 1) / ((3999.5 - d) * (3998.5 - d))),
        (make(UniformL2Ball), lambda d: 1 / (d + 2)),
    ],
    ids=lambda x: getattr(x, "name", ""),
)
@pytest.mark.parametrize("dim", [1, 2, 3072])
def test_standard_deviation(noise: RadialNoise, variance: object, dim: int) -> None:
    truth = math.sqrt(variance(dim))  # type: ignore[operator]
    assert noise.std(dim) == pytest.approx(truth, rel=1e-12)
    fields = {**noise.params.model_dump(exclude={"scale"}), "sigma": 0.25}
    by_sigma = type(noise)(type(noise).Params.model_validate(fields))
    assert by_sigma.scale_in(dim) == pytest.approx(0.25 / truth, rel=1e-12)
    assert noise.sigma_in(dim) == pytest.approx(truth, rel=1e-12)


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: f"{noise.name}-{noise.params.model_dump()}")
def test_score_is_the_slope_of_minus_log_density(noise: RadialNoise) -> None:
    if not noise.continuous:
        with pytest.raises(NotImplementedError, match="no score"):
            noise.score(np.ones(1))
        return
    rho = np.sort(np.concatenate([noise.norm_law(DIM).quantile(np.array([1e-6, 0.01, 0.5, 0.99])), noise.score_turns]))
    step = 1e-6 * rho
    slope = (noise.log_radial(rho - step) - noise.log_radial(rho + step)) / (2 * step)
    assert noise.score(rho) == pytest.approx(slope, rel=1e-7)
    fine = np.geomspace(rho[0] / 10, rho[-1] * 10, 2001)
    pieces = np.searchsorted(np.array(noise.score_turns), fine)
    for piece in np.unique(pieces):
        steps = np.diff(noise.score(fine[pieces == piece]))
        assert np.all(steps <= 1e-12) or np.all(steps >= -1e-12)


@pytest.mark.parametrize("noise", [noise for noise in NOISES if noise.continuous], ids=lambda noise: noise.name)
def test_mean_score_by_quadrature(noise: RadialNoise) -> None:
    """Over any interval, the claimed parts give the mean of the score there."""
    law = noise.norm_law(DIM)
    edges = law.quantile(np.array([0.001, 0.2, 0.7, 0.999]))
    nodes, weights = np.polynomial.legendre.leggauss(200)
    low, high = np.log(edges[:-1]), np.log(edges[1:])
    y = low + (high - low) * (1 + nodes[:, None]) / 2
    direct = weights @ (np.exp(law.log_density(np.exp(y)) + y) * noise.score(np.exp(y))) * (high - low) / 2
    claimed = sum(weight * np.diff(part.cdf(edges)) for weight, part in noise.score_parts(DIM))
    assert claimed == pytest.approx(direct, rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: f"{noise.name}-{noise.params.model_dump()}")
def test_sample_form(noise: RadialNoise, dtype: torch.dtype) -> None:
    """Also where norms go beyond the range of the type: the power law with a - d = 0.7, and k = 0.3 in half."""
    drawn = noise.sample((500, 3, 2, 2), torch.Generator().manual_seed(1), "cpu", dtype)
    assert drawn.shape == (500, 3, 2, 2)
    assert drawn.dtype == dtype
    assert bool(torch.isfinite(drawn).all())
    if noise.problem(1) is None:
        assert noise.sample((7,), torch.Generator().manual_seed(1), "cpu", dtype).shape == (7,)


@pytest.mark.parametrize("family", [ExpL2, ExpLinf, ExpL1, UniformL2Ball])
def test_images_of_imagenet_size(family: type[RadialNoise]) -> None:
    """150,528 coordinates: the root mean square of one draw has a relative standard deviation below 0.003."""
    noise = make(family, sigma=0.5)
    drawn = noise.sample((2, 3, 224, 224), torch.Generator().manual_seed(1), "cpu", torch.float32).double().numpy()
    assert drawn.reshape(2, -1).std(axis=1) == pytest.approx(0.5, rel=0.05)


def test_joint_log_density_depends_on_the_norm_only() -> None:
    x = np.array([[3.0, -4.0, 0.0], [0.5, 0.0, 0.0]])
    assert make(ExpL2, k=1.0).joint_log_density(x).tolist() == [-5.0, -0.5]
    assert make(ExpLinf, k=2.0, j=1.0).joint_log_density(x) == pytest.approx([-16 - math.log(4), -0.25 - math.log(0.5)])
    assert make(ExpL1, k=1.0).joint_log_density(x).tolist() == [-7.0, -0.5]
    assert make(UniformL2Ball).joint_log_density(x).tolist() == [-math.inf, 0.0]
    assert make(PowerL2, a=7.0, scale=0.5).joint_log_density(x) == pytest.approx([-7 * math.log(11), -7 * math.log(2)])


def test_dimensions_in_which_a_family_does_not_exist() -> None:
    power, pole = make(PowerLinf, a=50.0), make(ExpL2, k=1.0, j=3.0)
    assert power.problem(49) is None
    for noise, dim, words in ((power, 50, "a above 50"), (pole, 3, "j below 3")):
        assert words in str(noise.problem(dim))
        assert noise.closed_form(1.0, dim) is None
        for call in (lambda n=noise, d=dim: n.std(d), lambda n=noise, d=dim: n.draws(2, d, np.random.default_rng(0))):
            with pytest.raises(ValueError, match=words):
                call()
        with pytest.raises(ValueError, match=words):
            noise.sample((2, dim), torch.Generator(), "cpu", torch.float32)
    heavy = make(PowerLinf, a=50.0, sigma=1.0)
    assert "no finite standard deviation" in str(heavy.problem(48))
    assert heavy.problem(47) is None
    assert make(PowerLinf, a=50.0).sigma_in(48) is None
    assert "too large" in str(make(ExpL2, k=0.01).problem(3072))


def test_draws_in_numpy_need_no_torch() -> None:
    code = (
        "import sys, numpy as np\n"
        "from robustbench_rs_plugins.noises.exp_linf import ExpLinf\n"
        "ExpLinf(ExpLinf.Params(sigma=1.0)).draws(3, 5, np.random.default_rng(0))\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"
