"""Wrapper of `torch.export`, with the settings that exported loops need."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch._dynamo

ANY = torch.export.Dim.DYNAMIC


@contextmanager
def export_context() -> Iterator[None]:
    """Context for export, without gradients and without automatic dynamic shapes.

    Otherwise, tensors saved for gradients and sizes of earlier calls become inputs of the bodies
    of loops (torch 2.13).
    """
    with torch.no_grad(), torch._dynamo.config.patch(automatic_dynamic_shapes=False):
        yield


def export(
    module: torch.nn.Module, example: tuple[Any, ...], shapes: tuple[Any, ...]
) -> torch.export.ExportedProgram:
    """Exports a module.

    Args:
        module: The module to export.
        example: Example arguments.
        shapes: The dynamic axes of each argument, as `{axis: ANY}`.
    """
    with export_context():
        return torch.export.export(module, example, dynamic_shapes=shapes)
