"""Validations: brackets whose ends are what they are called, the best noise, curves, and what the directory keeps."""

from __future__ import annotations

import numpy as np
import pytest
from mpmath import erfinv, mp, mpf, sqrt

from robustbench_rs.api import MemoryTables, Noise, NoiseParams, Radii, SilentProgress, Solver
from robustbench_rs.api.validation import Bracket, Case
from robustbench_rs.errors import InputError, RunError
from robustbench_rs.evaluation import RunOptions, load_results, load_run, validate_noises
from robustbench_rs.evaluation.validation import compute_validation, curve_grid
from robustbench_rs.plugins import Owner, Registry, load_registry
from robustbench_rs.reporting.validation import best_noises, contradictions
from robustbench_rs.spec import ValidationOptions, ValidationSpec, spec_from_mapping

P = (0.6, 0.9, 0.99)


def make_solver(solver_name, factor, guarantee="proved", *, upper=None, norms=(2.0,)):
    """Radii ``factor`` times pA - 1/2, with ``upper`` times the same as upper value."""

    class Fake(Solver):
        """A straight line."""

        name = solver_name
        strongest = guarantee

        def refusal(self, noise, norm, dim):
            return None if norm in norms else f"{self.name} knows no norm {norm:g}"

        def radii(self, noise, norm, dim, p_lower, p_upper):
            if factor is None:
                raise ZeroDivisionError("oops")
            over = p_lower - 0.5
            return Radii(factor * over, guarantee, None if upper is None else upper * over)

    return Fake


class Plain(Noise):
    """A noise with a standard deviation, and no theorem."""

    name = "plain"

    @property
    def sigma(self):
        return self.params.sigma

    def sample(self, shape, generator, device, dtype):
        raise NotImplementedError


class Shy(Plain):
    """Not defined below three dimensions."""

    name = "shy"
    Params = NoiseParams

    def sigma_in(self, dim):
        if dim < 3:
            raise ValueError("it needs three dimensions")
        return self.sigma


@pytest.fixture(scope="module")
def installed():
    return load_registry()


def registry_of(installed, *solvers):
    registry = Registry()
    owner = Owner("test", "here", "here", "")
    for noise in (Plain, Shy, installed.find("noise", "gaussian"), installed.find("noise", "laplace")):
        registry.add("noise", noise, owner)
    for name in ("html", "markdown", "latex", "csv"):
        registry.add("reporter", installed.find("reporter", name), owner)
    for solver in solvers:
        registry.add("solver", solver, owner)
    return registry


def compute(registry, kind="tightness", noises=({"name": "plain", "sigma": 1},), norms=(2,), dims=(4,), **more):
    section = {"kind": kind, "noises": list(noises), "norms": list(norms), "dims": list(dims), "p_lower": list(P)}
    options = ValidationOptions.model_validate({**section, **more}, context={"directory": registry})
    return compute_validation(options, registry, MemoryTables(), SilentProgress())


def test_the_bracket_is_the_largest_proved_and_the_smallest_upper_value(installed):
    solvers = (
        make_solver("low", 1.0, upper=5.0),
        make_solver("high", 2.0),
        make_solver("search", 3.0, "searched", upper=3.5),
        make_solver("guess", 0.1, "estimated"),
    )
    data = compute(registry_of(installed, *solvers))
    assert [row.solver for row in data.radii[:4]] == ["guess", "high", "low", "search"]
    assert [row.p_lower for row in data.radii] == [p for p in P for _ in range(4)]
    for bracket, p in zip(data.brackets, P, strict=True):
        over = p - 0.5
        assert (bracket.lower, bracket.solver) == (2 * over, "high")
        assert (bracket.upper, bracket.upper_solver) == (3.5 * over, "search")
        assert bracket.ratio == pytest.approx(2 / 3.5, rel=1e-15)
        assert bracket.p_upper == 1 - p


