"""The logs of Cohen et al. 2019: their published tables, cell by cell, and what is wrong with them."""

from __future__ import annotations

import pytest

from robustbench_rs.reporting import build_report, read_logs

TABLES = {
    ("cifar10", (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)): {
        "0.12": "0.59 0.00 0.00 0.00 0.00 0.00",
        "0.25": "0.60 0.43 0.27 0.00 0.00 0.00",
        "0.50": "0.55 0.41 0.32 0.23 0.15 0.09",
        "1.00": "0.39 0.34 0.28 0.22 0.17 0.14",
    },
    ("imagenet", (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)): {
        "0.25": "0.49 0.00 0.00 0.00 0.00 0.00",
        "0.50": "0.46 0.37 0.29 0.00 0.00 0.00",
        "1.00": "0.38 0.33 0.26 0.19 0.15 0.12",
    },
}

IMPOSSIBLE = {
    "cifar10_noise_0.25_sigma_0.25": 107,
    "cifar10_noise_0.50_sigma_0.50": 15,
    "cifar10_noise_1.00_sigma_1.00": 5,
    "imagenet_noise_0.25_sigma_0.25": 155,
    "imagenet_noise_0.25_sigma_0.50": 10,
    "imagenet_noise_0.50_sigma_0.50": 95,
    "imagenet_noise_1.00_sigma_0.50": 54,
    "imagenet_noise_1.00_sigma_1.00": 50,
}
"""Number of radii that n = 100,000 draws cannot give at alpha = 0.001, counted by enumerating the lattice."""


@pytest.fixture(scope="module")
def sources(data_dir):
    paths = sorted((data_dir / "published" / "cohen2019").glob("*.tsv"))
    assert len(paths) == 12
    return read_logs(paths)


@pytest.fixture(scope="module")
def report(sources):
    return build_report(sources, sorted({radius for _, radii in TABLES for radius in radii}), "Cohen et al. 2019")


def test_both_published_tables_cell_by_cell(report):
    found = {(row.setting.defense, row.radius): row.certified_accuracy for row in report.certified_accuracy}
    for (dataset, radii), rows in TABLES.items():
        for sigma, cells in rows.items():
            name = f"{dataset}_noise_{sigma}_sigma_{sigma}"
            assert [f"{found[name, radius]:.2f}" for radius in radii] == cells.split(), name


def test_eight_logs_have_impossible_radii_and_four_have_none(report):
    flags = {flag.source: flag.message for flag in report.flags if flag.kind == "impossible radii"}
    assert {source: int(message.split(" of ")[0]) for source, message in flags.items()} == IMPOSSIBLE
    assert all("All radii fit alpha = 0.01." in message for message in flags.values())


def test_one_of_them_stays_below_the_largest_radius(sources, report):
    (log,) = [source.measured[0] for source in sources if source.name == "cifar10_noise_1.00_sigma_1.00"]
    assert log.radius.max() < log.max_radius
    (flag,) = [flag for flag in report.flags if (flag.source, flag.kind) == (log.defense, "impossible radii")]
    assert "3.56 (index 6600)" in flag.message


def test_the_incomplete_log_and_no_other_is_flagged(report):
    (flag,) = [flag for flag in report.flags if flag.kind == "incomplete"]
    assert flag.source == "imagenet_noise_0.25_sigma_0.25"
    assert "427 of 500" in flag.message
    assert "42600" in flag.message


def test_the_incomplete_log_is_left_out_of_paired_tests_only(report):
    name = "imagenet_noise_0.25_sigma_0.25"
    assert all(name not in (test.first.source, test.second.source) for test in report.paired)
    assert {row.n_inputs for row in report.certified_accuracy if row.setting.source == name} == {427}
    reasons = [flag.message for flag in report.flags if (flag.source, flag.kind) == (name, "not comparable")]
    assert any("another subset" in reason for reason in reasons)


def test_what_the_names_do_not_say_is_assumed(report):
    assumed = {flag.source: flag.message for flag in report.flags if flag.kind == "assumed"}
    assert len(assumed) == 12
    assert all("noise gaussian, norm 2, n0 100, n 100000, alpha 0.001" in message for message in assumed.values())


def test_radii_are_as_printed_and_say_so(sources, report):
    (log,) = [source for source in sources if source.name == "imagenet_noise_1.00_sigma_0.50"]
    assert 7.11e-05 in log.measured[0].radius
    assert {row.guarantee for row in report.certificates} == {"as printed"}
    assert any("as printed, may be rounded up" in note for note in report.notes)
