"""The calculator: radii against closed forms, JSON without NaN, curves."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
from mpmath import erfinv, mp, mpf, sqrt

KEYS = {"noise", "params", "norm", "dim", "p_lower", "p_upper", "results"}
RESULT_KEYS = {"solver", "radius", "guarantee", "upper", "abstain", "details"}


def refuse_constant(text: str) -> None:
    raise AssertionError(f"JSON holds {text}")


@pytest.fixture
def ask(cli):
    """The JSON document for these flags."""

    def run(
        *flags: object, noise: str = "gaussian", param: str = "sigma=0.5", norm: object = 2, dim: int = 3072
    ) -> Any:
        outcome = cli("radius", "--noise", noise, "--param", param, "--norm", norm, "--dim", dim, "--json", *flags)
        assert outcome.code == 0, outcome
        return json.loads(outcome.out, parse_constant=refuse_constant)

    return run


def test_the_document_has_exactly_its_keys(ask) -> None:
    document = ask("--p-lower", 0.9)
    assert document.keys() == KEYS
    assert document["params"] == {"sigma": 0.5}
    assert (document["noise"], document["norm"], document["dim"]) == ("gaussian", 2, 3072)
    assert document["p_upper"] == 1 - 0.9
    (result,) = document["results"]
    assert result.keys() == RESULT_KEYS
    assert result["guarantee"] == "proved"
    assert result["abstain"] is False


@pytest.mark.parametrize("p_lower", [0.5000001, 0.6, 0.9, 0.99, 0.999999, 1 - 1e-12])
def test_gaussian_l2_is_never_above_the_truth_and_close_below(ask, p_lower: float) -> None:
    with mp.workdps(50):
        truth = mpf("0.5") * sqrt(mpf(2)) * erfinv(2 * mpf(p_lower) - 1)
        radius = mpf(ask("--p-lower", repr(p_lower))["results"][0]["radius"])
        assert 0 <= truth - radius <= truth * mpf(10) ** -11


def test_laplace_l1_of_the_contract(ask) -> None:
    document = ask("--p-lower", 0.9, noise="laplace", param="scale=0.7071", norm=1)
    with mp.workdps(50):
        truth = -mpf("0.7071") * mp.log(2 * (1 - mpf(0.9)))
        assert 0 <= truth - mpf(document["results"][0]["radius"]) <= mpf(10) ** -11


def test_norm_inf_is_a_word(ask) -> None:
    document = ask("--p-lower", 0.9, norm="inf", dim=4)
    assert document["norm"] == "inf"
    two = ask("--p-lower", 0.9, norm=2, dim=4)["results"][0]["radius"]
    assert document["results"][0]["radius"] == pytest.approx(two / 2, rel=1e-11)


def test_two_sided(ask) -> None:
    document = ask("--p-lower", 0.6, "--p-upper", 0.2)
    with mp.workdps(50):
        quantile = [sqrt(mpf(2)) * erfinv(2 * mpf(p) - 1) for p in (0.6, 0.2)]
        truth = mpf("0.5") * (quantile[0] - quantile[1]) / 2
        assert 0 <= truth - mpf(document["results"][0]["radius"]) <= mpf(10) ** -11


@pytest.mark.parametrize("limits", [(0.5, None), (0.3, None), (0, 0), (0.6, 0.6), (0.4, 0.5)])
def test_abstention(ask, limits: tuple[float, float | None]) -> None:
    p_lower, p_upper = limits
    flags = [] if p_upper is None else ["--p-upper", p_upper]
    (result,) = ask("--p-lower", p_lower, *flags)["results"]
    assert (result["radius"], result["abstain"]) == (0, True)


def test_below_one_half_with_a_smaller_runner_up_is_no_abstention(ask) -> None:
    (result,) = ask("--p-lower", 0.4, "--p-upper", 0.1)["results"]
    assert result["radius"] > 0
    assert result["abstain"] is False


def test_certainty_is_unbounded_and_json_still_has_no_infinity(ask) -> None:
    (result,) = ask("--p-lower", 1)["results"]
    assert result["radius"] == "inf" or math.isfinite(result["radius"])
    (result,) = ask("--p-lower", 1, noise="uniform", param="scale=2", norm=1)["results"]
    assert 2 * (1 - 1e-11) <= result["radius"] <= 2


def test_all_solvers_and_one_by_name(ask) -> None:
    names = [result["solver"] for result in ask("--p-lower", 0.9, "--solver", "all")["results"]]
    assert "closed-form" in names
    assert len(set(names)) == len(names)
    assert [r["solver"] for r in ask("--p-lower", 0.9, "--solver", "closed-form")["results"]] == ["closed-form"]


def test_text_shows_all_digits(cli, ask) -> None:
    flags = [
        "radius",
        "--noise",
        "gaussian",
        "--param",
        "sigma=0.5",
        "--norm",
        "2",
        "--dim",
        "3072",
        "--p-lower",
        "0.9",
    ]
    outcome = cli(*flags)
    assert outcome.code == 0
    assert repr(ask("--p-lower", 0.9)["results"][0]["radius"]) in outcome.out
    assert "proved" in outcome.out


def test_the_curve_is_the_radius_at_every_p(cli, ask, world) -> None:
    flags = ["radius", "--noise", "laplace", "--param", "scale=0.5", "--norm", "1", "--dim", "9"]
    outcome = cli(*flags, "--curve", "curve.csv")
    assert outcome.out == "Curve: curve.csv\n"
    with Path("curve.csv").open(newline="") as lines:
        table = list(csv.DictReader(lines))
    assert len(table) > 100
    radii = [float(row["radius"]) for row in table]
    assert radii == sorted(radii)
    middle = table[len(table) // 2]
    asked = ask("--p-lower", middle["p_lower"], noise="laplace", param="scale=0.5", norm=1, dim=9)
    assert asked["results"][0]["radius"] == float(middle["radius"])


def test_curves_as_a_figure_and_a_page(cli, world) -> None:
    flags = ["radius", "--noise", "gaussian", "--param", "sigma=1", "--norm", "2", "--dim", "9", "--p-lower", "0.9"]
    assert cli(*flags, "--curve", "curve.png", "--json").code == 0
    assert Path("curve.png").read_bytes().startswith(b"\x89PNG")
    assert cli(*flags, "--curve", "curve.html").code == 0
    page = Path("curve.html").read_text(encoding="utf-8")
    assert "<html" in page
    assert 'src="http' not in page