def test_labels_are_never_mixed(installed):
    searched = (
        make_solver("a", 3.0, "searched"),
        make_solver("b", 2.0, "searched"),
        make_solver("c", 1.0, "estimated"),
    )
    for bracket in compute(registry_of(installed, *searched)).brackets:
        assert (bracket.guarantee, bracket.solver, bracket.lower, bracket.ratio) == ("searched", "b", None, None)
    for bracket in compute(registry_of(installed, searched[2])).brackets:
        assert (bracket.guarantee, bracket.solver, bracket.upper, bracket.upper_solver) == ("estimated", "c", None, "")


def test_all_solvers_count_what_another_norm_implies_and_one_by_name_does_not(installed):
    registry = registry_of(installed, make_solver("weak", 0.1), make_solver("l1-only", 4.0, norms=(1.0,), upper=4.0))
    data = compute(registry)
    assert {row.solver for row in data.radii} == {"weak"}
    assert [bracket.solver for bracket in data.brackets] == ["l1-only (l1)"] * 3
    assert all(
        2.0 * (p - 0.5) * (1 - 1e-9) < b.radius <= 2.0 * (p - 0.5) for b, p in zip(data.brackets, P, strict=True)
    )
    assert all(bracket.upper is not None for bracket in data.brackets)
    (refusal,) = data.refusals
    assert (refusal.solver, len(refusal.cases)) == ("l1-only", 1)
    named = compute(registry, solvers=["weak"])
    assert [bracket.solver for bracket in named.brackets] == ["weak"] * 3
    assert named.refusals == []


def test_a_refusal_stands_once_with_all_its_cases(installed):
    registry = registry_of(installed, make_solver("a", 1.0), make_solver("b", 1.0, norms=(1.0,)))
    noises = [{"name": "plain", "sigma": 1}, {"name": "plain", "sigma": 2}]
    (refusal,) = compute(registry, noises=noises, dims=(4, 5)).refusals
    assert refusal.reason == "b knows no norm 2"
    assert [(case.sigma, case.dim) for case in refusal.cases] == [(1, 4), (2, 4), (1, 5), (2, 5)]


def test_gaussian_radii_bracket_the_truth_and_the_ratio_to_the_closed_form_is_one(installed):
    registry = registry_of(installed, installed.find("solver", "closed-form"))
    data = compute(registry, noises=[{"name": "gaussian", "sigma": 0.5}], norms=(1, 2, "inf"), dims=(16,))
    assert len(data.brackets) == 9
    with mp.workdps(40):
        for bracket in data.brackets:
            truth = mpf("0.5") * sqrt(mpf(2)) * erfinv(2 * mpf(bracket.p_lower) - 1)
            truth /= 4 if bracket.case.norm == "inf" else 1
            assert bracket.lower is not None
            assert bracket.upper is not None
            assert mpf(bracket.lower) <= truth <= mpf(bracket.upper)
    assert {row.ratio for row in data.radii if row.solver == "closed-form"} == {1.0}
    assert all(row.exact for row in data.radii)


def test_without_a_closed_form_there_is_no_ratio(installed):
    (row, *_) = compute(registry_of(installed, make_solver("a", 1.0))).radii
    assert (row.closed_form, row.exact, row.ratio) == (None, False, None)


def test_a_proved_radius_above_a_known_upper_value_is_flagged(installed):
    liar = make_solver("liar", 2.0)
    honest = make_solver("honest", 1.0, upper=1.5)
    flags = contradictions(compute(registry_of(installed, liar, honest)).brackets, "run")
    assert len(flags) == 3
    assert flags[0].kind == "contradiction"
    assert "liar calls" in flags[0].message
    assert "honest says" in flags[0].message
    assert contradictions(compute(registry_of(installed, honest)).brackets, "run") == []


def case(noise, sigma=0.5, norm="2", dim=4):
    return Case(noise, '{"sigma":0.5}', sigma, norm, dim)


def bracket(noise, radius, upper, guarantee="proved", **where):
    return Bracket(case(noise, **where), 0.9, 0.1, radius, guarantee, "s", upper, "s" if upper else "")


