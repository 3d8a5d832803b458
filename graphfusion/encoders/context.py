"""Encoders of a modality: its context in the conversation, and which modality it is."""

import torch
from torch import Tensor

from graphfusion._utils.checks import check_dtype, check_size, check_tensor
from graphfusion.data.layout import BatchLayout, as_layout, column_of
from graphfusion.encoders.recurrent import RecurrentEncoder


class ContextEncoder(RecurrentEncoder):
    """A GRU over each conversation (MM-DFN, modality encoder).

    Args:
        channels: Size C of each vector.
        hidden_channels: Size H of a direction.
        num_layers: Number of layers.
        dropout: Probability of dropping a value between layers.
        bidirectional: Whether it reads in both directions, so that the output has 2H channels, or
            forward alone, never looking ahead, so that it has H.

    Raises:
        TypeError: If an argument is not a number, or `bidirectional` not a bool.
        ValueError: If a size is not positive or `dropout` is not a probability.
    """

    def forward(self, x: Tensor, ptr: Tensor | BatchLayout, modality: int | None = None) -> Tensor:
        """Encodes one modality.

        Args:
            x: `[U, C]`.
            ptr: `[B + 1]`, or the batch's layout.
            modality: Which column of the layout's `present` belongs to `x`. Utterances without it
                are skipped, not stepped through.

        Returns:
            `[U, out_channels]`; zeros where the modality is absent.

        Raises:
            ValueError: If shapes disagree, or modalities are absent and `modality` is None.
        """
        self._check(x, ["U", self.channels])
        layout = as_layout(ptr, x.device)
        self._check(x, [layout.num_utterances, self.channels])
        return self._encode(x, layout.conversation_sequences[column_of(layout, modality)])


class ModalityEmbedding(torch.nn.Module):
    """Adds to every node a vector that says of which modality it is.

    Args:
        num_modalities: Number M of modalities.
        channels: Size C of a node's vector.

    Raises:
        ValueError: If a size is not positive.
    """

    def __init__(self, num_modalities: int, channels: int) -> None:
        super().__init__()
        check_size("num_modalities", num_modalities)
        check_size("channels", channels)
        self.embedding = torch.nn.Embedding(num_modalities, channels)

    def reset_parameters(self) -> None:
        """Draws new vectors."""
        self.embedding.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        """Returns `x [U, M, C]` plus each modality's vector.

        Raises:
            ValueError: If the shape of `x` is another.
        """
        check_tensor("x", x, ["U", *self.embedding.weight.shape])
        check_dtype("x", x, self.embedding.weight)
        return x + self.embedding.weight

    def __repr__(self) -> str:
        size, channels = self.embedding.weight.shape
        return f"{type(self).__name__}({size}, {channels})"
