"""``include: [base.yaml]``: maps merge, lists replace, the including file wins."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from robustbench_rs.errors import Problem, SpecError, shorten
from robustbench_rs.spec.nodes import ListNode, MapNode, Node, ScalarNode
from robustbench_rs.spec.yaml_nodes import read_nodes

KEY = "include"


@dataclass
class Includes:
    """Reads files and what they include. ``incomplete``: a file could not be read, so keys may seem to be missing."""

    problems: list[Problem] = field(default_factory=list)
    incomplete: bool = False

    def read(self, path: Path) -> MapNode:
        """The merged tree of a file. Raises :class:`SpecError` when the file itself cannot be read."""
        return self.expand(read_nodes(path, self.problems), (path,))

    def expand(self, root: MapNode, chain: tuple[Path, ...] = ()) -> MapNode:
        """``root`` on top of everything that it includes. ``chain``: the files being read, outermost first."""
        wanted = root.entries.get(KEY)
        own = replace(root, entries={key: node for key, node in root.entries.items() if key != KEY})
        if wanted is None:
            return own
        merged = MapNode(root.mark, {})
        for name in self._names(wanted):
            merged = merge(merged, self._include(name, chain))
        return merge(merged, own)

    def _names(self, wanted: Node) -> list[ScalarNode]:
        names = list(wanted.items) if isinstance(wanted, ListNode) else [wanted]
        good = [name for name in names if isinstance(name, ScalarNode) and isinstance(name.value, str) and name.value]
        if len(good) < len(names):
            self._fail(wanted.problem("must be a list of file names", KEY))
        return good

    def _include(self, name: ScalarNode, chain: tuple[Path, ...]) -> MapNode:
        nothing = MapNode(name.mark, {})
        path = name.mark.source.folder / str(name.value)
        try:
            resolved = path.resolve()
        except (OSError, ValueError, RuntimeError):  # a NUL in the name; links in a circle
            self._fail(name.problem(f"cannot include {shorten(name.value)}: no such file", KEY))
            return nothing
        files = [file.resolve() for file in chain]
        if resolved in files:
            circle = [*chain[files.index(resolved) :], path]
            names = " -> ".join(file.name for file in circle)
            self._fail(name.problem(f"files include each other in a circle: {names}", KEY))
            return nothing
        try:
            return self.expand(read_nodes(path, self.problems), (*chain, path))
        except SpecError as error:
            if not path.is_file():
                self._fail(name.problem(f"cannot include {shorten(name.value)}: no such file ({path})", KEY))
            else:
                self._fail(*error.problems)
            return nothing

    def _fail(self, *problems: Problem) -> None:
        self.problems.extend(problems)
        self.incomplete = True


def merge(base: MapNode, top: MapNode) -> MapNode:
    """Maps merge key by key, at every depth; of everything else, ``top``'s wins."""
    entries = dict(base.entries)
    for key, node in top.entries.items():
        below = entries.get(key)
        both_maps = isinstance(below, MapNode) and isinstance(node, MapNode)
        entries[key] = merge(below, node) if both_maps else node  # type: ignore[arg-type]
    return replace(top, entries=entries)