BEST = [
    ("decided", [bracket("a", 1.0, 1.1), bracket("b", 0.5, 0.9)], "a", True),
    ("equal to what the other can reach", [bracket("a", 1.0, 1.1), bracket("b", 0.5, 1.0)], "a", True),
    ("the other may be larger", [bracket("a", 1.0, 1.1), bracket("b", 0.5, 1.05)], "a", False),
    ("nothing known of the other", [bracket("a", 1.0, 1.1), bracket("b", 0.5, None)], "a", False),
    ("a searched value is no rival", [bracket("a", 1.0, 1.1), bracket("b", 2.0, 2.0, "searched")], "a", False),
    ("searched only", [bracket("a", 1.0, 1.0, "searched"), bracket("b", 0.5, 0.6, "searched")], "a", False),
]


@pytest.mark.parametrize(("rows", "name", "decided"), [row[1:] for row in BEST], ids=[row[0] for row in BEST])
def test_the_best_noise_and_whether_that_is_decided(rows, name, decided):
    for order in (rows, rows[::-1]):
        (best,) = best_noises(order, [row.case for row in order])
        assert (best.case.noise, best.decided) == (name, decided)


def test_a_noise_without_any_radius_leaves_it_undecided():
    rows = [bracket("a", 1.0, 1.1), bracket("b", 0.5, 0.9)]
    (best,) = best_noises(rows, [*(row.case for row in rows), case("silent")])
    assert not best.decided


def test_only_noises_of_one_level_are_compared():
    rows = [bracket("a", 1.0, 1.1), bracket("b", 2.0, 2.1, sigma=0.6), bracket("c", 3.0, 3.1, sigma=None)]
    rows += [bracket("d", 4.0, 4.1, norm="1"), bracket("e", 5.0, 5.1, dim=5)]
    assert best_noises(rows, [row.case for row in rows]) == []
    close = [bracket("a", 1.0, 1.1), bracket("b", 2.0, 2.1, sigma=0.5 + 1e-9)]
    assert [best.case.noise for best in best_noises(close, [row.case for row in close])] == ["b"]


def test_optimality_has_one_curve_per_noise_that_meets_the_radii(installed):
    noises = [{"name": "gaussian", "sigma": 0.5}, {"name": "laplace", "sigma": 0.5}]
    registry = registry_of(installed, installed.find("solver", "closed-form"))
    data = compute(registry, "optimality", noises, norms=(1,))
    assert [(curve.case.noise, curve.solver, curve.guarantee) for curve in data.curves] == [
        ("gaussian", "auto", "proved"),
        ("laplace", "auto", "proved"),
    ]
    for curve in data.curves:
        assert (curve.p_lower[0], curve.p_lower[-1]) == (0.5, max(P))
        assert (np.diff(curve.radius) >= 0).all()
        assert curve.radius[0] == 0
        last = [b for b in data.brackets if b.case == curve.case and b.p_lower == max(P)]
        assert curve.radius[-1] == last[0].radius
    assert [best.case.noise for best in data.best] == ["gaussian", "gaussian", "laplace"]
    assert all(best.decided for best in data.best)
    assert compute(registry, "tightness", noises, norms=(1,)).curves == []


def test_the_grid_of_curves_ascends_and_ends_where_it_should():
    for top in (0.51, 0.9, 1 - 1e-6):
        grid = curve_grid(top)
        assert (grid[0], grid[-1]) == (0.5, top)
        assert (np.diff(grid) > 0).all()


def test_a_solver_that_fails_is_named(installed):
    with pytest.raises(RunError, match="solver 'bad' failed on plain noise"):
        compute(registry_of(installed, make_solver("bad", None)))


