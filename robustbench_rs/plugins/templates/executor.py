"""An executor. Change the loop to hand the parts to your workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from robustbench_rs.api import Chunk, Executor, Job, hookimpl


class Example(Executor):
    """One part per device, one after the other, in this process."""

    name = "example"
    # Parameters, if any, stand in a nested `class Params(Params)` and arrive as self.params.

    def execute(self, job: Job, devices: Sequence[str], emit: Callable[[Chunk], None]) -> None:
        """Run the whole job; every finished chunk goes to ``emit``, in this process and thread."""
        for device, part in zip(devices, job.parts(len(devices)), strict=False):
            part.run(device, emit)


@hookimpl
def robustbench_rs_executors() -> list[type[Example]]:
    """The executors of this file."""
    return [Example]
