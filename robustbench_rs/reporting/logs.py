"""Published certification logs as sources of a comparison."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from robustbench_rs.api.report import Flag, norm_name, per_input_noise
from robustbench_rs.errors import InputError
from robustbench_rs.reporting.attainable import largest_radius
from robustbench_rs.reporting.comparison import PUBLISHED
from robustbench_rs.reporting.incomplete import incomplete_logs
from robustbench_rs.reporting.levels import AS_PRINTED, states_noise_per_input
from robustbench_rs.reporting.log_meta import LogMeta, Protocol, complete, read_meta_file
from robustbench_rs.reporting.log_rows import LogRows, read_rows
from robustbench_rs.results import Measured, Source


def read_logs(paths: Sequence[Path], meta: Path | None = None) -> list[Source]:
    """Tab-separated logs ``idx label predict radius correct time`` as sources, in the order given.

    Radii are exactly as printed, which may be rounded up, and their guarantee says so. ``meta``: a YAML file
    ``stem: {dataset, noise, sigma, norm, n0, n, alpha}``; what it leaves out comes from a sidecar, the file name, or
    the field's protocol (flagged "assumed"). Raises ``InputError`` with file and line, or file and key.
    """
    names = log_names(paths)
    entries = {} if meta is None else read_meta_file(meta)
    sources = [_source(path, name, entries) for path, name in zip(paths, names, strict=True)]
    return incomplete_logs(sources)


def log_stem(path: Path) -> str:
    """File name without extension; ``sigma_0.25`` has none."""
    return path.name if path.suffix[1:].isdigit() else path.stem


def log_names(paths: Sequence[Path]) -> list[str]:
    """The stems, with as many parent folders in front as tell equal ones apart.

    Raises ``InputError`` when a log is given twice.
    """
    parts = [(*path.absolute().parts[:-1], log_stem(path)) for path in paths]
    twice = [paths[i] for i, part in enumerate(parts) if part in parts[:i]]
    if twice:
        raise InputError(f"{twice[0]}: this log, or one that differs only in its extension, is given twice")
    depth = [1] * len(parts)
    while clashes := _clashes(names := ["/".join(part[-d:]) for part, d in zip(parts, depth, strict=True)]):
        depth = [d + (name in clashes) for d, name in zip(depth, names, strict=True)]
    return names


def _clashes(names: Sequence[str]) -> set[str]:
    return {name for name, times in Counter(names).items() if times > 1}


def _source(path: Path, name: str, entries: dict[str, LogMeta]) -> Source:
    rows = read_rows(path)
    stem = log_stem(path)
    protocol = complete(entries.get(name, entries.get(stem)), path, stem, rows.sigma)
    return Source(
        name=name,
        kind="log",
        measured=(_measured(name, rows, protocol),),
        flags=_flags(name, protocol),
        protocol=_described(protocol),
    )


def _measured(name: str, rows: LogRows, protocol: Protocol) -> Measured:
    noise, noise_params = _noise(protocol)
    size = len(rows.indices)
    return Measured(
        defense=name,
        dataset=protocol.dataset,
        data_digest="",
        noise=noise,
        noise_params=noise_params,
        sigma=protocol.sigma,
        norm=protocol.norm,
        solver=PUBLISHED,
        n0=protocol.n0,
        n=protocol.n,
        alpha=protocol.alpha,
        bound="clopper-pearson",
        indices=rows.indices,
        labels=rows.labels,
        predictions=rows.predictions,
        abstained=rows.abstained,
        radius=rows.radius,
        guarantee=(_label(noise_params),) * size,
        solver_used=(PUBLISHED,) * size,
        max_radius=largest_radius(noise, protocol.norm, protocol.sigma, protocol.n, protocol.alpha),
        samples=size * (protocol.n0 + protocol.n),
        seconds=None if rows.seconds is None else float(rows.seconds.sum()),
        seconds_per_input=rows.seconds,
    )


def _label(noise_params: str) -> str:
    """A log that we wrote may be of noise that was chosen for each input, and then its parameters say so."""
    return per_input_noise(AS_PRINTED) if states_noise_per_input(noise_params) else AS_PRINTED


def _noise(protocol: Protocol) -> tuple[str, str]:
    """Name and canonical JSON of the parameters; a name alone has the sigma as its parameter."""
    if isinstance(protocol.noise, str):
        params = {} if protocol.sigma is None else {"sigma": protocol.sigma}
        return protocol.noise, json.dumps(params, separators=(",", ":"))
    params = {key: value for key, value in protocol.noise.items() if key != "name"}
    return protocol.noise["name"], json.dumps(params, sort_keys=True, separators=(",", ":"), default=str)


def _flags(name: str, protocol: Protocol) -> list[Flag]:
    flags = []
    if protocol.assumed:
        values = ", ".join(f"{key} {value}" for key, value, assumed in _items(protocol) if assumed)
        message = f"not stated by the log: {values}. State what is known with --log-meta or a sidecar."
        flags.append(Flag(name, "assumed", message))
    if protocol.sigma is None:
        message = "sigma is unknown, so its radii cannot be checked; state it with --log-meta or a sidecar."
        flags.append(Flag(name, "unknown sigma", message))
    return flags


def _items(protocol: Protocol) -> list[tuple[str, str, bool]]:
    values = {
        "dataset": protocol.dataset,
        "noise": _noise(protocol)[0],
        "sigma": "unknown" if protocol.sigma is None else str(protocol.sigma),
        "norm": norm_name(protocol.norm),
        "n0": str(protocol.n0),
        "n": str(protocol.n),
        "alpha": str(protocol.alpha),
    }
    return [(key, value, key in protocol.assumed) for key, value in values.items()]


def _described(protocol: Protocol) -> list[tuple[str, str]]:
    stated = [(key, f"{value} (assumed)" if assumed else value) for key, value, assumed in _items(protocol)]
    return [*stated, ("radii", f"{AS_PRINTED}, may be rounded up")]
