"""The registry: components by kind and name, who owns them, and which plugins are broken."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType, ModuleType

from robustbench_rs.api import Bound, Component, Dataset, Executor, Model, Noise, Params, Reporter, Solver, Training
from robustbench_rs.errors import PluginError, did_you_mean

KINDS: Mapping[str, type[Component]] = MappingProxyType(
    {base.kind: base for base in (Noise, Solver, Bound, Model, Dataset, Training, Executor, Reporter)}
)
"""Plugin kind -> base class. The hook of a kind is ``robustbench_rs_<kind>s``."""

MAX_BROKEN_SHOWN = 2

RESERVED_NAMES = frozenset({"auto", "all"})
"""What a spec writes where a solver's name stands to mean "the best" and "every one"."""


@dataclass(frozen=True)
class Owner:
    """Who provides a plugin. ``identity`` enters the identity of results: it changes when the code may have."""

    plugin: str
    origin: str
    identity: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.plugin} ({self.origin})"


@dataclass(frozen=True)
class Broken:
    """A plugin that could not be loaded, and why."""

    plugin: str
    origin: str
    error: str

    def __str__(self) -> str:
        return f"plugin {self.plugin} ({self.origin}) is BROKEN: {self.error}"


@dataclass
class Registry:
    """All loaded components. ``modules``: one-file plugins by file name without extension."""

    broken: list[Broken] = field(default_factory=list)
    modules: dict[str, ModuleType] = field(default_factory=dict)
    _components: dict[tuple[str, str], tuple[type[Component], Owner]] = field(default_factory=dict)

    def add(self, kind: str, component: type[Component], owner: Owner) -> None:
        """Register one class. Raises :class:`PluginError` when it is malformed or its name is taken."""
        self._check(kind, component, owner)
        key = (kind, component.name)
        if key in self._components:
            both = f"{self._components[key][1]} and {owner}"
            raise PluginError(f"two plugins provide the {kind} {component.name!r}: {both}; remove one of them")
        self._components[key] = (component, owner)

    def find(self, kind: str, name: str) -> type[Component]:
        """The class of that kind and name; ``LookupError`` saying what there is and what may be missing."""
        if (kind, name) in self._components:
            return self._components[kind, name][0]
        message = f"unknown {kind} {name!r}{did_you_mean(name, self.names(kind))}"
        if self.broken:
            message += "; " + "; ".join(str(broken) for broken in self.broken[:MAX_BROKEN_SHOWN])
        if len(self.broken) > MAX_BROKEN_SHOWN:
            message += f"; {len(self.broken) - MAX_BROKEN_SHOWN} more are BROKEN, see 'robustbench-rs plugins list'"
        raise LookupError(message)

    def names(self, kind: str) -> list[str]:
        """Names of one kind, sorted."""
        return sorted(name for other, name in self._components if other == kind)

    def components(self, kind: str) -> list[type[Component]]:
        """Classes of one kind, sorted by name."""
        return [self._components[kind, name][0] for name in self.names(kind)]

    def owner(self, component: type[Component]) -> Owner:
        """Who registered this class."""
        return self._components[component.kind, component.name][1]

    def owners(self) -> Sequence[Owner]:
        """All owners, sorted, each once."""
        return sorted({owner for _, owner in self._components.values()}, key=lambda owner: (owner.origin, owner.plugin))

    def provided_by(self, owner: Owner) -> list[tuple[str, str]]:
        """(kind, name) of everything that an owner registered, sorted."""
        return sorted(key for key, (_, other) in self._components.items() if other == owner)

    def _check(self, kind: str, component: type[Component], owner: Owner) -> None:
        if problem := _problem(kind, component):
            raise PluginError(f"plugin {owner}: {problem}")


def _problem(kind: str, component: type[Component]) -> str | None:
    base = KINDS[kind]
    if not (inspect.isclass(component) and issubclass(component, base)):
        return f"hook robustbench_rs_{kind}s must return subclasses of {base.__name__}, not {component!r}"
    name = getattr(component, "name", None)
    if not isinstance(name, str) or not name or name in RESERVED_NAMES:
        return f"{component.__name__} needs a class attribute 'name', a string that is not reserved; got {name!r}"
    if missing := sorted(component.__abstractmethods__):
        return f"{kind} {name!r} does not implement {', '.join(missing)}"
    if not (inspect.isclass(component.Params) and issubclass(component.Params, Params)):
        return f"{kind} {name!r}: its Params must derive from robustbench_rs.api.Params"
    return None
