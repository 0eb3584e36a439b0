"""``plugins new``: a working plugin of any kind to start from, as one file or as a package for pip."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template

from robustbench_rs import api
from robustbench_rs.errors import InputError, shorten
from robustbench_rs.files import write_atomic
from robustbench_rs.plugins.registry import KINDS, RESERVED_NAMES

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
EXAMPLES: Mapping[str, str] = {"noise": "sigma=0.5"}
"""Parameters with which the conformance suite makes a component of that kind; others have defaults for all."""

PYPROJECT = Template("""\
[build-system]
requires = ["hatchling>=1.24"]
build-backend = "hatchling.build"

[project]
name = "$distribution"
version = "0.1.0"
description = "The $kind '$name' for robustbench-rs."
requires-python = ">=3.11"
dependencies = ["robustbench-rs"]

[project.optional-dependencies]
test = ["pytest>=8.1"]

[project.entry-points.robustbench_rs]
$kind-$name = "$module"

[tool.hatch.build.targets.wheel]
only-include = ["$module.py"]
""")

TEST = Template('''\
"""The claims of the $kind hold: the conformance suite that robustbench-rs ships for its kind."""

from __future__ import annotations

from robustbench_rs.testing import check_component

from $module import $class_name


def test_conformance() -> None:
    results = check_component($class_name, [$class_name.Params($example)])
    assert results
    assert [f"{result.name}: {result.message}" for result in results if not result.passed] == []
''')

README = Template("""\
# $distribution

The $kind `$name` for robustbench-rs.

    pip install -e '.[test]'
    robustbench-rs plugins show $name
    robustbench-rs plugins check $name
    python -m pytest
""")


def write_plugin(kind: str, name: str, folder: Path) -> Path:
    """Write a one-file plugin into ``folder`` and return its path. Raises :class:`InputError` rather than overwrite."""
    path = folder / f"{_checked(name).replace('-', '_')}.py"
    _write_new({path: source(kind, name)})
    return path


def write_package(kind: str, name: str, folder: Path) -> Path:
    """Write a package with a test into ``folder`` and return its folder. Raises :class:`InputError` as above."""
    module = f"robustbench_rs_{_checked(name).replace('-', '_')}"
    words = {
        "kind": kind,
        "name": name,
        "module": module,
        "distribution": f"robustbench-rs-{name}",
        "class_name": class_name(name),
        "example": EXAMPLES.get(kind, ""),
    }
    root = folder / words["distribution"]
    if root.exists():
        raise InputError(f"{root} exists; choose another name, or another folder with --out")
    _write_new(
        {
            root / f"{module}.py": source(kind, name),
            root / "pyproject.toml": PYPROJECT.substitute(words),
            root / "README.md": README.substitute(words),
            root / "tests" / f"test_{module}.py": TEST.substitute(words),
        }
    )
    return root


def source(kind: str, name: str) -> str:
    """The template of a kind with its Example renamed."""
    if kind not in KINDS:
        raise InputError(f"unknown kind {shorten(kind)}; known: {', '.join(KINDS)}")
    text = (files("robustbench_rs.plugins") / "templates" / f"{kind}.py").read_text(encoding="utf-8")
    text = text.replace('"example"', f'"{name}"').replace('"example.txt"', f'"{name}.txt"')
    # Here robustbench_rs is this project's own; for its plugins it is a third party's, like numpy.
    text = re.sub(r"^((?:import numpy|from pydantic).*\n)\n(?=from robustbench_rs)", r"\1", text, flags=re.MULTILINE)
    return re.sub(r"\bExample\b", class_name(name), text)


def class_name(name: str) -> str:
    """``my-noise`` as ``MyNoise``; never a name that the template imports."""
    camel = "".join(part.capitalize() for part in name.split("-"))
    return f"{camel}Plugin" if camel in api.__all__ or camel == "Params" else camel


def _checked(name: str) -> str:
    if not NAME.fullmatch(name) or name in RESERVED_NAMES or len(name) > 60:
        raise InputError(
            f"{shorten(name)} is no plugin name: use lower-case letters, digits and single hyphens, such as my-noise "
            f"(not {', '.join(sorted(RESERVED_NAMES))})"
        )
    return name


def _write_new(contents: Mapping[Path, str]) -> None:
    for path in contents:
        if path.exists():
            raise InputError(f"{path} exists; choose another name, or another folder with --out")
    for path, content in contents.items():
        write_atomic(path, content)
