"""Export to ONNX."""

from os import PathLike

import torch

from graphfusion._utils.extras import require
from graphfusion.export.padded import PaddedModel
from graphfusion.export.program import export_context
from graphfusion.export.streaming import StreamingStep


def to_onnx(module: PaddedModel | StreamingStep, file: str | PathLike[str]) -> None:
    """Exports a module to an ONNX file that accepts batches of any size.

    Inputs and outputs are named by `module.input_names` and `module.output_names`.

    Args:
        module: The module to export.
        file: The path of the file to write.

    Raises:
        ImportError: If onnx or onnxscript is not installed.
    """
    require("onnx", "write ONNX")
    with export_context():
        program = torch.onnx.export(
            module.export(),
            dynamo=True,
            input_names=module.input_names,
            output_names=module.output_names,
            verbose=False,
        )
    assert program is not None  # noqa: S101 - for the type checker
    program.save(file)
