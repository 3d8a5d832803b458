"""Recurrent encoding of sequences of unequal length, none of which sees another's padding."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from graphfusion._kernels.gru import PackedGRU
from graphfusion._utils.checks import check_bool, check_dtype, check_real, check_size, check_tensor
from graphfusion.data.layout import PackedIndices


class RecurrentEncoder(torch.nn.Module):
    """What the context encoder and the speaker encoder share: a GRU, and its checks.

    They document its arguments.
    """

    def __init__(
        self,
        channels: int,
        hidden_channels: int,
        num_layers: int = 2,
        dropout: float = 0.0,
        bidirectional: bool = True,
    ) -> None:
        super().__init__()
        check_size("channels", channels)
        check_size("hidden_channels", hidden_channels)
        check_size("num_layers", num_layers)
        check_real("dropout", dropout, 0, 1)
        check_bool("bidirectional", bidirectional)
        self.channels = channels
        self.hidden_channels = hidden_channels
        self.rnn = PackedGRU(
            channels,
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

    def _encode(self, x: Tensor, sequences: PackedIndices) -> Tensor:
        """Encodes `[n, ..., C]` to `[n, ..., out_channels]`; zeros for items in no sequence.

        What lies along further axes takes the same places in sequences of its own.
        """
        data = x.index_select(0, sequences.order)
        encoded: Tensor = self._run(data.reshape(-1, x.size(-1)), sequences)
        out = encoded.new_zeros(*x.shape[:-1], encoded.size(-1))
        return out.index_copy(0, sequences.order, encoded.view(*data.shape[:-1], encoded.size(-1)))

    # Neither GRUs nor PackedSequence can be traced (torch 2.13).
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _run(self, data: Tensor, sequences: PackedIndices) -> Tensor:
        if len(data) == 0:  # nothing is present, and a GRU takes no empty sequence
            return data[:, :1].expand(-1, self.out_channels)
        rows = len(data) // len(sequences.order)
        encoded: Tensor = self.rnn(PackedSequence(data, sequences.batch_sizes * rows))[0].data
        return encoded

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.channels}, {self.hidden_channels})"


class RecurrentState:
    """Where an encoder that reads forward alone stands in sequences that go on.

    Args:
        encoder: The encoder.
        size: How many sequences there are, along any axes.

    Attributes:
        state: `[num_layers, *size, H]`, what the encoder remembers of each; zeros at the start.
    """

    growing: ClassVar[dict[str, int]] = {}

    def __init__(self, encoder: RecurrentEncoder, *size: int) -> None:
        self.encoder = encoder
        like = next(encoder.parameters()).detach()
        self.state = like.new_zeros(encoder.rnn.num_layers, *size, encoder.hidden_channels)

    def step(self, x: Tensor, here: Tensor, *sequences: Tensor) -> Tensor:
        """Takes one step in some of the sequences.

        Args:
            x: `[n, ..., C]`, the next items.
            here: `[n, ...]` bool, whether there is one; where there is none, nothing happens.
            sequences: `[n]` int64 for each leading axis, which sequences they are.

        Returns:
            The items' encodings, `[n, ..., H]`; zeros where there is none.
        """
        place: tuple[slice | Tensor, ...] = slice(None), *(each.to(x.device) for each in sequences)
        old = self.state[place]
        items = x.reshape(1, -1, x.size(-1))
        new = self.encoder.rnn(items, old.flatten(1, -2))[1].view(old.shape).to(old.dtype)
        here = here.unsqueeze(-1)
        self.state[place] = new.where(here, old)
        out: Tensor = new[-1].where(here, 0)
        return out
