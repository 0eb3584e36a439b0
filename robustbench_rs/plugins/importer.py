"""Python objects named in a spec: imported only when the command line allowed their module."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from robustbench_rs.errors import InputError


class AllowedImporter:
    """Resolves ``package.module:attribute`` for modules given by ``--allow-import`` or plugin files given by ``-p``."""

    def __init__(self, allowed: Iterable[str] = (), files: Mapping[str, ModuleType] | None = None) -> None:
        self._allowed = frozenset(allowed)
        self._files = dict(files or {})

    def load(self, reference: str) -> Any:
        """The named object. Raises :class:`InputError` when it was not allowed or does not exist."""
        module_name, colon, attribute = reference.partition(":")
        if not (module_name and colon and attribute):
            raise InputError(f"{reference!r} is not of the form 'package.module:function'")
        found: Any = self._module(module_name, reference)
        for part in attribute.split("."):
            if not hasattr(found, part):
                raise InputError(f"{reference!r}: module {module_name!r} has no {attribute!r}")
            found = getattr(found, part)
        return found

    def _module(self, name: str, reference: str) -> ModuleType:
        if name in self._files:
            return self._files[name]
        if name not in self._allowed:
            raise InputError(
                f"{reference!r} would run Python code, which a spec alone cannot do; "
                f"allow it with --allow-import {name} (or give its file with -p FILE)"
            )
        try:
            return importlib.import_module(name)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise InputError(f"cannot import {name!r} (allowed by --allow-import): {reason}") from error
