"""What a plugin author implements and imports. Importing this package never imports torch.

One module per plugin kind; a plugin is a subclass of the kind's base class, returned by the hook
``robustbench_rs_<kind>s``, marked with :data:`hookimpl`.
"""

from __future__ import annotations

import pluggy

from robustbench_rs.api.bound import Bound, Limits
from robustbench_rs.api.component import Choice, ChoiceOf, Component, Directory, LocatedStr, Params, SpecPath
from robustbench_rs.api.dataset import ArrayImages, Dataset, DatasetParams, Images, content_digest
from robustbench_rs.api.executor import Chunk, Executor, Job, StageCounts
from robustbench_rs.api.model import Importer, Inputs, Model, ModelParams
from robustbench_rs.api.noise import ClosedForm, Condition, Noise, NoiseParams
from robustbench_rs.api.product_noise import ProductNoise
from robustbench_rs.api.progress import Progress, SilentProgress
from robustbench_rs.api.radial_noise import RadialNoise
from robustbench_rs.api.report import Report
from robustbench_rs.api.reporter import Reporter
from robustbench_rs.api.solver import Guarantee, MemoryTables, Radii, Solver, Tables
from robustbench_rs.api.training import Training, TrainingParams, TrainingRun
from robustbench_rs.api.vector_noise import VectorNoise

hookimpl = pluggy.HookimplMarker("robustbench_rs")

__all__ = [
    "ArrayImages",
    "Bound",
    "Choice",
    "ChoiceOf",
    "Chunk",
    "ClosedForm",
    "Component",
    "Condition",
    "Dataset",
    "DatasetParams",
    "Directory",
    "Executor",
    "Guarantee",
    "Images",
    "Importer",
    "Inputs",
    "Job",
    "Limits",
    "LocatedStr",
    "MemoryTables",
    "Model",
    "ModelParams",
    "Noise",
    "NoiseParams",
    "Params",
    "ProductNoise",
    "Progress",
    "RadialNoise",
    "Radii",
    "Report",
    "Reporter",
    "SilentProgress",
    "Solver",
    "SpecPath",
    "StageCounts",
    "Tables",
    "Training",
    "TrainingParams",
    "TrainingRun",
    "VectorNoise",
    "content_digest",
    "hookimpl",
]
