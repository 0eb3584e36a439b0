"""Any torch module that a Python function makes, if the command line allowed its module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from robustbench_rs.api import Importer, Inputs, Model, ModelParams, hookimpl
from robustbench_rs.errors import InputError, RobustbenchError, shorten

if TYPE_CHECKING:
    from torch import nn

Scalar = bool | int | float | str | None


class Python(Model):
    """The module that ``factory(**kwargs)`` returns: inputs (N, C, H, W) in [0, 1] to logits (N, classes).

    A spec never makes code run: the factory's module must be allowed by ``-p FILE`` or ``--allow-import MODULE``.
    """

    name = "python"
    needs_weights = False

    class Params(ModelParams):
        """``factory``: ``package.module:function``. ``kwargs``: its arguments (numbers, texts, true, false)."""

        factory: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")
        kwargs: dict[str, Scalar] = Field(default_factory=dict)

    params: Params

    def build(self, inputs: Inputs, importer: Importer) -> nn.Module:  # noqa: ARG002
        """The factory's module. Raises ``InputError`` when the factory is missing, raises, or returns anything else."""
        from torch import nn

        reference = self.params.factory
        factory = importer.load(reference)
        if not callable(factory):
            raise InputError(
                f"factory {reference}: a {type(factory).__name__}, which cannot be called; name a function"
            )
        try:
            module = factory(**self.params.kwargs)
        except RobustbenchError:
            raise
        except Exception as error:  # anybody's code
            given = shorten(self.params.kwargs)
            raise InputError(f"factory {reference} raised {type(error).__name__}: {error} (kwargs {given})") from error
        if not isinstance(module, nn.Module):
            raise InputError(f"factory {reference} returned {shorten(module)}, not a torch.nn.Module")
        return module


@hookimpl
def robustbench_rs_models() -> list[type[Model]]:
    """The model ``python``."""
    return [Python]
