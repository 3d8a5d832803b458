"""A GRU over packed sequences, the base of the context and the speaker encoder."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from graphfusion._kernels.gru import PackedGRU
from graphfusion._kernels.padded_gru import padded_gru
from graphfusion._kernels.switch import takes_padded, use_operators
from graphfusion._utils.checks import check_bool, check_dtype, check_real, check_size, check_tensor
from graphfusion.data.packing import PackedIndices
from graphfusion.data.padding import PaddedIndices


class RecurrentEncoder(torch.nn.Module):
    """A GRU over packed sequences, without padding.

    :class:`ContextEncoder` and :class:`SpeakerEncoder` document its arguments.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        num_layers: int = 2,
        dropout: float = 0.0,
        bidirectional: bool = True,
    ) -> None:
        super().__init__()
        check_size("in_channels", in_channels)
        check_size("hidden_channels", hidden_channels)
        check_size("num_layers", num_layers)
        check_real("dropout", dropout, 0, 1)
        check_bool("bidirectional", bidirectional)
        self.in_channels = in_channels
        self.hidden_channels = hidden_channels
        self.rnn = PackedGRU(
            in_channels,
            hidden_channels,
            num_layers,
            bidirectional=bidirectional,
            # PyTorch drops out between layers and warns where there is nothing between.
            dropout=dropout if num_layers > 1 else 0.0,
        )

    @property
    def out_channels(self) -> int:
        """Size of the output: `hidden_channels` for each direction."""
        return self.hidden_channels * (2 if self.rnn.bidirectional else 1)

    def reset_parameters(self) -> None:
        """Draws new weights."""
        self.rnn.reset_parameters()

    def _check(self, x: Tensor, shape: Sequence[int | str]) -> None:
        check_tensor("x", x, shape)
        check_dtype("x", x, next(self.rnn.parameters()))

    def _encode(self, x: Tensor, sequences: PackedIndices | PaddedIndices) -> Tensor:
        """Encodes `[n, ..., C]` to `[n, ..., out_channels]`; zeros for items in no sequence.

        What lies along further axes takes the same places in sequences of its own.
        """
        if isinstance(sequences, PaddedIndices):
            return self._encode_padded(x, sequences)
        data = x.index_select(0, sequences.order)
        encoded: Tensor = self._run(data.reshape(-1, x.size(-1)), sequences)
        out = encoded.new_zeros(*x.shape[:-1], encoded.size(-1))
        return out.index_copy_(0, sequences.order, encoded.view(*data.shape[:-1], encoded.size(-1)))

    def _encode_padded(self, x: Tensor, sequences: PaddedIndices) -> Tensor:
        """The same of `[n, C]` in plain operators, in evaluation."""
        order, first, present = sequences
        steps = x.index_select(0, order.flatten()).view(*order.shape, self.in_channels)
        encoded = padded_gru(self.rnn, steps, first, present)
        encoded = encoded.where(present.unsqueeze(2), 0).flatten(0, 1)
        return torch.zeros_like(encoded).index_copy(0, order.flatten(), encoded)

    def _run(self, data: Tensor, sequences: PackedIndices) -> Tensor:
        if len(data) == 0:  # nothing is present, and a GRU takes no empty sequence
            # A gradient of zero for each weight, for DistributedDataParallel waits for all.
            zero = sum(weight.flatten()[:0].sum() for weight in self.rnn.parameters())
            return data[:, :1].expand(-1, self.out_channels) + zero
        out: Tensor
        if takes_padded(data) and self.rnn.is_small:
            out = self._run_padded(data, sequences)
            return out
        batch_sizes = sequences.batch_sizes * (len(data) // len(sequences.order))
        run = self.rnn.encode if use_operators(data) else self._run_packed
        out = run(data, batch_sizes)
        return out

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _run_padded(self, data: Tensor, sequences: PackedIndices) -> Tensor:
        order, batch_sizes, places = sequences
        items = data.view(len(order), -1, data.size(-1))
        steps, count = len(batch_sizes), int(batch_sizes[0])
        encoded: Tensor = self.rnn.encode_padded(items, places, steps, count)
        return encoded.flatten(0, 1)

    # PyTorch's own GRU and PackedSequence cannot be traced (torch 2.13).
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _run_packed(self, data: Tensor, batch_sizes: Tensor) -> Tensor:
        encoded: Tensor = self.rnn(PackedSequence(data, batch_sizes))[0].data
        return encoded

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.hidden_channels})"
