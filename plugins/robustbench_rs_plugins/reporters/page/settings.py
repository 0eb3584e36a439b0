"""Which settings a report holds, what each is called, how its curve is drawn, and which belong on one picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from robustbench_rs.api import Report
from robustbench_rs.api.report import ENVELOPE, Cost, Setting, parameters_of
from robustbench_rs_plugins.reporters.page.numbers import norm_label

COLORS = 6
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "star")
DASHES = ("solid", "dot", "dashdot", "longdashdot")
"""Curves beyond the palette; plain "dash" is the envelope's alone."""


@dataclass(frozen=True)
class Style:
    """``color`` 1..COLORS, or 0 for the ink of the envelope; ``symbol`` and ``dash`` are plotly's names."""

    color: int
    symbol: str
    dash: str


@dataclass(frozen=True)
class Shown:
    """A setting as the page shows it. ``remarks``: the kinds of flags that its source carries."""

    setting: Setting
    name: str
    guarantee: str
    style: Style
    remarks: str
    dataset: int
    solver: int

    @property
    def post_hoc(self) -> bool:
        return self.setting.defense == ENVELOPE

    @property
    def norm(self) -> str:
        return self.setting.norm


@dataclass(frozen=True)
class Group:
    """What may share one axis: the settings of one data set in one norm. ``norm`` is "" for uncertified defenses."""

    dataset: int
    dataset_name: str
    norm: str

    @property
    def title(self) -> str:
        return f"{self.dataset_name}, {norm_label(self.norm) if self.norm else 'without certificates'}"

    def holds(self, shown: Shown) -> bool:
        return shown.dataset == self.dataset and shown.norm == self.norm


class Catalogue:
    """All settings of a report, in order of first appearance."""

    def __init__(self, report: Report) -> None:
        settings = list(dict.fromkeys(_settings(report)))
        self.datasets = list(dict.fromkeys(setting.dataset for setting in settings))
        self.solvers = list(dict.fromkeys(setting.solver for setting in settings if setting.solver))
        self.norms = sorted({setting.norm for setting in settings if setting.norm}, key=float)
        self.groups = _groups(self.datasets, settings)
        names, styles, guarantees = unique_names(settings), _styles(settings), _guarantees(report)
        remarks: dict[str, dict[str, None]] = defaultdict(dict)
        for flag in report.flags:
            remarks[flag.source][flag.kind] = None
        self._shown = {
            setting: Shown(
                setting,
                names[setting],
                guarantees.get(setting, ""),
                styles[setting],
                ", ".join(remarks.get(setting.source, ())),
                self.datasets.index(setting.dataset),
                self.solvers.index(setting.solver) if setting.solver else -1,
            )
            for setting in settings
        }

    def __getitem__(self, setting: Setting) -> Shown:
        return self._shown[setting]

    def of(self, group: Group) -> list[Shown]:
        """The group's settings, the envelope last."""
        return sorted((shown for shown in self._shown.values() if group.holds(shown)), key=lambda each: each.post_hoc)


def _settings(report: Report) -> Iterable[Setting]:
    for rows in (report.summary, report.certified_accuracy, report.curves, report.certificates, report.gallery):
        for row in rows:
            yield row.setting
    for test in report.paired:
        yield test.first
        yield test.second


def _groups(datasets: Sequence[str], settings: Sequence[Setting]) -> list[Group]:
    keys = {(datasets.index(setting.dataset), setting.norm) for setting in settings}
    ordered = sorted(keys, key=lambda key: (key[0], not key[1], float(key[1] or 0)))
    return [Group(dataset, datasets[dataset], norm) for dataset, norm in ordered]


def _guarantees(report: Report) -> dict[Setting, str]:
    return {row.setting: row.guarantee for row in report.summary}


def _family(setting: Setting) -> tuple[str, ...]:
    """What keeps its colour when the reader switches to another norm."""
    return setting.dataset, setting.source, setting.defense, setting.noise, setting.noise_params, setting.solver


def _styles(settings: Sequence[Setting]) -> dict[Setting, Style]:
    numbers: dict[str, dict[tuple[str, ...], int]] = defaultdict(dict)
    for setting in settings:
        if setting.defense != ENVELOPE and setting.noise:
            known = numbers[setting.dataset]
            known.setdefault(_family(setting), len(known))
    return {setting: numbered_style(numbers[setting.dataset].get(_family(setting))) for setting in settings}


def numbered_style(number: int | None) -> Style:
    if number is None:
        return Style(0, "circle-open", "dash")
    return Style(number % COLORS + 1, SYMBOLS[number % len(SYMBOLS)], DASHES[min(number // COLORS, len(DASHES) - 1)])


def unique_names(settings: Sequence[Setting]) -> dict[Setting, str]:
    """The short label of each setting, with parameters, source or solver added where two of one group are alike."""
    names = {setting: setting.label for setting in settings}
    parts: tuple[Callable[[Setting], str], ...] = (params_text, lambda each: each.source, lambda each: each.solver)
    for part in parts:
        alike: dict[tuple[str, str, str], list[Setting]] = defaultdict(list)
        for setting, name in names.items():
            alike[setting.dataset, setting.norm, name].append(setting)
        for members in alike.values():
            if len({part(member) for member in members}) > 1:
                names.update({member: f"{names[member]} ({part(member)})" for member in members})
    return names


def params_text(setting: Setting | Cost) -> str:
    """``beta=1.5, scale=0.3`` for canonical JSON; what is no JSON map as it stands."""
    params = parameters_of(setting.noise_params)
    if params is None:
        return setting.noise_params
    return ", ".join(f"{key}={value}" for key, value in params.items())
