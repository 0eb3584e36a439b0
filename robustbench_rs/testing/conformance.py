"""The entry point of the conformance suites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from robustbench_rs.api import Bound, Component, Noise, Params, Solver
from robustbench_rs.testing import bound, component, noise, solver
from robustbench_rs.testing.result import CheckResult, run

DERIVED: tuple[dict[str, float], ...] = ({}, {"scale": 1.0}, {"sigma": 1.0}, {"scale": 0.25})


def check_component(
    cls: type[Component],
    examples: Sequence[Params] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    noises: Sequence[Noise] = (),
) -> list[CheckResult]:
    """Check all claims of a component, at each of the example parameters.

    ``examples``: default none, one scale, one sigma, whichever the parameter model accepts.
    ``expected_failures``: check name (without the example's label) -> reason; such a check passes when it fails and
    fails when it passes. ``noises``: further noise laws for a solver, besides the reference Gaussian.
    Statistical checks have fixed seeds and a false-alarm rate of 1e-9 each.
    """
    results = run(component.CHECKS, cls, "")
    chosen = _derived(cls) if examples is None else list(examples)
    if not chosen:
        return [*results, CheckResult("example parameters", False, "the defaults are not enough: give parameters")]
    for params in chosen:
        results += _check_example(cls, params, noises)
    return [_expected(result, expected_failures or {}) for result in results]


def _check_example(cls: type[Component], params: Params, noises: Sequence[Noise]) -> list[CheckResult]:
    label = ", ".join(f"{key}={value}" for key, value in params.model_dump(mode="json", exclude_none=True).items())
    try:
        made = cls(params)
    except Exception as error:
        return [CheckResult(f"can be made [{label}]", False, f"raises {type(error).__name__}: {error}")]
    if isinstance(made, Noise):
        return noise.check(made, label)
    if isinstance(made, Bound):
        return run(bound.CHECKS, made, label)
    return solver.check(made, label, noises) if isinstance(made, Solver) else []


def _derived(cls: type[Component]) -> list[Params]:
    """Of the guesses, those that the parameter model and the constructor accept."""
    found: list[Params] = []
    for guess in DERIVED:
        try:
            params = cls.Params.model_validate(guess)
            cls(params)
        except ValueError:
            continue
        found.append(params)
        if not guess:
            break
    return found


def _expected(result: CheckResult, expected: Mapping[str, str]) -> CheckResult:
    reason = expected.get(result.name.split(" [")[0])
    if reason is None:
        return result
    if result.passed:
        return CheckResult(result.name, False, f"passes, but was expected to fail: {reason}")
    return CheckResult(result.name, True, f"fails as expected ({reason}): {result.message}")
