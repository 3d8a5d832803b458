"""The speaker encoder: a GRU over each speaker's own utterances."""

from einops import rearrange
from torch import Tensor

from graphfusion.data.layout import BatchLayout, as_layout
from graphfusion.data.masking import restore_valid, screen
from graphfusion.encoders.recurrent import RecurrentEncoder


class SpeakerEncoder(RecurrentEncoder):
    """Encodes each speaker's own utterances, in order, by a GRU (MM-DFN, modality encoder).

    It is shared by all speakers and modalities, so that it needs to know neither who they are nor
    how many, and runs over all of them in one call.

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
        - **input:** `x [U, M, C]`, the batch's layout.
        - **output:** `[U, M, 2 * H]`.

    Example:
        >>> import torch
        >>> layout = BatchLayout(torch.tensor([0, 3]), speaker=torch.tensor([0, 1, 0]))
        >>> SpeakerEncoder(8, 4)(torch.randn(3, 2, 8), layout).shape
        torch.Size([3, 2, 8])
    """

    def forward(self, x: Tensor, layout: BatchLayout) -> Tensor:
        """Encodes all modalities.

        Args:
            x: `[U, M, C]`.
            layout: The batch's layout, with its speakers.

        Returns:
            `[U, M, out_channels]`; zeros for absent nodes, which are skipped, not stepped
            through; NaN in conversations with NaN.

        Raises:
            ValueError: If the shapes disagree or the layout has no speakers.
        """
        self._check(x, ["U", "M", self.in_channels])
        layout = as_layout(layout, x.device)
        modalities = "M" if layout.present is None else layout.present.size(1)
        self._check(x, [layout.num_utterances, modalities, self.in_channels])
        if layout.speaker_sequences is None:
            raise ValueError("speaker must be given to the layout, but got none.")
        x, valid = screen(x, layout)
        if layout.present is None:
            return restore_valid(self._encode(x, layout.speaker_sequences), valid)
        nodes = rearrange(x, "u m c -> (u m) c")
        encoded = self._encode(nodes, layout.speaker_sequences)
        return restore_valid(rearrange(encoded, "(u m) c -> u m c", m=x.size(1)), valid)