def test_a_noise_that_is_not_defined_there_is_bad_input(installed):
    registry = registry_of(installed, make_solver("a", 1.0))
    assert len(compute(registry, noises=[{"name": "shy", "sigma": 1}], dims=(3,)).brackets) == 3
    with pytest.raises(InputError, match="shy noise in 2 dimensions: it needs three dimensions"):
        compute(registry, noises=[{"name": "shy", "sigma": 1}], dims=(2,))


def test_solvers_with_parameters_keep_their_names_apart(installed):
    class Params(Solver.Params):
        factor: float = 1.0

    def radii(self, noise, norm, dim, p_lower, p_upper):
        return Radii(self.params.factor * (p_lower - 0.5), "proved")

    tuned = type("Tuned", (make_solver("tuned", 1.0),), {"Params": Params, "radii": radii})
    data = compute(registry_of(installed, tuned), solvers=["tuned", {"name": "tuned", "factor": 2}])
    assert list(dict.fromkeys(row.solver for row in data.radii)) == ["tuned", "tuned (factor=2.0)"]
    assert {bracket.radius for bracket in data.brackets} == {2 * (p - 0.5) for p in P}
    beside_all = compute(
        registry_of(installed, tuned, make_solver("a", 0.5)), solvers=["all", {"name": "tuned", "factor": 2}]
    )
    assert list(dict.fromkeys(row.solver for row in beside_all.radii)) == ["a", "tuned (factor=2.0)"]


@pytest.fixture
def spec(installed, tmp_path):
    section = {"kind": "optimality", "norms": [1, 2], "dims": [9], "p_lower": [0.9, 0.6], "solvers": ["closed-form"]}
    noises = [{"name": "gaussian", "sigma": [0.25, 0.5]}, {"name": "laplace", "sigma": 0.5}]
    mapping = {"name": "v", "validation": {**section, "noises": noises}, "report": {"formats": ["csv"]}}
    made = spec_from_mapping(mapping, installed, folder=tmp_path)
    assert isinstance(made, ValidationSpec)
    return made


def test_what_was_computed_is_what_is_read_back(spec, installed, tmp_path):
    done = validate_noises(spec, installed, RunOptions(out=tmp_path / "run", cache=tmp_path / "cache"))
    read = load_results(tmp_path / "run", installed)
    assert (read.name, read.protocol, read.options) == ("v", done.protocol, done.options)
    computed = compute_validation(spec.validation, installed, MemoryTables(), SilentProgress())
    for data in (done.data, read.data):
        assert (data.radii, data.brackets, data.best, data.refusals) == (
            computed.radii,
            computed.brackets,
            computed.best,
            computed.refusals,
        )
        for one, other in zip(data.curves, computed.curves, strict=True):
            assert (one.case, one.solver, one.guarantee) == (other.case, other.solver, other.guarantee)
            for name in ("p_lower", "radius", "upper"):
                assert getattr(one, name).tolist() == getattr(other, name).tolist()
    assert read.report().validation == read.data
    assert (tmp_path / "run/report/validation.csv").is_file()


def test_an_unknown_upper_value_survives_the_store(installed, tmp_path):
    registry = registry_of(installed, make_solver("a", 1.0))
    section = {"kind": "optimality", "norms": [2], "dims": [9], "p_lower": [0.9]}
    mapping = {"name": "v", "validation": {**section, "noises": [{"name": "plain", "sigma": 1}]}}
    validate_noises(spec_from_mapping(mapping, registry, folder=tmp_path), registry, RunOptions(out=tmp_path / "run"))
    data = load_results(tmp_path / "run", registry).data
    assert np.isinf(data.curves[0].upper).all()
    assert data.radii[0].upper is None


def test_a_validation_is_no_run(spec, installed, tmp_path):
    validate_noises(spec, installed, RunOptions(out=tmp_path / "run"))
    with pytest.raises(InputError, match=r"holds a validation, not an evaluation.*report .*run"):
        load_run(tmp_path / "run", installed)
    with pytest.raises(InputError, match="holds a validation"):
        load_results(tmp_path / "run", installed, certification={"alpha": 0.1})
