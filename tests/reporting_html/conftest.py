"""A realistic report built by hand (two defenses, two levels, three norms, envelope), and a browser to read it."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import beta, norm

from robustbench_rs.api import Report
from robustbench_rs.api.report import (
    ENVELOPE,
    CertificateRow,
    CertifiedAccuracy,
    Cost,
    Curve,
    Flag,
    GalleryItem,
    PairedTest,
    Setting,
    Share,
    Summary,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser

RADII = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
DIM = 64


def setting(
    defense: str, sigma: float | None, norm_: str, source: str = "digits-run", dataset: str = "digits"
) -> Setting:
    params = "" if sigma is None else json.dumps({"sigma": sigma})
    return Setting(source, defense, dataset, "gaussian", params, sigma, norm_, "auto")


def limits(certified: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    k = np.round(certified * n)
    lower = np.where(k == 0, 0.0, beta.ppf(0.025, k, n - k + 1))
    return lower, np.where(k == n, 1.0, beta.ppf(0.975, k + 1, n - k))


def certificates(where: Setting, n: int, skill: float, seed: int) -> list[CertificateRow]:
    rng = np.random.default_rng(seed)
    top = 0.9993 ** (1 / 1.2) - 0.6 * rng.beta(0.5, skill, size=n)
    correct = rng.random(n) < 0.94
    scale = {"1": 1.0, "2": 1.0, "inf": DIM**-0.5}[where.norm]
    radii = (where.sigma or 1.0) * norm.ppf(top) * scale
    rows = []
    for i in range(n):
        abstained = bool(top[i] <= 0.5)
        radius = 0.0 if abstained else float(radii[i])
        label = i % 10
        prediction = None if abstained else label if correct[i] else (label + 1) % 10
        rows.append(
            CertificateRow(
                where, i, label, prediction, abstained, bool(correct[i]) and not abstained, "closed-form", "proved",
                radius, float(top[i]), float(1 - top[i]), 10_000, "clopper-pearson", 0.001,
            )
        )  # fmt: skip
    return rows


def counted(rows: Sequence[CertificateRow]) -> np.ndarray:
    """Radii of the correct ones, ascending."""
    return np.sort([row.radius for row in rows if row.correct])


def certified(radii: np.ndarray, at: np.ndarray, n: int) -> np.ndarray:
    return (len(radii) - np.searchsorted(radii, at, side="left")) / n


def curve(where: Setting, radii: np.ndarray, n: int) -> Curve:
    at = np.unique(np.concatenate([[0.0], radii[:: max(1, len(radii) // 500)], radii[-1:]]))
    accuracy = certified(radii, at, n)
    return Curve(where, at, accuracy, *limits(accuracy, n))


def grid_rows(
    where: Setting, guarantee: str, radii: np.ndarray, n: int, grid: Sequence[float]
) -> list[CertifiedAccuracy]:
    accuracy = certified(radii, np.array(grid), n)
    lower, upper = limits(accuracy, n)
    return [
        CertifiedAccuracy(where, guarantee, r, float(a), float(low), float(high), n)
        for r, a, low, high in zip(grid, accuracy, lower, upper, strict=True)
    ]


def summary(where: Setting, guarantee: str, radii: np.ndarray, rows: Sequence[CertificateRow], n: int) -> Summary:
    abstained = sum(row.abstained for row in rows) / n if rows else None
    score = None if rows else float(radii.sum() / n)
    return Summary(
        where, guarantee, float(radii.sum() / n), 0.957 if rows else None, len(radii) / n, abstained,
        3.1 * (where.sigma or 0.5), n, 10_100 * n if rows else None, 37.25 if rows else None, score,
    )  # fmt: skip


def best_marked(rows: Sequence[CertifiedAccuracy]) -> list[CertifiedAccuracy]:
    from dataclasses import replace

    top: dict[tuple[str, str, float], float] = {}
    for row in rows:
        if row.setting.defense != ENVELOPE:
            key = (row.setting.dataset, row.setting.norm, row.radius)
            top[key] = max(top.get(key, 0.0), row.certified_accuracy)
    keys = [(row.setting.dataset, row.setting.norm, row.radius) for row in rows]
    return [
        replace(row, best=row.setting.defense != ENVELOPE and 0 < row.certified_accuracy == top[key])
        for row, key in zip(rows, keys, strict=True)
    ]


def png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray((np.clip(pixels, 0, 1) * 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def pictures(rows: Sequence[CertificateRow]) -> list[GalleryItem]:
    from sklearn.datasets import load_digits

    images = load_digits().images / 16
    ordered = sorted(rows, key=lambda row: row.radius if row.correct else -row.radius)
    items = []
    for rank, chosen in (("worst", ordered[:6]), ("best", ordered[-6:][::-1])):
        for row in chosen:
            clean = images[row.index % len(images)]
            noisy = clean + np.random.default_rng(row.index).normal(0, row.setting.sigma, (8, 8))
            items.append(
                GalleryItem(
                    row.setting, rank, row.index, str(row.label), None if row.abstained else str(row.prediction),
                    row.correct, row.radius, png(clean), png(noisy),
                )
            )  # fmt: skip
    return items


def build_report(
    n: int = 100, names: Sequence[str] = ("gaussian", "denoised ResNet-110"), title: str = "Quickstart"
) -> Report:
    """Two defenses x two noise levels x three norms, with everything that a report can hold."""
    grid_data, summaries, curves, all_rows, gallery = [], [], [], [], []
    for norm_ in ("1", "2", "inf"):
        guarantee = "searched" if norm_ == "inf" else "proved"
        grid = [0.0, 0.01, 0.02, 0.03, 0.05] if norm_ == "inf" else RADII
        levels = []
        for number, (name, sigma) in enumerate((name, sigma) for name in names for sigma in (0.25, 0.5)):
            where = setting(name, sigma, norm_)
            rows = certificates(where, n, skill=4.0 - number * 0.6, seed=number)
            radii = counted(rows)
            levels.append(radii)
            all_rows += rows
            grid_data += grid_rows(where, guarantee, radii, n, grid)
            summaries.append(summary(where, guarantee, radii, rows, n))
            curves.append(curve(where, radii, n))
            if norm_ != "1" and number in (0, 3):
                gallery += pictures(rows)
        where = Setting("digits-run", ENVELOPE, "digits", "gaussian", "", None, norm_, "auto")
        radii = np.max([np.pad(each, (n - len(each), 0)) for each in levels], axis=0)
        radii = radii[radii > 0]
        grid_data += grid_rows(where, guarantee, radii, n, grid)
        summaries.append(summary(where, guarantee, radii, (), n))
        curves.append(curve(where, radii, n))
    summaries.append(
        Summary(
            Setting("digits-run", "plain CNN", "digits", "", "", None, "", ""),
            "",
            None,
            0.981,
            None,
            None,
            None,
            n,
            None,
            None,
        )
    )
    return Report(
        title=title,
        radii=RADII,
        certified_accuracy=best_marked(grid_data),
        summary=summaries,
        certificates=all_rows,
        curves=curves,
        paired=[
            PairedTest(setting(names[0], sigma, "2"), setting(names[1], sigma, "2"), r, n, 3, 17, 0.00258, 0.01032)
            for sigma in (0.25, 0.5)
            for r in (0.25, 0.5)
        ],
        flags=[
            Flag("digits-run", "incomplete", "the run stopped after 97 of 100 inputs; resume it to fill the rest"),
            Flag("cohen", "impossible radii", "3 radii exceed 0.957, the most that n = 100000 can give"),
            Flag("cohen", "assumed", "n0 = 100 and alpha = 0.001 are the protocol's defaults, not stated by the log"),
        ],
        gallery=gallery,
        costs=[
            Cost("digits-run", name, "gaussian", json.dumps({"sigma": sigma}), stage, draws * n, draws * n / 4e4, "cpu")
            for name in names
            for sigma in (0.25, 0.5)
            for stage, draws in (("selection", 100), ("certification", 10_000))
        ],
        budget=[Share("digits-run", "lower limit of the top class (Clopper-Pearson, one-sided)", 0.001)],
        protocol={"digits-run": [("n0", "100"), ("n", "10,000"), ("alpha", "0.001"), ("bound", "clopper-pearson")]},
        environment={"digits-run": [("torch", "2.13.0"), ("device", "cpu"), ("model digest", "sha256:" + "9f2c" * 16)]},
        notes=["The envelope is post hoc: it picks the noise level at each radius after looking at the results."],
    )  # fmt: skip


@pytest.fixture(scope="session")
def make_report() -> Callable[..., Report]:
    return build_report


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rendered sample report."""
    from robustbench_rs_plugins.reporters.html import Html

    path = tmp_path_factory.mktemp("html") / "report.html"
    path.write_bytes(Html().render(build_report())["report.html"])
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium; its absence is a skip."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra 'test')")
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next(filter(None, map(shutil.which, names)), None)
    if executable is None:
        pytest.skip(f"no browser: none of {', '.join(names)} is on the PATH (Debian: apt install chromium)")
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        instance = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield instance
        instance.close()
