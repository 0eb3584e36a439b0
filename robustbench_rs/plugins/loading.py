"""Loading plugins: entry points one by one, then one-file plugins. A broken one is noted and the rest goes on."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

import pluggy

from robustbench_rs import hookspecs
from robustbench_rs.errors import InputError, PluginError, did_you_mean
from robustbench_rs.plugins.registry import KINDS, Broken, Owner, Registry

GROUP = "robustbench_rs"


def load_registry(files: Iterable[Path] = (), *, strict: bool = False) -> Registry:
    """All installed plugins (entry points of the group ``robustbench_rs``) and the given one-file plugins.

    A plugin that cannot be loaded is listed in ``Registry.broken``; with ``strict`` it is an error. Raises
    :class:`InputError` for a file that does not exist and :class:`PluginError` for a name that two plugins provide.
    """
    registry = Registry()
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        _load_entry_point(manager, registry, entry)
    for file in files:
        _load_file(manager, registry, file)
    if strict and registry.broken:
        raise PluginError("\n".join(str(broken) for broken in registry.broken))
    return registry


def _load_entry_point(manager: pluggy.PluginManager, registry: Registry, entry: EntryPoint) -> None:
    origin = f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "no distribution"
    try:
        module = entry.load()
    except BaseException as error:
        _reraise_interrupt(error)
        registry.broken.append(Broken(entry.name, origin, _describe(error)))
        return
    _register(manager, registry, module, Owner(entry.name, origin, origin, _source_hash(module)))


def _load_file(manager: pluggy.PluginManager, registry: Registry, file: Path) -> None:
    if not file.is_file():
        raise InputError(f"-p {file}: no such file")
    stem = re.sub(r"\W", "_", file.stem)
    if stem in registry.modules:
        raise InputError(f"-p {file}: another plugin file is called {stem!r} too; rename one of them")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    try:
        module = _import_file(f"robustbench_rs_file_{stem}", file)
    except BaseException as error:
        _reraise_interrupt(error)
        registry.broken.append(Broken(file.name, str(file), _describe(error)))
        return
    registry.modules[stem] = module
    _register(manager, registry, module, Owner(file.name, str(file), f"{file.name} sha256:{digest}", digest))


def _import_file(name: str, file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python file (its name must end in .py)")
    module = importlib.util.module_from_spec(spec)
    # Worker processes unpickle the plugin's classes by this name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _register(manager: pluggy.PluginManager, registry: Registry, module: ModuleType, owner: Owner) -> None:
    """Register with pluggy, refuse misspelled hooks, and collect what the hooks return."""
    try:
        manager.register(module, name=f"{owner.plugin} {owner.origin}")
        _refuse_unknown_hooks(module)
        provided = [(kind, component) for kind in KINDS for component in _call_hook(manager, module, kind)]
        for kind, component in provided:
            Registry().add(kind, component, owner)
    except Exception as error:
        manager.unregister(module)
        registry.broken.append(Broken(owner.plugin, owner.origin, _describe(error)))
        return
    for kind, component in provided:
        registry.add(kind, component, owner)


def _refuse_unknown_hooks(module: ModuleType) -> None:
    """What pluggy's ``check_pending`` refuses, with the name that was probably meant."""
    hooks = [f"{GROUP}_{kind}s" for kind in KINDS]
    for name, function in vars(module).items():
        if hasattr(function, f"{GROUP}_impl") and name not in hooks:
            raise PluginError(f"there is no hook {name!r}{did_you_mean(name, hooks)}")


def _call_hook(manager: pluggy.PluginManager, module: ModuleType, kind: str) -> list[type]:
    others = [plugin for plugin in manager.get_plugins() if plugin is not module]
    caller = manager.subset_hook_caller(f"robustbench_rs_{kind}s", others)
    try:
        return [component for components in caller() for component in components]
    except Exception as error:
        raise PluginError(f"its hook robustbench_rs_{kind}s raised {_describe(error)}") from error


def _reraise_interrupt(error: BaseException) -> None:
    """``sys.exit`` in a plugin makes the plugin broken; Ctrl-C is the user's."""
    if not isinstance(error, Exception | SystemExit):
        raise error


def _describe(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    name = type(error).__name__
    if isinstance(error, PluginError) and text:
        return text[0]
    return f"{name}: {text[0]}" if text else name


def _source_hash(module: ModuleType) -> str:
    try:
        return hashlib.sha256(Path(inspect.getfile(module)).read_bytes()).hexdigest()
    except (OSError, TypeError):
        return ""
