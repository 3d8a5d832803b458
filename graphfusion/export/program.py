"""`torch.export`, as the modules here call it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch._dynamo

ANY = torch.export.Dim.DYNAMIC


@contextmanager
def plainly() -> Iterator[None]:
    """Within it, loops are traced as they are: without gradients, and as if for the first time.

    Else what a gradient would need, or sizes that were met before, would be inputs of their bodies
    (torch 2.13).
    """
    with torch.no_grad(), torch._dynamo.config.patch(automatic_dynamic_shapes=False):
        yield


def export(
    module: torch.nn.Module, example: tuple[Any, ...], shapes: tuple[Any, ...]
) -> torch.export.ExportedProgram:
    """Exports a module.

    Args:
        module: What to export.
        example: Its arguments.
        shapes: For each of them, the axes whose size is free, as `{axis: ANY}`.
    """
    with plainly():
        return torch.export.export(module, example, dynamic_shapes=shapes)
