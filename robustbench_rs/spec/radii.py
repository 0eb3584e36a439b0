"""The grid of radii at which a report's tables give the certified accuracy."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from robustbench_rs.api import Params
from robustbench_rs.spec.fields import Radius

MAX_GRID = 10_000


class RadiusRange(Params):
    """``start``, ``start + step``, ... up to and including ``stop``, in input units."""

    start: Radius = 0.0
    stop: Radius
    step: float = Field(gt=0)

    @model_validator(mode="after")
    def _bounded(self) -> RadiusRange:
        if self.stop < self.start:
            raise ValueError(f"'stop' ({self.stop}) must not be below 'start' ({self.start})")
        # In floats first: an absurd quotient does not fit into Decimal's precision.
        if (self.stop - self.start) / self.step > MAX_GRID or self._steps() >= MAX_GRID:
            raise ValueError(f"more than {MAX_GRID:,} radii: choose a larger 'step'")
        return self

    def _steps(self) -> int:
        return int((Decimal(repr(self.stop)) - Decimal(repr(self.start))) // Decimal(repr(self.step)))

    def grid(self) -> tuple[float, ...]:
        """The radii, as decimal multiples: 0.3, not 0.1 + 0.1 + 0.1."""
        start, step = Decimal(repr(self.start)), Decimal(repr(self.step))
        return tuple(float(start + index * step) for index in range(self._steps() + 1))


def _ascending(radii: tuple[float, ...]) -> tuple[float, ...]:
    for before, after in itertools.pairwise(radii):
        if after <= before:
            raise ValueError(f"radii must ascend, but {after} follows {before}")
    return radii


RadiusList = Annotated[tuple[Radius, ...], Field(min_length=1, max_length=MAX_GRID), AfterValidator(_ascending)]

RadiiChoice = Annotated[
    Annotated[RadiusRange, Tag("range")] | Annotated[RadiusList, Tag("list")],
    Discriminator(lambda value: "range" if isinstance(value, Mapping | RadiusRange) else "list"),
]
"""``{start, stop, step}`` or a list."""
