"""Radii of one norm as bounds in another."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robustbench_rs.evaluation.implications import Question, implications


def question(norm, dim=9):
    return Question(type("AnyNoise", (), {"name": "any"})(), norm, dim, np.array([0.9]), np.array([0.1]))


@pytest.mark.parametrize("norm", [1.0, math.inf])
def test_l1_and_l_inf_stand_for_themselves(norm):
    [only] = implications(question(norm))
    assert not only.other


@pytest.mark.parametrize("norm", [1.5, 2.0, 3.0])
@pytest.mark.parametrize("dim", [1, 2, 9])
def test_balls_are_included_as_claimed(norm, dim):
    """The ball of the implied radius lies in the known ball, on random shifts and on the two extreme ones."""
    rng = np.random.default_rng(7)
    shifts = np.vstack([rng.standard_normal((2000, dim)), np.eye(dim)[:1], np.ones((1, dim))])
    own = np.linalg.norm(shifts, ord=norm, axis=1)
    others = [implied for implied in implications(question(norm, dim)) if implied.other]
    assert [implied.question.norm for implied in others] == [q for q in (1.0, 2.0, math.inf) if q != norm]
    for implied in others:
        known = np.linalg.norm(shifts, ord=implied.question.norm, axis=1)
        radius = implied.lower(np.ones(1))[0]
        assert np.all(known / own * radius <= 1 + 1e-12)
        assert np.max(known / own * radius) == pytest.approx(1)
        least = implied.upper(np.ones(1))[0]
        assert np.all(own <= known * least * (1 + 1e-12))
        assert np.max(own / known) == pytest.approx(least)
