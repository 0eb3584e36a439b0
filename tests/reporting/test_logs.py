"""Published logs: rows, names, and what they were measured with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robustbench_rs.errors import InputError
from robustbench_rs.reporting import build_report, read_logs

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime"
ROWS = ("0\t3\t3\t0.378\t1\t15.5", "20\t7\t-1\t0.0\t0\t0:02:31.25", "40\t2\t0\t0.941\t0\t1 day, 0:00:01")


def write(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *(rows or ROWS)]) + "\n")
    return path


def flags(source, kind):
    return [flag.message for flag in source.flags if flag.kind == kind]


def test_rows(tmp_path):
    (source,) = read_logs([write(tmp_path / "cifar10_noise_0.12_sigma_0.50.tsv")])
    (m,) = source.measured
    assert source.kind == "log"
    assert source.name == m.defense == "cifar10_noise_0.12_sigma_0.50"
    assert (m.dataset, m.sigma, m.noise, m.norm) == ("cifar10", 0.5, "gaussian", 2.0)
    assert m.indices.tolist() == [0, 20, 40]
    assert m.abstained.tolist() == [False, True, False]
    assert m.correct.tolist() == [True, False, False]
    assert m.radius.tolist() == [0.378, 0.0, 0.941]
    assert m.seconds_per_input.tolist() == [15.5, 151.25, 86401.0]
    assert m.seconds == 15.5 + 151.25 + 86401.0
    assert m.samples == 3 * 100_100
    assert m.p_lower is None
    assert ("radii", "as printed, may be rounded up") in source.protocol


def test_rows_are_sorted_and_other_columns_left_alone(tmp_path):
    rows = ("40\t1\t1\t0.1\t1\t5\tx", "", "0\t1\t1\t0.2\t1\tnan\ty")
    path = write(tmp_path / "a.tsv", *rows, header=f"{HEADER}\textra")
    (m,) = read_logs([path])[0].measured
    assert m.indices.tolist() == [0, 40]
    assert m.seconds is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("60\t1\t1\t0.1\t1", "5 tab-separated fields where the header has 6"),
        ("60 1 1 0.1 1 2", "1 tab-separated fields"),
        ("x\t1\t1\t0.1\t1\t2", "idx must be a whole number, not 'x'"),
        ("-1\t1\t1\t0.1\t1\t2", "idx must be at least 0"),
        ("60\t1.5\t1\t0.1\t1\t2", "label must be a whole number"),
        ("60\t1\t-2\t0.1\t0\t2", "predict must be at least -1"),
        ("60\t1\t1\tnan\t1\t2", "radius must be a finite number >= 0"),
        ("60\t1\t1\t-0.1\t1\t2", "radius must be a finite number >= 0"),
        ("60\t1\t1\tinf\t1\t2", "radius must be a finite number >= 0"),
        ("60\t1\t1\t0.1\tyes\t2", "correct must be 0 or 1"),
        ("60\t1\t2\t0.1\t1\t2", "correct is 1, but label is 1 and predict is 2"),
        ("60\t1\t1\t0.1\t0\t2", "correct is 0, but label is 1 and predict is 1"),
        ("60\t1\t-1\t0.1\t0\t2", "an abstention"),
        ("60\t1\t1\t0.1\t1\tsoon", "time must be seconds or h:mm:ss"),
        ("0\t1\t1\t0.1\t1\t2", "index 0 stands twice"),
    ],
)
def test_a_malformed_row_names_file_and_line(tmp_path, row, message):
    path = write(tmp_path / "a.tsv", *ROWS, row)
    with pytest.raises(InputError) as caught:
        read_logs([path])
    assert str(caught.value).startswith(f"{path}:5: ")
    assert message in str(caught.value)


def test_files_that_are_no_logs(tmp_path):
    for name, content, message in (
        ("empty.tsv", b"", "must name the tab-separated columns"),
        ("header.tsv", HEADER.encode() + b"\n", "no rows"),
        ("binary.tsv", b"\xff\xfe\x00\x80", "not a text file"),
        ("commas.tsv", b"idx,label,predict,radius,correct,time\n", "must name the tab-separated columns"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_logs([tmp_path / name])
    with pytest.raises(InputError, match="cannot read the log"):
        read_logs([tmp_path / "missing.tsv"])
    with pytest.raises(InputError, match="cannot read the log"):
        read_logs([tmp_path])


def test_windows_line_ends_and_byte_order_mark(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join([HEADER, *ROWS]).encode())
    assert len(read_logs([tmp_path / "a.tsv"])[0].measured[0].indices) == 3


def test_equal_stems_get_their_parent_folder_in_front(tmp_path):
    paths = [write(tmp_path / name) for name in ("a/x.tsv", "b/x.tsv", "b/y.tsv")]
    assert [source.name for source in read_logs(paths)] == ["a/x", "b/x", "y"]


def test_as_many_parents_as_it_takes(tmp_path):
    paths = [write(tmp_path / f"cifar10/noise_{level}/test/sigma_{level}0") for level in ("0.5", "0.2")]
    paths.append(write(tmp_path / "imagenet/noise_0.5/test/sigma_0.50"))
    sources = read_logs(paths)
    assert [source.name for source in sources] == [
        "cifar10/noise_0.5/test/sigma_0.50",
        "sigma_0.20",
        "imagenet/noise_0.5/test/sigma_0.50",
    ]
    assert [(s.measured[0].dataset, s.measured[0].sigma) for s in sources] == [
        ("cifar10", 0.5),
        ("cifar10", 0.2),
        ("imagenet", 0.5),
    ]


def test_a_log_given_twice(tmp_path):
    path = write(tmp_path / "a.tsv")
    with pytest.raises(InputError, match="given twice"):
        read_logs([path, path])


def test_an_unknown_sigma_is_flagged_and_no_error(tmp_path):
    (source,) = read_logs([write(tmp_path / "mine.tsv")])
    assert source.measured[0].sigma is None
    assert source.measured[0].dataset == "unknown"
    assert len(flags(source, "unknown sigma")) == 1
    assert "dataset unknown" in flags(source, "assumed")[0]
    assert build_report([source], [0.0, 0.3], "t").certified_accuracy[1].certified_accuracy == 1 / 3


def test_metadata_file_wins_over_sidecar_over_name_over_defaults(tmp_path):
    path = write(tmp_path / "cifar10_noise_0.25_sigma_0.25.tsv")
    (tmp_path / "cifar10_noise_0.25_sigma_0.25.yaml").write_text("sigma: 0.5\nn: 1000\nalpha: 1e-2\n")
    meta = tmp_path / "meta.yaml"
    meta.write_text("cifar10_noise_0.25_sigma_0.25: {n: 500, norm: inf, noise: {name: gn, beta: 1.5}}\nother: {n: 3}\n")
    (source,) = read_logs([path], meta)
    (m,) = source.measured
    assert (m.n, m.norm, m.noise, m.noise_params) == (500, np.inf, "gn", '{"beta":1.5}')
    assert (m.sigma, m.alpha) == (0.5, 0.01)
    assert m.dataset == "cifar10"
    assert m.n0 == 100
    assert flags(source, "assumed")[0].startswith("not stated by the log: n0 100.")


def test_the_sigma_may_stand_with_the_noise(tmp_path):
    log = write(tmp_path / "a.tsv")
    (tmp_path / "a.tsv.yaml").write_text("noise: {name: gaussian, sigma: 0.5}")
    (m,) = read_logs([log])[0].measured
    assert (m.noise, m.noise_params, m.sigma) == ("gaussian", '{"sigma":0.5}', 0.5)


def test_complete_metadata_leaves_nothing_assumed(tmp_path):
    meta = tmp_path / "m.yaml"
    meta.write_text("a: {dataset: d, noise: gaussian, sigma: 0.5, norm: 2, n0: 100, n: 100000, alpha: 0.001}")
    (source,) = read_logs([write(tmp_path / "a.tsv")], meta)
    assert list(source.flags) == []


def test_a_sigma_column_counts_when_it_is_constant(tmp_path):
    rows = ("0\t1\t1\t0.1\t1\t5\t0.5", "1\t1\t1\t0.2\t1\t5\t0.5")
    (source,) = read_logs([write(tmp_path / "a.tsv", *rows, header=f"{HEADER}\tsigma")])
    assert source.measured[0].sigma == 0.5
    mixed = (rows[0], "1\t1\t1\t0.2\t1\t5\t0.7")
    (source,) = read_logs([write(tmp_path / "b.tsv", *mixed, header=f"{HEADER}\tsigma")])
    assert source.measured[0].sigma is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {sigmaa: 0.5}", "a.sigmaa: unknown key 'sigmaa'; did you mean 'sigma'?"),
        ("a: {sigma: -1}", "a.sigma: "),
        ("a: {alpha: 1.5}", "a.alpha: "),
        ("a: {n: many}", "a.n: "),
        ("a: {noise: {beta: 1}}", "a.noise: "),
        ("a: 3", "a: expected a map"),
        ("- 1", "this file is a list"),
        ("a: [", "not valid YAML"),
        ("a: {n: 1}\na: {n: 2}", "appears twice"),
    ],
)
def test_bad_metadata_names_file_key_and_line(tmp_path, text, message):
    meta = tmp_path / "m.yaml"
    meta.write_text(text)
    with pytest.raises(InputError) as caught:
        read_logs([write(tmp_path / "a.tsv")], meta)
    assert str(caught.value).startswith(f"{meta}:")
    assert message in str(caught.value)


def test_all_problems_of_a_metadata_file_at_once(tmp_path):
    meta = tmp_path / "m.yaml"
    meta.write_text("a: {n: 0, alpha: 2}\nb: {sigmma: 1}\n")
    with pytest.raises(InputError) as caught:
        read_logs([write(tmp_path / "a.tsv")], meta)
    assert len(str(caught.value).splitlines()) == 3


def stride(*indices: int) -> list[str]:
    return [f"{index}\t1\t1\t0.1\t1\t5" for index in indices]


def test_a_log_shorter_than_its_siblings_is_incomplete(tmp_path):
    long = write(tmp_path / "d_noise_1_sigma_1.tsv", *stride(*range(0, 100, 10)))
    short = write(tmp_path / "d_noise_2_sigma_2.tsv", *stride(*range(0, 60, 10)))
    other = write(tmp_path / "e_noise_2_sigma_2.tsv", *stride(*range(0, 60, 10)))
    assert [bool(flags(source, "incomplete")) for source in read_logs([long, short, other])] == [False, True, False]


def test_a_stride_that_stops_before_the_data_set_does(tmp_path):
    (whole,) = read_logs([write(tmp_path / "mnist_noise_1_sigma_1.tsv", *stride(*range(0, 10_000, 1000)))])
    (cut,) = read_logs([write(tmp_path / "mnist_noise_1_sigma_2.tsv", *stride(*range(0, 9000, 1000)))])
    (gap,) = read_logs(
        [write(tmp_path / "mnist_noise_1_sigma_3.tsv", *stride(*range(0, 5000, 1000), *range(6000, 10_000, 1000)))]
    )
    assert flags(whole, "incomplete") == []
    assert "9 of 10 rows" in flags(cut, "incomplete")[0]
    assert "stops after index 8000" in flags(cut, "incomplete")[0]
    assert "first missing index is 5000" in flags(gap, "incomplete")[0]


def test_a_random_subset_is_not_incomplete(tmp_path):
    indices = np.sort(np.random.default_rng(3).choice(10_000, 100, replace=False))
    (source,) = read_logs([write(tmp_path / "mnist_noise_1_sigma_1.tsv", *stride(*indices.tolist()))])
    assert flags(source, "incomplete") == []
