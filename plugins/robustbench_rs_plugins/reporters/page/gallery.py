"""Inputs as pictures: clean and one noisy draw, with what the smoothed classifier said of them."""

from __future__ import annotations

import base64
from collections import defaultdict
from dataclasses import dataclass

from robustbench_rs.api import Report
from robustbench_rs.api.report import GalleryItem
from robustbench_rs_plugins.reporters.page.numbers import norm_label, radius
from robustbench_rs_plugins.reporters.page.settings import Catalogue, Shown

SMALL = 64
"""Narrower pictures are enlarged pixel by pixel, not smoothed."""


@dataclass(frozen=True)
class Picture:
    """``state``: correct, wrong or abstained. ``radii``: (norm, radius rounded down, guarantee), one per norm."""

    index: int
    label: str
    prediction: str
    state: str
    radii: list[tuple[str, str, str]]
    clean: str
    noisy: str
    pixelated: bool


@dataclass(frozen=True)
class Wall:
    """The pictures of one defense at one noise level; ``rows``: rank ("best", "worst") -> pictures."""

    shown: Shown
    rows: dict[str, list[Picture]]


def gallery(report: Report, catalogue: Catalogue) -> list[Wall]:
    """Per defense and noise level; an input ranked in several norms is shown once, with all of its radii."""
    walls: dict[tuple[str, ...], dict[tuple[str, int, bytes], list[GalleryItem]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for item in report.gallery:
        setting = item.setting
        wall = (setting.source, setting.dataset, setting.defense, setting.noise, setting.noise_params)
        walls[wall][item.rank, item.index, item.noisy_png].append(item)
    return [_wall(cards, catalogue) for cards in walls.values()]


def _wall(cards: dict[tuple[str, int, bytes], list[GalleryItem]], catalogue: Catalogue) -> Wall:
    rows: dict[str, list[Picture]] = defaultdict(list)
    for (rank, _, _), items in cards.items():
        rows[rank].append(_picture(items, catalogue))
    return Wall(catalogue[next(iter(cards.values()))[0].setting], dict(sorted(rows.items())))


def _picture(items: list[GalleryItem], catalogue: Catalogue) -> Picture:
    first = items[0]
    abstained = first.prediction is None
    return Picture(
        index=first.index,
        label=first.label,
        prediction=first.prediction or "",
        state="abstained" if abstained else "correct" if first.correct else "wrong",
        radii=[] if abstained else [_radius(item, catalogue) for item in items],
        clean=data_uri(first.clean_png),
        noisy=data_uri(first.noisy_png),
        pixelated=png_width(first.clean_png) < SMALL,
    )


def _radius(item: GalleryItem, catalogue: Catalogue) -> tuple[str, str, str]:
    return norm_label(item.setting.norm), radius(item.radius), catalogue[item.setting].guarantee


def data_uri(png: bytes) -> str:
    """The picture itself as a ``data:`` address: no request."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def png_width(png: bytes) -> int:
    """Width in pixels, from the header (PNG specification, IHDR); 0 when it has none."""
    return int.from_bytes(png[16:20], "big") if png[12:16] == b"IHDR" else 0
