"""MM-DFN to ONNX, for any batch: its layout, worked out on the host as ever, is an input.

The TorchScript exporter it has to be (`dynamo=False`): the other one unrolls a packed GRU to the
length that it is shown. What the exporter lacks is said in other words here (torch 2.13).
"""

import copy
import io
from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from graphfusion import MMDFN, BatchLayout
from graphfusion._kernels.lstm import NodeLSTM
from graphfusion.data.layout import PackedIndices
from graphfusion.encoders.recurrent import RecurrentEncoder

PLACES = (
    "batch",
    "blocks",
    "slot",
    "order",
    "sizes",
    "speaker_order",
    "speaker_sizes",
    "speaker_id",
)


def arrays(features: dict[str, Tensor], layout: BatchLayout) -> dict[str, np.ndarray]:
    """What an exported model takes; nothing may be absent from the batch."""
    return {name: each.numpy() for name, each in (features | _places(layout)).items()}


def export(model: MMDFN, features: dict[str, Tensor], layout: BatchLayout) -> bytes:
    """The model as it is in evaluation, with the output "logits", for batches of any lengths."""
    inputs = features | _places(layout)
    axes = {name: {0: f"{name}_size"} for name in inputs} | {"blocks": {0: "N", 1: "T"}}
    file = io.BytesIO()
    with _other_words():
        torch.onnx.export(
            _Flat(model).eval(),
            tuple(inputs.values()),
            file,
            dynamo=False,
            opset_version=17,
            input_names=list(inputs),
            output_names=["logits"],
            dynamic_axes=axes,
        )
    return file.getvalue()


def _places(layout: BatchLayout) -> dict[str, Tensor]:
    values = (
        layout.batch,
        layout.blocks,
        layout.slot,
        *layout.conversation_sequences[0],
        *layout.speaker_sequences,
        layout.speaker_id,
    )
    return dict(zip(PLACES, values, strict=True))


class _Flat(torch.nn.Module):
    """The model from plain tensors: the features, then those of the layout."""

    def __init__(self, model: MMDFN) -> None:
        super().__init__()
        self.model = copy.deepcopy(model)
        for module in self.model.modules():
            if isinstance(module, RecurrentEncoder):
                module._run = MethodType(_run, module)
            if isinstance(module, NodeLSTM):
                module.step = MethodType(_step, module)

    def forward(self, *inputs: Tensor) -> Tensor:
        names = self.model.in_channels
        features = dict(zip(names, inputs, strict=False))
        batch, blocks, slot, *sequences, speaker_id = inputs[len(names) :]
        layout = BatchLayout.__new__(BatchLayout)
        layout.ptr = layout.batch = batch
        layout.blocks, layout.slot = blocks, slot
        layout.speaker = layout.present = layout.num_modalities = layout.modalities = None
        layout.is_screened = False
        layout.conversation_sequences = (PackedIndices(*sequences[:2]),)
        layout.speaker_sequences = PackedIndices(*sequences[2:])
        layout.speaker_id = speaker_id
        return self.model(features, layout)


def _run(encoder: RecurrentEncoder, data: Tensor, sequences: PackedIndices) -> Tensor:
    """The exporter knows a PackedSequence only as what `pack_padded_sequence` returns."""
    sizes = sequences.batch_sizes * (len(data) // len(sequences.order))
    here = torch.arange(sizes[0]) < sizes.unsqueeze(1)
    place = here.flatten().long().cumsum(0) - 1
    padded = data[place].view(here.shape[0], here.shape[1], -1)
    packed = pack_padded_sequence(padded, here.sum(0))
    out, _ = pad_packed_sequence(encoder.rnn(packed)[0])
    return out.flatten(0, 1)[here.flatten()]


def _step(cell: NodeLSTM, q: Tensor, g: Tensor, c: Tensor, _: object) -> tuple[Tensor, Tensor]:
    """Neither an autograd.Function that works in place nor LSTMCell's chunks can be exported."""
    linear = torch.nn.functional.linear
    gates = linear(q, cell.weight_ih, cell.bias_ih) + linear(g, cell.weight_hh, cell.bias_hh)
    i, f, s, o = gates.split([cell.hidden_size] * 4, -1)
    c = f.sigmoid() * c + i.sigmoid() * s.tanh()
    return o.sigmoid() * c.tanh(), c


@contextmanager
def _other_words() -> Iterator[None]:
    def transpose(graph, x):
        axes = list(range(x.type().dim()))
        return graph.op("Transpose", x, perm_i=[*axes[:-2], axes[-1], axes[-2]])

    torch.onnx.register_custom_op_symbolic("aten::mT", transpose, 17)
    try:
        yield
    finally:
        torch.onnx.unregister_custom_op_symbolic("aten::mT", 17)
