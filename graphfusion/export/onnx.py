"""ONNX files of what is exported."""

from os import PathLike

import torch

from graphfusion._utils.extras import require
from graphfusion.export.padded import PaddedModel
from graphfusion.export.program import plainly
from graphfusion.export.streaming import StreamingStep


def to_onnx(module: PaddedModel | StreamingStep, file: str | PathLike[str]) -> None:
    """Writes a module as an ONNX model for batches of any size.

    Its inputs and outputs have the names `module.input_names` and `module.output_names`.

    Args:
        module: What to write.
        file: The path of a file.

    Raises:
        ImportError: If onnx or onnxscript is not installed.
    """
    require("onnx", "write ONNX")
    with plainly():
        program = torch.onnx.export(
            module.export(),
            dynamo=True,
            input_names=module.input_names,
            output_names=module.output_names,
            verbose=False,
        )
    assert program is not None  # noqa: S101 - for the type checker
    program.save(file)
