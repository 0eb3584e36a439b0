"""Specs: from YAML, with includes, settings and sweeps, to one validated and expanded :class:`Spec`."""

from robustbench_rs.spec.json_schema import json_schema
from robustbench_rs.spec.load import load_spec, spec_from_mapping
from robustbench_rs.spec.optimize import Objective, Optimize, with_parameters
from robustbench_rs.spec.radii import RadiusRange
from robustbench_rs.spec.schema import Certification, Defense, Prediction, ReportOptions, Spec
from robustbench_rs.spec.shipped import find_spec, shipped_specs
from robustbench_rs.spec.validation import ValidationOptions, ValidationSpec

__all__ = [
    "Certification",
    "Defense",
    "Objective",
    "Optimize",
    "Prediction",
    "RadiusRange",
    "ReportOptions",
    "Spec",
    "ValidationOptions",
    "ValidationSpec",
    "find_spec",
    "json_schema",
    "load_spec",
    "shipped_specs",
    "spec_from_mapping",
    "with_parameters",
]
