"""Models as graphs of plain operators, for `torch.export` and ONNX."""

from graphfusion.export.onnx import to_onnx
from graphfusion.export.padded import PaddedBatch, PaddedModel
from graphfusion.export.streaming import StreamingStep

__all__ = ["PaddedBatch", "PaddedModel", "StreamingStep", "to_onnx"]
