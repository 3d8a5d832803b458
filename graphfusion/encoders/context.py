"""The context encoder: a GRU over each conversation."""

from torch import Tensor

from graphfusion.data.layout import BatchLayout, as_layout
from graphfusion.data.masking import restore_valid, screen
from graphfusion.encoders.recurrent import RecurrentEncoder


class ContextEncoder(RecurrentEncoder):
    """Encodes each conversation's utterances, in order, by a GRU (MM-DFN, modality encoder).

    Args:
        in_channels: Size C of each vector.
        hidden_channels: Size H of a direction.
        num_layers: Number of layers.
        dropout: Probability of dropping a value between layers.
        bidirectional: Whether it reads in both directions, so that the output has 2H channels, or
            forward only, so that it has H.

    Raises:
        TypeError: If an argument is not a number, or `bidirectional` not a bool.
        ValueError: If a size is not positive or `dropout` is not a probability.

    Shapes:
        - **input:** `x [U, C]`, `ptr [B + 1]` or the batch's layout.
        - **output:** `[U, 2 * H]`.

    Example:
        >>> import torch
        >>> ContextEncoder(8, 4)(torch.randn(5, 8), torch.tensor([0, 3, 5])).shape
        torch.Size([5, 8])
    """

    def forward(
        self, x: Tensor, ptr: Tensor | BatchLayout, modality: int | str | None = None
    ) -> Tensor:
        """Encodes one modality.

        Args:
            x: `[U, C]`.
            ptr: `[B + 1]`, or the batch's layout.
            modality: The modality of `x`, by its column in the layout's `present` or by its name.
                Utterances without it are skipped, not stepped through.

        Returns:
            `[U, out_channels]`; zeros where the modality is absent, NaN in conversations with NaN.

        Raises:
            TypeError: If `x` is not of the module's dtype.
            ValueError: If shapes disagree, or modalities are absent and `modality` is None.
        """
        self._check(x, ["U", self.in_channels])
        layout = as_layout(ptr, x.device)
        self._check(x, [layout.num_utterances, self.in_channels])
        sequences = layout.conversation_sequences[layout.column(modality)]
        x, valid = screen(x, layout, modality)
        return restore_valid(self._encode(x, sequences), valid)
