"""Who is talking, and what they said before."""

import torch
from torch import Tensor

from graphfusion._checks import check_dtype, check_range, check_size, check_tensor
from graphfusion.geometry import Geometry, as_geometry
from graphfusion.recurrent import RecurrentEncoder


class SpeakerEmbedding(torch.nn.Module):
    """Adds to every utterance a vector of its speaker, for speakers with an identity that lasts.

    Args:
        num_speakers: Number of speakers, the same ones in all conversations.
        channels: Size C of a node's vector.

    Raises:
        ValueError: If a size is not positive.
    """

    def __init__(self, num_speakers: int, channels: int) -> None:
        super().__init__()
        check_size("num_speakers", num_speakers)
        check_size("channels", channels)
        self.embedding = torch.nn.Embedding(num_speakers, channels)

    def reset_parameters(self) -> None:
        """Draws new vectors."""
        self.embedding.reset_parameters()

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        """Returns `x [U, C]` or `[U, M, C]` plus the vectors of `speaker [U]`.

        Raises:
            TypeError: If `speaker` is not int64.
            ValueError: If the shapes disagree or (checked on the host only) a speaker is not in
                `[0, num_speakers)`.
        """
        axes = ["U", "M"] if isinstance(x, Tensor) and x.dim() == 3 else ["U"]
        check_tensor("x", x, [*axes, self.embedding.weight.size(1)])
        check_dtype("x", x, self.embedding.weight)
        check_tensor("speaker", speaker, [len(x)], torch.int64)
        check_range("speaker", speaker, self.embedding.num_embeddings)
        vectors: Tensor = self.embedding(speaker)
        return x + (vectors.unsqueeze(1) if x.dim() == 3 else vectors)

    def __repr__(self) -> str:
        size, channels = self.embedding.weight.shape
        return f"{type(self).__name__}({size}, {channels})"


class SpeakerEncoder(RecurrentEncoder):
    """A bidirectional GRU over each speaker's own utterances, in order (MM-DFN, modality encoder).

    It is shared by all speakers and modalities, so that it needs to know neither who they are nor
    how many, and runs over all of them at once.

    Args:
        channels: Size C of each vector.
        hidden_channels: Size H of a direction; the output has 2H.
        num_layers: Number of layers.
        dropout: Probability of dropping a value between layers.

    Raises:
        TypeError: If an argument is not a number.
        ValueError: If a size is not positive or `dropout` is not a probability.
    """

    def forward(self, x: Tensor, geometry: Geometry) -> Tensor:
        """Encodes all modalities.

        Args:
            x: `[U, M, C]`.
            geometry: The batch's geometry, with its speakers.

        Returns:
            `[U, M, 2H]`; zeros for absent nodes, which are skipped, not stepped through.

        Raises:
            ValueError: If the shapes disagree or the geometry has no speakers.
        """
        self._check(x, ["U", "M", self.channels])
        geometry = as_geometry(geometry, x.device)
        modalities = "M" if geometry.present is None else geometry.present.size(1)
        self._check(x, [geometry.num_utterances, modalities, self.channels])
        if geometry.turns is None:
            raise ValueError("speaker must be given to the geometry, but got none.")
        if geometry.present is None:
            return self._encode(x, geometry.turns)
        return self._encode(x.flatten(0, 1), geometry.turns).view(*x.shape[:2], -1)
