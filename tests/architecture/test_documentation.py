"""The documentation says what the code does: hooks, commands, options, links, and snippets that run."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from robustbench_rs import hookspecs
from robustbench_rs.cli.app import app
from robustbench_rs.plugins import KINDS, load_registry

DOCS = ("README.md", "docs/plugins.md", "docs/command-line.md", "docs/index.md")


def hooks() -> dict[str, str]:
    """Hook name -> its signature as written."""
    found = {}
    for name, function in inspect.getmembers(hookspecs, inspect.isfunction):
        if name.startswith("robustbench_rs_"):
            found[name] = f"{name}() -> {function.__annotations__['return']}"
            assert not inspect.signature(function).parameters
    return found


def test_every_kind_has_its_hook() -> None:
    assert sorted(hooks()) == sorted(f"robustbench_rs_{kind}s" for kind in KINDS)


def test_every_hook_is_documented_with_its_exact_signature(root: Path) -> None:
    headings = re.findall(r"^### `(.+)`$", (root / "docs/plugins.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(hooks().values())


@pytest.mark.parametrize("name", hooks())
def test_what_a_hook_is_for_is_said_in_the_same_words(name: str, root: Path) -> None:
    text = " ".join((root / "docs/plugins.md").read_text(encoding="utf-8").split())
    assert " ".join((getattr(hookspecs, name).__doc__ or "").split()) in text


def commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{prefix}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")


COMMANDS = dict(commands(app))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str, root: Path) -> None:
    text = (root / "docs/command-line.md").read_text(encoding="utf-8")
    assert f"`{name}" in text, name
    missing = [
        spelled
        for parameter in COMMANDS[name].params
        if isinstance(parameter, click.Option)
        for spelled in parameter.opts
        if not re.search(rf"(?<![\w-]){re.escape(spelled)}(?![\w-])", text)
    ]
    assert missing == []


@pytest.mark.parametrize("page", DOCS)
def test_links_lead_somewhere(page: str, root: Path) -> None:
    file = root / page
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", file.read_text(encoding="utf-8"))
    assert [target for target in targets if not (file.parent / target).exists()] == []


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_executor_of_the_documentation_loads(root: Path, tmp_path: Path) -> None:
    (code,) = blocks((root / "docs/plugins.md").read_text(encoding="utf-8"), "python")
    file = tmp_path / "sequential.py"
    file.write_text(code)
    registry = load_registry([file])
    assert registry.find("executor", "sequential").name == "sequential"


def test_the_changelog_names_every_plugin(root: Path) -> None:
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    registry = load_registry()
    named = {name for kind in KINDS for name in registry.names(kind)}
    assert [name for name in sorted(named) if f"`{name}`" not in text] == []


def test_every_entry_point_is_one_module_of_its_own(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    entries = project["project"]["entry-points"]["robustbench_rs"]
    assert len(set(entries.values())) == len(entries)
    assert all(name.partition("-")[0] in KINDS for name in entries)


def test_ci_runs_the_commands_of_the_readme(root: Path) -> None:
    readme = [
        line for block in blocks((root / "README.md").read_text(encoding="utf-8"), "sh") for line in block.splitlines()
    ]
    first, second = [line for line in readme if line.startswith("python3 -m venv")]
    script = (root / ".ci/run").read_text(encoding="utf-8")
    assert first in script
    assert re.sub(r".*&& ", "", second) in script
    assert "-c constraints.txt -e '.[test]'" in script
    assert "|| true" not in script
