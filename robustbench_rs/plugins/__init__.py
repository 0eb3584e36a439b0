"""Plugin manager: discovery, diagnostics, and the registry in which everything is looked up by kind and name."""

from robustbench_rs.plugins.importer import AllowedImporter
from robustbench_rs.plugins.loading import load_registry
from robustbench_rs.plugins.registry import KINDS, Broken, Owner, Registry

__all__ = ["KINDS", "AllowedImporter", "Broken", "Owner", "Registry", "load_registry"]
