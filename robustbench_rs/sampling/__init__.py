"""The Monte-Carlo engine and its random streams."""

from robustbench_rs.sampling.blocks import Laws
from robustbench_rs.sampling.job import SamplingJob
from robustbench_rs.sampling.requests import CLEAN, ENUMERATION, StageRequest
from robustbench_rs.sampling.streams import block_generator, block_rows

__all__ = ["CLEAN", "ENUMERATION", "Laws", "SamplingJob", "StageRequest", "block_generator", "block_rows"]
